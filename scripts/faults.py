#!/usr/bin/env python3
"""The fault programme: each case does one thing to network, processes, disks or clocks, and checks the books.

`faults.py [--only NAME]... [--database KIND]` runs the tests below tests/chaos/faults, prints a line for each
and one JSON line at the end, and exits 1 when a promise was broken. What this host cannot do is skipped with
its reason; with `--no-skips` that is a failure too. `--list` prints the names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "chaos" / "faults"
KINDS = ("sqlite", "postgres", "mariadb")
#: pytest says nothing itself: what it would say is in the lines.
WORDS = [
    *("-c", str(ROOT / "pyproject.toml"), "-o", "addopts=--strict-markers", "-m", "fault"),
    *("-p", "no:terminal", "-p", "no:cacheprovider"),
]
#: Violations of one case that are printed; all are counted.
SHOWN = 10


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One case on one database; `reason` is why it was skipped, `broken` is what was not as promised."""

    name: str
    kind: str | None
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    reason: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} [{self.kind}]" if self.kind else self.name

    @property
    def word(self) -> str:
        return "BROKEN" if self.broken else "skipped" if self.reason else "held"

    def __str__(self) -> str:
        figures = " ".join(f"{name}={json.dumps(value)}" for name, value in self.figures.items())
        head = f"{self.word:<8}{self.title:<46}{self.seconds:6.1f} s  {self.reason or figures}"
        return "\n".join([head.rstrip(), *(f"        {one}" for one in self.broken[:SHOWN])])


class Programme:
    """A plugin of pytest: chooses the cases, and keeps how each ended."""

    def __init__(self, only: list[str], kind: str | None) -> None:
        self._only = only
        self._kind = kind
        self._open: dict[str, Outcome] = {}
        self.outcomes: list[Outcome] = []
        self.found: dict[str, set[str | None]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves what was asked for."""
        kept = [item for item in items if self._wanted(item)]
        for item in kept:
            one = self._open[item.nodeid] = _outcome(item)
            self.found.setdefault(one.name, set()).add(one.kind)
        items[:] = kept

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is no case at all."""
        if report.failed:
            self.outcomes.append(Outcome(name=report.nodeid, kind=None, broken=[report.longreprtext]))
            print(self.outcomes[-1], flush=True)

    def _wanted(self, item: pytest.Item) -> bool:
        one = _outcome(item)
        return (not self._only or one.name in self._only) and self._kind in (None, one.kind)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one case; its figures come with the last."""
        one = self._open[report.nodeid]
        one.seconds += report.duration
        told: dict[str, Any] = dict(report.user_properties)
        if report.skipped:
            one.reason = _reason(report)
        elif report.failed and not told.get("violations"):
            one.broken.append(report.longreprtext.strip() or "failed")
        if report.when == "teardown":
            one.figures = told.get("figures", {})
            one.broken += told.get("violations", [])
            self.outcomes.append(one)
            print(one, flush=True)


def _outcome(item: pytest.Item) -> Outcome:
    mark = item.get_closest_marker("fault")
    given = getattr(getattr(item, "callspec", None), "params", {})
    return Outcome(name=mark.args[0] if mark else "", kind=given.get("kind"))


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


def figures(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    """The JSON line."""
    held = [one for one in outcomes if not one.reason]
    return {
        "faults": len(held),
        "violations": sum(len(one.broken) for one in outcomes),
        "skipped": sum(one.reason != "" for one in outcomes),
        "broken": [one.title for one in outcomes if one.broken],
        "seconds": round(seconds, 1),
        "figures": {one.title: one.figures for one in held if one.figures},
    }


def main() -> int:
    """Runs the cases and prints the line; 0 when all that could run has kept every promise."""
    options = argparse.ArgumentParser(description="Does harm to a running Duly and checks every promise.")
    options.add_argument("--only", action="append", default=[], metavar="NAME", help="may be given again")
    options.add_argument("--database", choices=KINDS, help="only the cases on this one")
    options.add_argument("--list", action="store_true", help="print the names and databases, run nothing")
    options.add_argument("--no-skips", action="store_true", help="what cannot run here is a failure")
    options.add_argument("--keep", metavar="FOLDER", help="a new folder for the logs of a single case")
    asked = options.parse_args()
    if asked.keep:
        os.environ["FAULTS_KEEP"] = str(Path(asked.keep).absolute())
    programme = Programme(asked.only, asked.database)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no process and no namespace behind
    begun = time.monotonic()
    code = pytest.main([*WORDS, *(["--collect-only"] if asked.list else []), str(CASES)], plugins=[programme])
    missing = set(asked.only) - programme.found.keys()
    if missing or not (programme.found or programme.outcomes):
        options.error(f"no such case: {', '.join(sorted(missing)) or 'none at all'}")
    if asked.list:
        for name, kinds in sorted(programme.found.items()):
            print(f"{name:<40}{' '.join(sorted(filter(None, kinds)))}".rstrip())
        return 0
    line = figures(programme.outcomes, time.monotonic() - begun)
    print(json.dumps(line))
    return int(code != 0 or line["violations"] > 0 or (asked.no_skips and line["skipped"] > 0))


if __name__ == "__main__":
    sys.exit(main())
