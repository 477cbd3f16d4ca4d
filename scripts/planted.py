#!/usr/bin/env python3
"""Do the tests notice? Plants each bug of tests/planted/*.toml in a copy of src/ and runs the tests it names.

`planted.py [NAME …]` prints a line for each bug and one JSON line at the end. It exits 1 when one was missed,
or when a test fails without a bug. Tests of servers need these running; `--sqlite` leaves them out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUGS = ROOT / "tests" / "planted"
#: Seconds for the tests of one bug, for one test, and for all of them without a bug.
BUG_LIMIT, TEST_LIMIT, CONTROL_LIMIT = 120, 60, 600
#: pytest's exit code when tests ran and some failed; every other one but 0 is no verdict.
FAILED = 1
#: A planted text that cannot even run proves nothing.
BROKEN = re.compile(
    "NameError|SyntaxError|ImportError|UnboundLocalError|syntax error|no such column|undefined"
)
SERVER = re.compile(r"\[(postgres|mariadb)|_(postgres|mariadb|servers)\.py")


class Misfit(Exception):
    """A bug's text does not stand exactly once in its file: the code has moved on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One text of one file below src/, and what stands there instead when the bug is planted."""

    file: str
    text: str
    becomes: str

    def apply(self, tree: Path) -> None:
        """Changes the file below `tree`.

        Raises:
            Misfit: the text is not there exactly once.
        """
        path = tree / self.file
        before = path.read_text("utf-8") if path.is_file() else ""
        if before.count(self.text) != 1:
            raise Misfit(f"{self.file} has {before.count(self.text)} times: {self.text!r}")
        path.write_text(before.replace(self.text, self.becomes), "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A guarantee, how to break it, and the tests that must notice."""

    name: str
    guarantee: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]

    @property
    def needs_server(self) -> bool:
        return any(SERVER.search(test) for test in self.tests)

    def plant(self, tree: Path) -> None:
        """Plants it below `tree`.

        Raises:
            Misfit: the code has moved on.
        """
        for change in self.changes:
            change.apply(tree)


def read(folder: Path = BUGS) -> list[Bug]:
    """All bugs, in the order of the files.

    Raises:
        ValueError: two of one name.
    """
    tables = [one for path in sorted(folder.glob("*.toml")) for one in tomllib.loads(path.read_text())["bug"]]
    bugs = [_bug(**table) for table in tables]
    names = [bug.name for bug in bugs]
    if len(set(names)) < len(names):
        raise ValueError(f"two bugs have one name: {sorted(names)}")
    return bugs


def _bug(*, name: str, guarantee: str, tests: Sequence[str], change: Iterable[dict[str, str]]) -> Bug:
    changes = tuple(Change(**one) for one in change)
    return Bug(name=name, guarantee=guarantee, changes=changes, tests=tuple(tests))


@contextlib.contextmanager
def copied(source: Path = ROOT / "src") -> Iterator[Path]:
    """A copy of the sources that may be spoilt."""
    with tempfile.TemporaryDirectory(prefix="duly-planted-") as room:
        yield Path(shutil.copytree(source, Path(room) / "src"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How tests ended: pytest's exit code (None: not in time), seconds, and the first failure in words."""

    code: int | None
    seconds: float
    failure: str

    @property
    def noticed(self) -> bool:
        return self.code == FAILED and not BROKEN.search(self.failure)

    def __str__(self) -> str:
        return self.failure or ("no end in time" if self.code is None else f"pytest ended with {self.code}")


def run(tests: Sequence[str], tree: Path, limit: float) -> Run:
    """Runs these tests with `tree` in place of src/, up to the first failure."""
    options = ["-x", "--tb=no", "-rfE", "-p", "no:cacheprovider", "-o", f"timeout={TEST_LIMIT}"]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tree), "DULY_REQUIRE_SERVICES": "1", "COLUMNS": "250"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return Run(code=None, seconds=time.monotonic() - begun, failure="")
    finally:
        _end(process)
    return Run(code=process.returncode, seconds=time.monotonic() - begun, failure=_failure(said))


def _end(process: subprocess.Popen[str]) -> None:
    """First as Ctrl-C does, so that databases are removed; then whatever is left of the group."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(10)


def _failure(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return re.sub(r"^(FAILED|ERROR) (tests/)?", "", lines[0]) if lines else said.strip()[-300:]


def judge(bug: Bug, source: Path) -> Run:
    """Plants one bug in a copy of `source` and runs its tests."""
    with copied(source) as tree:
        try:
            bug.plant(tree)
        except Misfit as misfit:
            return Run(code=None, seconds=0.0, failure=str(misfit))
        return run(bug.tests, tree, BUG_LIMIT)


def control(bugs: Iterable[Bug], source: Path) -> Run:
    """Runs the tests of all bugs once, without any bug."""
    tests = dict.fromkeys(test for bug in bugs for test in bug.tests)
    return run(list(tests), source, CONTROL_LIMIT)


def told(bug: Bug, one: Run) -> bool:
    """Prints the line of a bug; whether it was caught."""
    word = "caught" if one.noticed else "MISSED"
    print(f"{word}  {bug.name:<36} {one.seconds:5.1f} s  {str(one)[:150]}", flush=True)
    if not one.noticed:
        print(f"        {bug.guarantee}", flush=True)
    return one.noticed


def chosen(bugs: list[Bug], names: Sequence[str], *, sqlite: bool) -> list[Bug]:
    """Those that are asked for; all without names."""
    wanted: Callable[[Bug], Any] = (lambda bug: bug.name in names) if names else (lambda _: True)
    return [bug for bug in bugs if wanted(bug) and not (sqlite and bug.needs_server)]


def main() -> int:
    """Prints what was caught; 0 when that is all, and nothing fails without a bug."""
    options = argparse.ArgumentParser(description="Plants bugs in a copy of src/ and asks the tests.")
    options.add_argument("names", nargs="*", metavar="NAME", help="only these; all without a name")
    options.add_argument("--sqlite", action="store_true", help="leave out what needs PostgreSQL or MariaDB")
    options.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    asked = options.parse_args()
    bugs = chosen(read(), asked.names, sqlite=asked.sqlite)
    if not bugs:  # pytest without a test would run them all
        options.error("there is no such bug")
    begun = time.monotonic()
    with copied() as source, ThreadPoolExecutor(asked.jobs) as pool:
        clean = pool.submit(control, bugs, source)
        runs = pool.map(lambda bug: judge(bug, source), bugs)
        caught = [told(bug, one) for bug, one in zip(bugs, runs, strict=True)]
    if clean.result().code != 0:
        print(f"WITHOUT A BUG  {clean.result()}", flush=True)
    numbers = {"planted": len(bugs), "caught": sum(caught), "seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(numbers))
    return int(not all(caught) or clean.result().code != 0)


if __name__ == "__main__":
    sys.exit(main())
