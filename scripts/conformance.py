"""Runs the store, flow and model suites on SQLite, PostgreSQL and MariaDB; a database that is absent fails.

`make conformance`. Ends with one JSON line: databases, tests, failed; exits 1 when a test failed.
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


class Counts:
    """Counts what each test did, by database."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        self.failed += report.failed
        if report.when == "call" and report.passed:
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
    }
    print(json.dumps(line))
    return int(code != 0 or len(counts.passed) != 1 + len(DATABASES))


if __name__ == "__main__":
    sys.exit(main())
