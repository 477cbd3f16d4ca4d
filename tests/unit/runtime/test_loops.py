"""The one loop: repeats on hints and after its interval, survives errors, and stops without tearing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from duly.runtime.loops import UNREADY_AFTER, Loop, rest_after
from support.cluster import until
from support.world import Emitted

MakeLoop = Callable[..., Loop]


class Tick:
    """A tick that counts, fails on demand, and can be held in the middle."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.fails = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> None:
        self.begun += 1
        await self.gate.wait()
        if self.fails > 0:
            self.fails -= 1
            raise OSError("no")
        self.ended += 1


@pytest.fixture
async def tick() -> Tick:
    return Tick()


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


@pytest.fixture
async def make_loop(tick: Tick, emitted: Emitted) -> AsyncIterator[MakeLoop]:
    made: list[Loop] = []

    def make(interval: float) -> Loop:
        made.append(Loop("demo", interval, tick, emit=emitted))
        made[-1].start()
        return made[-1]

    yield make
    tick.gate.set()
    for loop in made:
        await loop.stop()


async def test_it_repeats_after_its_interval(make_loop: MakeLoop, tick: Tick) -> None:
    """Without a hint it ticks all the same: hints may be lost."""
    make_loop(0.001)
    await until(lambda: tick.ended >= 5, 5)


async def test_a_hint_does_not_wait_for_the_interval(make_loop: MakeLoop, tick: Tick) -> None:
    """A hint makes it tick now."""
    loop = make_loop(3600)
    await until(lambda: tick.ended == 1)
    loop.hint()
    await until(lambda: tick.ended == 2)


async def test_a_hint_during_a_tick_is_kept(make_loop: MakeLoop, tick: Tick) -> None:
    """What arrives while it looks is looked for again."""
    tick.gate.clear()
    loop = make_loop(3600)
    await until(lambda: tick.begun == 1)
    loop.hint()
    tick.gate.set()
    await until(lambda: tick.ended == 2)


async def test_a_tick_that_hints_itself_leaves_turns_to_others(emitted: Emitted) -> None:
    """A tick that waits for nothing may ask for the next one at once; all else on the loop goes on."""
    ticks = 0

    async def restless() -> None:
        nonlocal ticks
        ticks += 1
        if ticks < 1000:
            loop.hint()

    loop = Loop("demo", 3600, restless, emit=emitted)
    loop.start()
    for _ in range(3):
        await asyncio.sleep(0)
    assert ticks < 10
    await loop.stop()


async def test_it_becomes_unready_says_so_and_recovers(
    make_loop: MakeLoop, tick: Tick, emitted: Emitted
) -> None:
    """After four errors in a row it calls itself unready, keeps trying, and says when it is well again."""
    tick.fails = UNREADY_AFTER + 1
    loop = make_loop(0.001)
    await until(lambda: tick.ended >= 1)
    assert not loop.unready
    assert emitted.names() == ["loop.failed"] * 3 + ["worker.unready"] * 2 + ["worker.ready_again"]
    assert emitted.lines[3][1]["errors"] == 4


async def test_it_keeps_trying_after_thousands_of_errors(make_loop: MakeLoop, tick: Tick) -> None:
    """A database that is away for a day does not end the loop: the rest between tries has a cap."""
    tick.fails = 3
    loop = make_loop(1e-15)
    loop.errors = 5000
    await until(lambda: tick.ended >= 1)


async def test_stopping_lets_the_tick_end(make_loop: MakeLoop, tick: Tick) -> None:
    """A claim under way is not torn: what it brings is started, not lost until the next reconciliation."""
    tick.gate.clear()
    loop = make_loop(3600)
    await until(lambda: tick.begun == 1)
    stop = asyncio.create_task(loop.stop())
    await asyncio.sleep(0)
    assert not stop.done()
    tick.gate.set()
    async with asyncio.timeout(2):
        await stop
    assert (tick.begun, tick.ended) == (1, 1)


async def test_stopping_does_not_wait_for_the_pause(make_loop: MakeLoop, tick: Tick) -> None:
    """A stop during the interval, or during the rest after errors, is immediate."""
    tick.fails = 1
    loop = make_loop(3600)
    await until(lambda: loop.errors == 1)
    async with asyncio.timeout(2):
        await loop.stop()
    assert tick.ended == 0


async def test_stopping_twice_or_unstarted_is_harmless(
    make_loop: MakeLoop, tick: Tick, emitted: Emitted
) -> None:
    """A worker that never started can be stopped, and one can be stopped twice."""
    await Loop("other", 1, tick, emit=emitted).stop()
    loop = make_loop(3600)
    await loop.stop()
    await loop.stop()


def test_a_first_error_makes_it_try_again_sooner_and_more_errors_later() -> None:
    """A database that restarts is back in a second, and work waits; one that is away is not hammered."""
    assert [rest_after(errors, 1.0) for errors in (1, 2, 3, 4, 5, 5000)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
