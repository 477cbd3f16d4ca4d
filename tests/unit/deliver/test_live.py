"""Following a task: nothing lost, nothing twice, in order, until the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from duly.deliver.live import LiveEvent, Place, follow
from duly.model.errors import TaskNotFound
from duly.model.events import EventType
from duly.model.state import Status
from duly.store import claims, journal, lists, submissions
from support.patience import PATIENCE
from support.world import World


@pytest.fixture(autouse=True)
async def session(world: World) -> None:
    await world.session()


async def collected(world: World, id_: str, after: int = 0) -> list[LiveEvent]:
    async with asyncio.timeout(PATIENCE):
        return [event async for event in follow(world.database, id_, after=Place(after))]


async def stream(world: World, id_: str, attempt: int, part: int, text: str) -> None:
    await world.database.write(journal.stream, journal.Part(id=id_, attempt=attempt, part=part, text=text))


async def log(world: World, id_: str, attempt: int, n: int) -> None:
    lines = journal.Lines(id=id_, attempt=attempt, events=((EventType.LOG, {"n": n}),))
    assert await world.database.write(journal.append, lines)


async def next_of(events: AsyncIterator[LiveEvent], type_: str) -> LiveEvent:
    async with asyncio.timeout(5):
        while True:
            event = await anext(events)
            if event.type == type_:
                return event


async def test_an_ended_task_is_told_from_its_beginning(world: World) -> None:
    """A task that has ended yields its whole timeline, as stored, and ends."""
    id_ = await world.ended()
    stored = await world.database.read(lists.events, id_)
    told = await collected(world, id_)
    assert [(one.seq, one.type, one.at, one.data) for one in told] == [
        (one.seq, one.type, one.at, one.data) for one in stored
    ]
    assert told[-1].type == "completed"


async def test_a_reader_that_comes_back_gets_the_rest(world: World) -> None:
    """`after` is the last line the reader has seen; at the end there is nothing more."""
    id_ = await world.ended()
    seqs = [one.seq for one in await collected(world, id_)]
    assert [one.seq for one in await collected(world, id_, after=1)] == seqs[1:]
    assert await collected(world, id_, after=seqs[-1] or 0) == []


async def test_many_pages_are_read(world: World) -> None:
    """A timeline longer than one page comes whole."""
    id_ = await world.submit()
    claimed = await world.claim()
    lines = journal.Lines(id=id_, attempt=1, events=tuple((EventType.LOG, {"n": n}) for n in range(1200)))
    await world.database.write(journal.append, lines)
    await world.finish(claimed)
    assert [one.seq for one in await collected(world, id_)] == list(range(1, 1204))


async def test_no_line_is_lost_under_concurrent_commits(world: World) -> None:
    """Readers that start at any moment while lines commit see each line once, in order, and the end."""
    id_ = await world.submit()
    claimed = await world.claim()
    readers = []
    for n in range(60):
        if n % 6 == 0:
            readers.append(asyncio.create_task(collected(world, id_)))
        await asyncio.gather(log(world, id_, 1, 2 * n), log(world, id_, 1, 2 * n + 1))
    await world.finish(claimed)
    stored = [one.seq for one in await world.database.read(lists.events, id_)]
    assert stored == list(range(1, 124))
    for reader in readers:
        assert [one.seq for one in await reader] == stored


async def test_streamed_output_comes_between(world: World) -> None:
    """Parts come once, in order, after the line that began their attempt, without a number."""
    id_ = await world.submit()
    claimed = await world.claim()
    async with contextlib.aclosing(follow(world.database, id_)) as events:
        for part, text in enumerate(("Hel", "lo", "!")):
            await stream(world, id_, 1, part, text)
            event = await next_of(events, "partial")
            assert (event.seq, event.data) == (None, {"attempt": 1, "part": part, "text": text})
        await world.finish(claimed)
        assert (await next_of(events, "completed")).seq == 3


async def test_the_next_attempts_output_is_its_own(world: World) -> None:
    """After a retry the parts of the new attempt follow, from its first."""
    id_ = await world.submit()
    claimed = await world.claim()
    async with contextlib.aclosing(follow(world.database, id_)) as events:
        await stream(world, id_, 1, 0, "old")
        assert (await next_of(events, "partial")).data["text"] == "old"
        await world.finish(claimed, Status.RETRY, delay_ms=0, charge=1)
        await world.database.write(claims.promote, 10)
        again = await world.claim()
        await stream(world, id_, again.attempt, 0, "new")
        assert (await next_of(events, "started")).data == {"attempt": 2}
        assert (await next_of(events, "partial")).data == {"attempt": 2, "part": 0, "text": "new"}


async def test_silence_is_broken_by_pings(world: World) -> None:
    """When nothing happens to this task a ping comes, even while others commit all the time."""
    id_, other = await world.submit(), await world.submit(task_type="other")
    claimed = await world.claim(task_type="other")
    assert claimed.id == other
    async with contextlib.aclosing(follow(world.database, id_, ping=0.05)) as events:
        assert (await anext(events)).type == "accepted"
        noise = asyncio.create_task(_commit_on(world, other))
        assert (await next_of(events, "ping")).seq is None
        assert (await next_of(events, "ping")).data == {}
        noise.cancel()


async def _commit_on(world: World, id_: str) -> None:
    for n in range(100_000):
        await log(world, id_, 1, n)


async def test_a_second_run_is_followed_too(world: World) -> None:
    """A failed task that was given another run goes on past its first end."""
    id_ = await world.ended(target=Status.FAILED, error="no")
    await world.database.write(submissions.retry, id_)
    reader = asyncio.create_task(collected(world, id_))
    await world.finish(await world.claim())
    types = [one.type for one in await reader]
    assert types == ["accepted", "started", "failed", "retried", "started", "completed"]


async def test_an_unknown_task_is_said(world: World) -> None:
    """There is nothing to follow without a task."""
    with pytest.raises(TaskNotFound):
        await anext(follow(world.database, "nowhere"))


async def test_a_reader_that_leaves_is_forgotten(world: World) -> None:
    """Closing the iterator takes its listener away."""
    id_ = await world.submit()
    before = len(world.database._listeners)
    async with contextlib.aclosing(follow(world.database, id_)) as events:
        await anext(events)
        assert len(world.database._listeners) == before + 1
    assert len(world.database._listeners) == before
