"""The tutorial, for queues that several users share: turns, weights, and priorities that rise."""

from __future__ import annotations

from collections import Counter

import pytest

from duly import Context, Duly
from duly.testing import Harness, harness_fixture

duly = Duly()
ran: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


@duly.task("draft")
async def draft(ctx: Context, whose: str) -> None:
    ran.append(whose)


harness = harness_fixture(duly, concurrency=1, ageing=60, poll=0.05)


async def submit(harness: Harness, owner: str, count: int = 1, **options: object) -> list[str]:
    return [
        (await harness.submit("draft", {"whose": owner}, owner=owner, **options)).id for _ in range(count)
    ]


async def test_who_comes_late_does_not_wait_behind_a_backlog(harness: Harness) -> None:
    """Ann has handed in thirty drafts; Bob's only one is among the first three."""
    await submit(harness, "ann", 30)
    await submit(harness, "bob")
    await harness.run_until_idle()
    assert "bob" in ran[:3]


async def test_weight_two_is_two_turns_for_one(harness: Harness) -> None:
    """`duly share set cid --weight 2`: in what is submitted from then on.

    Ann was there first, so hers is the first turn.
    """
    await harness.app.operator.weigh("cid", 2)
    for owner in ("ann", "cid"):
        await submit(harness, owner, 20)
    await harness.run_until_idle()
    assert Counter(ran[1:16]) == {"cid": 10, "ann": 5}


async def test_priority_is_strict_and_ageing_lifts_who_waits(harness: Harness) -> None:
    """`DULY_AGEING=60`: what has waited a minute rises by one priority, and its timeline says so."""
    [low] = await submit(harness, "ann", priority=4)
    harness.clock.advance(61)
    await harness.worker.sweep()
    await submit(harness, "bob", priority=4)
    await submit(harness, "cid", priority=5)
    await harness.run_until_idle()
    assert ran == ["ann", "cid", "bob"]
    assert "aged" in [event.type for event in await harness.events(low)]
