"""docs/en/security.md names a test for each point, and those tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = [
    line
    for line in (ROOT / "docs" / "en" / "security.md").read_text("utf-8").splitlines()
    if re.match(r"\| (?:API|ASVS)", line)
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.split()[1:3]))
def test_a_point_is_proven_by_tests_that_are_there(row: str) -> None:
    """At least one, by file and name."""
    named = _TEST.findall(row)
    assert named
    for file, name in named:
        path = ROOT / file
        assert path.is_file(), file
        assert re.search(rf"^(?:async )?def {name or 'test_'}", path.read_text("utf-8"), re.MULTILINE), name


def test_all_ten_of_the_api_risks_are_answered() -> None:
    """Each in a row of its own."""
    assert [row.split()[1] for row in ROWS if row.startswith("| API")] == [f"API{n}" for n in range(1, 11)]
