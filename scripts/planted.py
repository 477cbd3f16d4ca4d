#!/usr/bin/env python3
"""Do the tests notice? Plants each bug of tests/planted/*.toml in a copy of src/ and runs the tests it names.

`planted.py [NAME …]` prints a line for each bug and one JSON line at the end. It exits 1 when one was missed,
or when a test fails without a bug. Tests of servers need these running; `--sqlite` leaves them out.

Each bug has a tree and a process of its own. The process is a fork of one that has imported what the tests
need beside Duly: these imports take seconds, most tests a tenth of one. Migrated databases are lent to it,
one on each server, unless it is the migrations that have the bug: to make and drop them takes seconds too.
"""

from __future__ import annotations

import argparse
import atexit
import compileall
import contextlib
import gc
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[1]
BUGS = ROOT / "tests" / "planted"
#: Seconds for one test and for all tests of a bug; without a bug, where a busy machine must not be a failure.
LIMITS, CONTROL_LIMITS = (40, 120), (300, 600)
#: pytest's exit code when tests ran and some failed; every other one but 0 is no verdict.
FAILED = 1
#: A bug in one of these has no use for tables that were made without it.
TABLES = ("duly/store/migrat", "duly/store/schema.py", "duly/store/views.py")
#: A planted text that cannot even run proves nothing.
BROKEN = re.compile(
    "NameError|SyntaxError|ImportError|UnboundLocalError|syntax error|no such column|undefined"
)
#: What a fork finds imported; nothing of ours is among it. One that is left out costs each fork its time.
WARM = [
    *("pytest", "pytest_asyncio.plugin", "pytest_timeout", "hypothesis", "typer.testing", "readline", "apsw"),
    *("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql"),
    *("pysqlite3", "psycopg", "pymysql.cursors", "alembic.command", "alembic.context", "uuid_utils"),
    *("pydantic_settings", "fastapi", "uvicorn", "httpx2", "standardwebhooks", "httpcore2", "jwt"),
]
FORKS = multiprocessing.get_context("forkserver")
OPTIONS = [
    *("-x", "--tb=no", "-rfE"),
    *("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
]
ENVIRONMENT = {"DULY_REQUIRE_SERVICES": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "250"}
#: A test that has a bug to notice need not wait so long for what will not come, nor race so often.
ENVIRONMENT |= {"DULY_TEST_PATIENCE": "5", "DULY_TEST_RACES": "40"}
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
        path.unlink()  # it may be a hard link, and other trees have it too
        path.write_text(before.replace(self.text, self.becomes), "utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A guarantee, how to break it, and the tests that must notice."""

    name: str
    guarantee: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]

    @property
    def limits(self) -> tuple[int, int]:
        """Seconds for one of its tests, and for all."""
        return LIMITS if self.changes else CONTROL_LIMITS

    @property
    def makes_tables(self) -> bool:
        return any(change.file.startswith(TABLES) for change in self.changes)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How tests ended: pytest's exit code (None: not in time), seconds, the first failure, the last words."""

    code: int | None
    seconds: float
    failure: str
    last: str = ""

    @property
    def noticed(self) -> bool:
        return self.code == FAILED and self.failure != "" and not BROKEN.search(self.failure)

    def __str__(self) -> str:
        end = "no end in time" if self.code is None else f"pytest ended with {self.code}"
        return self.failure or f"{end}: {self.last}"


class Trial:
    """One bug under trial: a fork that plants it in a tree of its own and runs its tests."""

    def __init__(self, bug: Bug, room: Path, lent: dict[str, str]) -> None:
        self.bug, self.lent = bug, lent
        self._folder = Path(tempfile.mkdtemp(dir=room))
        (self._folder / "said").touch()
        self._begun = time.monotonic()
        given = {} if bug.makes_tables else lent
        self._process = FORKS.Process(target=_try, args=(bug, room / "src", self._folder, given))
        self._process.start()

    @property
    def left(self) -> float:
        """The seconds it may still take."""
        return max(0.0, self._begun + self.bug.limits[1] - time.monotonic())

    @property
    def sentinel(self) -> int:
        """A file that is readable when it is over."""
        return self._process.sentinel

    def end(self) -> Run:
        """How it ended. What still runs is ended first as Ctrl-C does it, so that databases are removed."""
        seconds, code = time.monotonic() - self._begun, self._process.exitcode
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(cast("int", self._process.pid), number)
                self._process.join(10)
        said = (self._folder / "said").read_text("utf-8", "replace")
        shutil.rmtree(self._folder, ignore_errors=True)
        return Run(code=code, seconds=seconds, failure=_failure(said), last=" ".join(said.split())[-100:])


def _try(bug: Bug, source: Path, folder: Path, lent: dict[str, str]) -> None:
    """The fork: says all into a file, and ends with pytest's exit code."""
    os.setsid()
    gc.freeze()  # pytest collects twice at its end, through all that was imported
    with (folder / "said").open("w") as said:
        for stream in (1, 2):
            os.dup2(said.fileno(), stream)
    tree = shutil.copytree(source, folder / "src", copy_function=os.link)
    try:
        bug.plant(tree)
    except Misfit as misfit:
        sys.exit(str(misfit))
    os.chdir(ROOT)
    os.environ |= {**ENVIRONMENT, **lent, "PYTHONPATH": str(tree)}
    sys.path.insert(0, str(tree))
    import pytest

    options = [*OPTIONS, f"--basetemp={folder / 'tmp'}", f"--timeout={bug.limits[0]}"]
    code = pytest.main([*options, *bug.tests])
    atexit._run_exitfuncs()  # noqa: SLF001 - a fork ends without them, and they remove databases
    sys.exit(code)


def _failure(said: str) -> str:
    """The first failure in words; none: nothing that a test has said."""
    lines = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return re.sub(r"^(FAILED|ERROR) (tests/)?", "", lines[0]) if lines else ""


@contextlib.contextmanager
def sources() -> Iterator[Path]:
    """A folder with src/ as it is now, compiled once and not in each fork."""
    with tempfile.TemporaryDirectory(prefix="duly-planted-") as room:
        compileall.compile_dir(shutil.copytree(ROOT / "src", Path(room) / "src"), quiet=2)
        yield Path(room)


def lending(bugs: Iterable[Bug], jobs: int) -> list[dict[str, str]]:
    """For each of the trials that run at once, where its databases are: variables of tests/support."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support import blank, servers  # type: ignore[import-not-found]

    kinds = servers.KINDS if any(bug.needs_server for bug in bugs) else ()
    file = {blank.GIVEN: str(blank.migrated())}
    return [
        file | {servers.GIVEN[kind]: servers.made_url(kind, f"lent_{job}") for kind in kinds}
        for job in range(jobs)
    ]


def judged(bugs: Iterable[Bug], room: Path, lent: list[dict[str, str]]) -> Iterator[tuple[Bug, Run]]:
    """Tries as many at once as databases are lent; each as it ends."""
    waiting, running = deque(bugs), dict[int, Trial]()
    try:
        while waiting or running:
            while waiting and lent:
                trial = Trial(waiting.popleft(), room, lent.pop())
                running[trial.sentinel] = trial
            over = wait(list(running), min(trial.left for trial in running.values()))
            for sentinel in [one for one, trial in running.items() if one in over or not trial.left]:
                trial = running.pop(sentinel)
                lent.append(trial.lent)
                yield trial.bug, trial.end()
    finally:
        for trial in running.values():
            trial.end()


def control(bugs: Iterable[Bug]) -> Bug:
    """Nothing planted, and the tests of all bugs: they must pass."""
    tests = dict.fromkeys(test for bug in bugs for test in bug.tests)
    return Bug(
        name="no bug",
        guarantee="The tests pass as long as nothing is broken.",
        changes=(),
        tests=tuple(tests),
    )


def told(bug: Bug, one: Run) -> bool:
    """Prints the line of a bug; whether all is well with it."""
    well = one.noticed if bug.changes else one.code == 0
    word = ("caught" if bug.changes else "passed") if well else ("MISSED" if bug.changes else "FAILED")
    words = "" if one.code == 0 and well else str(one)[:150]
    print(f"{word}  {bug.name:<36} {one.seconds:5.1f} s  {words}", flush=True)
    if not well:
        print(f"        {bug.guarantee}", flush=True)
    return well


def chosen(bugs: list[Bug], names: Sequence[str], *, sqlite: bool) -> list[Bug]:
    """Those that are asked for; all without names."""
    wanted: Callable[[Bug], Any] = (lambda bug: bug.name in names) if names else (lambda _: True)
    return [bug for bug in bugs if wanted(bug) and not (sqlite and bug.needs_server)]


def main() -> int:
    """Prints what was caught; 0 when that is all, and nothing fails without a bug."""
    options = argparse.ArgumentParser(description="Plants bugs in a copy of src/ and asks the tests.")
    options.add_argument("names", nargs="*", metavar="NAME", help="only these; all without a name")
    options.add_argument("--sqlite", action="store_true", help="leave out what needs PostgreSQL or MariaDB")
    options.add_argument("--jobs", type=int, default=3, help="how many at once (default 3: many tests wait)")
    options.add_argument(
        "--trusting", action="store_true", help="leave out the run without a bug: the tests were run just now"
    )
    asked = options.parse_args()
    bugs = chosen(read(), asked.names, sqlite=asked.sqlite)
    if not bugs:  # pytest without a test would run them all
        options.error("there is no such bug")
    begun = time.monotonic()
    FORKS.set_forkserver_preload(WARM)
    with sources() as room:
        lent = lending(bugs, asked.jobs)
        runs = judged([*([] if asked.trusting else [control(bugs)]), *bugs], room, lent)
        bad = [(bug, one) for bug, one in runs if not told(bug, one)]
    for bug, one in bad:  # again, for those who read the end only
        told(bug, one)
    caught = len(bugs) - sum(bug.changes != () for bug, _ in bad)
    numbers = {"planted": len(bugs), "caught": caught, "seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(numbers))
    return int(bad != [])


if __name__ == "__main__":
    sys.exit(main())
