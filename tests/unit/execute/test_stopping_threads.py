"""A plain handler that is stopped in its map: the map ends, is recorded, and its threads are waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from duly import BlockingContext
from duly.execute.context import Context, Threads
from duly.execute.offload import InThread, Place
from duly.execute.steps import StepBook
from duly.execute.waiting import Parking
from duly.model.errors import LeaseLost
from duly.model.outcome import Completed, Outcome, Stopped
from duly.model.task import Claimed, Remembered
from duly.store.items import Item
from support.cluster import until
from support.patience import PATIENCE

CLAIMED = Claimed(**{**dict.fromkeys(Claimed._fields), "id": "t", "attempt": 1})  # type: ignore[arg-type]
ITEMS = range(10)


class Pen:
    """Remembers items, once it is let."""

    def __init__(self) -> None:
        self.known: list[int] = []
        self.recording = asyncio.Event()
        self.may_record = asyncio.Event()

    async def items(self, _name: str, _after: int) -> list[Item]:
        return []

    async def record_items(self, _name: str, some: tuple[Item, ...], _progress: float) -> None:
        self.recording.set()
        await self.may_record.wait()
        self.known += [one.n for one in some]

    async def leaving(self) -> bool:
        return False


class Bench:
    """Runs plain handlers, whose items but the first take as long as the test wants."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.executor = executor
        self.pen = Pen()
        self.pen.may_record.set()
        self.begun: list[int] = []
        self.told: list[type[BaseException]] = []
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()

    def start(self, handler: Callable[..., Any]) -> tuple[InThread, asyncio.Task[Outcome]]:
        """An attempt that runs."""
        threads = Threads(self.executor)
        context = Context(CLAIMED, self.pen, StepBook(()), threads)  # type: ignore[arg-type]
        execution = InThread(handler, context, {}, threads, self.executor)
        return execution, execution.start()

    async def item(self, n: int) -> int:
        """On the loop."""
        self.begun.append(n)
        if n:
            await self.gate.wait()
        return n

    def item_in_a_thread(self, n: int) -> int:
        """The same."""
        self.begun.append(n)
        if n:
            self.thread_gate.wait()
        return n

    def maps(self, ctx: BlockingContext) -> int:
        """A handler."""
        return len(ctx.map("weigh", ITEMS, self.item, concurrency=2).ok)

    def maps_on(self, ctx: BlockingContext) -> str:
        """One that takes no notice."""
        for name in ("weigh", "again"):
            try:
                ctx.map(name, ITEMS, self.item, concurrency=2)
            except BaseException as error:  # noqa: BLE001 - a handler may
                self.told.append(type(error))
        return "done"

    def maps_in_threads(self, ctx: BlockingContext) -> int:
        """One whose items nothing can stop."""
        try:
            return len(ctx.map("weigh", ITEMS, self.item_in_a_thread, concurrency=2).ok)
        except BaseException as error:
            self.told.append(type(error))
            raise


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(4) as executor:
        one = Bench(executor)
        yield one
        one.thread_gate.set()


async def begun(bench: Bench) -> None:
    """The first item has ended, and two are under way."""
    await until(lambda: len(bench.begun) == 3)


async def test_a_stop_ends_the_map_of_a_thread(bench: Bench) -> None:
    """Its items are stopped too, no other begins, and what was made is recorded."""
    execution, work = bench.start(bench.maps)
    await begun(bench)
    execution.stop()
    bench.gate.set()
    assert await work == Stopped()
    assert sorted(bench.begun) == [0, 1, 2]
    assert bench.pen.known == [0]


async def test_a_stop_that_comes_first_begins_no_map(bench: Bench) -> None:
    """A handler that goes on is told again, and what it returns counts as that of a coroutine."""
    execution, work = bench.start(bench.maps_on)
    await begun(bench)
    execution.stop()
    bench.gate.set()
    assert await work == Completed('"done"')
    assert bench.told == [asyncio.CancelledError] * 2
    assert sorted(bench.begun) == [0, 1, 2]


async def test_an_attempt_lasts_as_long_as_the_threads_of_its_map(bench: Bench) -> None:
    """Its handler is told at once."""
    execution, work = bench.start(bench.maps_in_threads)
    await begun(bench)
    execution.stop()
    await until(lambda: bench.told)
    await asyncio.wait({work}, timeout=0.1)
    assert not work.done()
    bench.thread_gate.set()
    assert await work == Stopped()


async def test_who_asks_again_does_not_cut_off_the_record(bench: Bench) -> None:
    """A stop is asked for until it is heeded."""
    bench.pen.may_record.clear()
    execution, work = bench.start(bench.maps)
    await begun(bench)
    execution.stop()
    await bench.pen.recording.wait()
    execution.stop()
    await asyncio.sleep(0)
    bench.pen.may_record.set()
    assert await work == Stopped()
    assert bench.pen.known == [0]


async def test_items_need_no_thread_of_the_handlers() -> None:
    """As many handlers as there are threads for wait for items at once, and all end."""
    place = Place(threads=2, concurrency=8, processes=1)
    pen = Pen()
    pen.may_record.set()
    both = threading.Barrier(2)

    def handler(ctx: BlockingContext) -> list[int]:
        both.wait()
        found: list[int] = ctx.map("double", [1, 2], lambda n: 2 * n).ok
        return found

    kind: Any = SimpleNamespace(lane="thread", handler=handler, versions=(1,))
    some: list[Any] = [place.execution(kind, CLAIMED, pen, Remembered((), {}), {}) for _ in range(2)]  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE):
        ended = await asyncio.gather(*(one.start() for one in some))
    assert [type(one) for one in ended] == [Completed, Completed]
    place.close()


async def test_what_a_stopped_map_could_not_record_is_not_told() -> None:
    """A handler that heeds every `Exception` hears of its stop all the same."""
    parking = Parking()

    async def fails_at_its_stop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LeaseLost

    call = asyncio.create_task(parking.until_stopped(fails_at_its_stop()))
    await until(lambda: bool(parking._calls))
    parking.stop()
    with pytest.raises(asyncio.CancelledError):
        await call
