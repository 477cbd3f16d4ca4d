"""A short soak on a file: what `make chaos` does for minutes, and that it would see a missing fence."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.soak import Plan, soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


async def test_a_short_soak_keeps_every_promise(tmp_path: Path) -> None:
    """Twenty seconds of kills under load: nothing is lost or recorded twice, and the history is sound."""
    told: list[str] = []
    report = await soak(Plan(database="sqlite", seconds=20, seed=7), tmp_path, told.append)
    assert told == []
    assert report.verdict.acknowledged > 20
    assert report.kills.total() > 4


async def test_the_fence_alone_keeps_stale_workers_out(tmp_path: Path) -> None:
    """Sweeps take living workers for dead all the time: tasks run twice at once, and are recorded once."""
    told: list[str] = []
    plan = Plan(database="sqlite", seconds=20, seed=7, broken=("lease",))
    report = await soak(plan, tmp_path, told.append)
    assert told == []
    assert report.refused > 0


async def test_without_the_fence_a_soak_finds_violations(tmp_path: Path) -> None:
    """The same with the fence taken away: the books do not balance, and it is said where."""
    told: list[str] = []
    plan = Plan(database="sqlite", seconds=60, seed=7, broken=("lease", "fence"))
    report = await soak(plan, tmp_path, told.append)
    assert report.verdict.violations > 0
    assert told
