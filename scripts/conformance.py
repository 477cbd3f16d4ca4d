"""Runs the store, flow and model suites on each database, and the flows marked `engine` on each engine. A
database or a broker that is absent fails.

`make conformance`. Ends with one JSON line: databases, tests, failed, engines; exits 1 when a test failed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter

import pytest

SUITES = ("tests/store", "tests/flow", "tests/property", "tests/cli/test_cli_migrations.py")
#: What a test's id says of its database; a test that says nothing runs on SQLite.
DATABASES = {
    "postgres": re.compile(r"postgres", re.IGNORECASE),
    "mariadb": re.compile(r"mariadb", re.IGNORECASE),
}
#: What the id of a test that runs on each engine says of its own.
ENGINE = re.compile(r"\[(pull|celery-rabbitmq|celery-redis)\b")
ENGINES = 3


class Counts:
    """Counts what each test did, by database and by engine; each engine's database is PostgreSQL."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.engines: Counter[str] = Counter()
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        self.failed += report.failed
        if report.when != "call" or not report.passed:
            return
        if engine := ENGINE.search(report.nodeid):
            self.engines[engine[1]] += 1
            self.passed["postgres"] += 1
        else:
            named = (name for name, words in DATABASES.items() if words.search(report.nodeid))
            self.passed[next(named, "sqlite")] += 1


def main() -> int:
    """Runs the suites and prints the line."""
    os.environ["DULY_REQUIRE_SERVICES"] = "1"
    counts = Counts()
    code = pytest.main(["-m", "", *SUITES, *sys.argv[1:]], plugins=[counts])
    line = {
        "databases": len(counts.passed),
        "tests": counts.passed.total(),
        "failed": counts.failed,
        "by_database": dict(sorted(counts.passed.items())),
        "by_engine": dict(sorted(counts.engines.items())),
        "engines": len(counts.engines),
    }
    print(json.dumps(line))
    whole = len(counts.passed) == 1 + len(DATABASES) and len(counts.engines) == ENGINES
    return int(code != 0 or not whole)


if __name__ == "__main__":
    sys.exit(main())
