"""One map of one attempt: what it begins, and what it leaves for the next worker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from duly.execute import mapping
from duly.execute.mapping import MapRun, Terms
from duly.execute.steps import Place
from duly.model.policy import RetryPolicy
from duly.store.items import Item
from support.cluster import until


class Pen:
    """Remembers items in memory, and says that the worker stops once it is told."""

    def __init__(self) -> None:
        self.known: dict[int, Item] = {}
        self.must_leave = False

    async def items(self, name: str, after: int) -> list[Item]:
        return [one for n, one in sorted(self.known.items()) if n > after]

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None:
        self.known |= {one.n: one for one in some}

    async def leaving(self) -> bool:
        return self.must_leave

    def told(self) -> dict[int, tuple[str, int]]:
        """Status and tries by number."""
        return {n: (one.status, one.tries) for n, one in sorted(self.known.items())}


class Work:
    """Items that take as long as the test wants, or are torn."""

    def __init__(self, *, torn: bool = False) -> None:
        self.begun: list[int] = []
        self.gate = asyncio.Event()
        self.torn = torn

    async def __call__(self, item: int) -> int:
        self.begun.append(item)
        if self.torn:
            raise ValueError("torn")
        await self.gate.wait()
        return item


def run(pen: Pen, work: Work, count: int = 6, *, backoff: float = 300) -> MapRun:
    """A map of so many items, three at once."""
    terms = Terms(concurrency=3, policy=RetryPolicy(max_retries=3, base=backoff), again=True)
    return MapRun(Place("weigh", 1, "d", None), list(range(count)), work, pen, terms)


async def test_no_item_begins_once_the_worker_stops() -> None:
    """Those under way end and are recorded; the next worker makes the others only."""
    pen, work = Pen(), Work()
    first = asyncio.create_task(run(pen, work).run())
    await until(lambda: len(work.begun) == 3)
    pen.must_leave = True
    work.gate.set()
    assert await first is None
    assert work.begun == [0, 1, 2]
    assert pen.told() == dict.fromkeys(range(3), ("completed", 1))
    pen.must_leave = False
    whole = await run(pen, work).run()
    assert whole is not None
    assert whole.results == list(range(6))
    assert work.begun == list(range(6))


async def test_an_item_that_waits_for_its_next_try_is_left_with_its_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits out its pause; the next worker goes on counting."""
    monkeypatch.setattr(mapping, "LOOK_SECONDS", 0.001)
    pen, work = Pen(), Work(torn=True)
    first = asyncio.create_task(run(pen, work, 1).run())
    await until(lambda: pen.known)
    pen.must_leave = True
    async with asyncio.timeout(5):
        assert await first is None
    assert pen.told() == {0: ("retry", 1)}
    pen.must_leave, work.torn = False, False
    work.gate.set()
    await run(pen, work, 1).run()
    assert pen.told() == {0: ("completed", 2)}


async def test_a_map_whose_items_have_all_ended_is_whole() -> None:
    """The worker may stop meanwhile: nothing was left to begin."""
    pen, work = Pen(), Work()
    only = asyncio.create_task(run(pen, work, 3).run())
    await until(lambda: len(work.begun) == 3)
    pen.must_leave = True
    work.gate.set()
    result: Any = await only
    assert result.results == [0, 1, 2]


async def test_what_is_remembered_is_whole_at_once() -> None:
    """A worker that stops reads it like any other."""
    pen, work = Pen(), Work()
    work.gate.set()
    await run(pen, work).run()
    pen.must_leave = True
    again = await run(pen, work).run()
    assert again is not None
    assert len(work.begun) == 6
