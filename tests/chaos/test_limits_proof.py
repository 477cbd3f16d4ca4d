"""The proof of limits (`make limits`) at a small size, so that it cannot rot; and that it can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import limits
from support import servers
from support.rations import CAP, Size, prove

SMALL = Size(tasks=1000, keys=50, kills=6, hot=300, rounds=1)
KINDS = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in servers.KINDS)]
GOOD = {"violations": 0, "most_at_once": CAP, "ratio": 0.6, "hot_key_s": 0.5}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", KINDS)
async def test_limits_hold_while_workers_are_killed(tmp_path: Path, kind: str) -> None:
    """Nothing is exceeded, leaked or left behind; what that costs, so few tasks do not tell."""
    told: list[str] = []
    figures = await prove(kind, tmp_path, SMALL, told.append)
    assert told == []
    assert limits.kept(figures, least_ratio=0.1)


@pytest.mark.parametrize(
    ("bad", "holds"),
    [
        ({}, True),
        ({"violations": 1}, False),
        ({"most_at_once": CAP + 1}, False),
        ({"most_at_once": 1}, False),
        ({"ratio": 0.49}, False),
        ({"hot_key_s": 3.1}, False),
    ],
)
def test_a_bad_figure_fails_it(bad: dict[str, Any], holds: bool) -> None:
    """A key of which two never ran at once has proved nothing either."""
    assert limits.kept({**GOOD, **bad}, least_ratio=0.5) is holds
