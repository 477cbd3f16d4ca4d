"""The broker between sender and workers loses messages, and delivers the others twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import engines
from support.bad_line import bridge
from support.fault_case import Case

TASKS, LOST = 60, 20


@pytest.mark.fault("messages-lost-and-doubled")
@pytest.mark.parametrize("kind", engines.BROKERS)
async def test_a_broker_that_loses_and_doubles(kind: str, case: Case, tmp_path: Path) -> None:
    """Each message comes twice, the last one first, every tenth is lost, and all first ones of some tasks:
    each task is recorded once, after one attempt."""
    async with bridge(kind, tmp_path, held=TASKS, slots=20) as site:
        ids = await site.near.submit_many(TASKS, "steps", {"n": 2})
        await site.ended(TASKS)
        ids += await site.lost(LOST)
        await site.ended(TASKS + LOST)
        books = await site.books(ids)
    case.figure(**books)
    case.holds("recorded once", books["recorded"] == len(ids), books["recorded"])
    case.holds("after one attempt", books["attempts"] == len(ids), books["attempts"])
    case.holds("messages were lost", books["dropped"] >= LOST, books["dropped"])
    case.holds("messages were doubled", books["refused"] > 0, books["refused"])
