"""The attempts of one worker: its slots, its drain, and handlers that do not want to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.execute.runner import Runner
from duly.model.errors import DulyError, NotReady
from duly.model.events import EventType
from duly.model.state import Status
from duly.store import recall, submissions
from duly.store.claims import finish
from support.cluster import until
from support.world import World

duly = Duly()
gate = threading.Event()
runs: list[str] = []


@duly.task("demo")
async def demo(ctx: Context) -> str:
    runs.append(ctx.task_id)
    await asyncio.Event().wait()
    return ""


@duly.task("plain")
def plain(ctx: BlockingContext) -> None:
    runs.append(ctx.task_id)
    gate.wait(20)


@duly.task("apart", isolate=True)
def apart(ctx: BlockingContext) -> None:
    threading.Event().wait(20)


class Team:
    """A runner of two slots per lane over a real store."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.freed = 0
        self.replaced = 0
        self.runner = Runner(
            world.database,
            duly.registry,
            emit=world.emitted,
            slots={"loop": 2, "thread": 2, "process": 2},
            stuck=0.05,
            freed=self._freed,
            replace=self._replace,
        )

    def _freed(self) -> None:
        self.freed += 1

    def _replace(self) -> None:
        self.replaced += 1

    async def start(self, task_type: str = "demo", **options: Any) -> str:
        """A task that runs here."""
        id_ = await self.world.submit(task_type=task_type, **options)
        self.runner.start([await self.world.claim(task_type=task_type)])
        return id_

    def free(self) -> list[int]:
        """Free slots by lane."""
        return [self.runner.free(lane) for lane in ("loop", "thread", "process")]


@pytest.fixture
async def team(world: World) -> AsyncIterator[Team]:
    gate.clear()
    runs.clear()
    await world.session()
    one = Team(world)
    yield one
    gate.set()
    await one.runner.drain(0)


async def test_each_lane_counts_its_own_slots(team: Team) -> None:
    """A full thread lane leaves room for coroutines and processes."""
    await team.start("plain")
    await team.start("plain")
    assert team.free() == [2, 0, 2]
    await team.start("demo")
    await team.start("apart")
    assert team.free() == [1, 0, 1]


async def test_a_slot_is_free_when_its_attempt_has_ended(team: Team) -> None:
    """And the poller is told."""
    id_ = await team.start("demo")
    await team.world.database.write(submissions.cancel, id_)
    await team.runner.look_for_cancels()
    await until(lambda: not team.runner.busy)
    assert team.freed > 0
    assert team.free() == [2, 2, 2]
    assert (await team.world.task(id_)).status == "cancelled"


async def test_ends_that_wait_for_the_database_hold_slots_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that has ended gives its slot away, but not without limit while nothing can be recorded."""
    held: list[tuple[Any, ...]] = []
    post = team.world.database.post
    monkeypatch.setattr(team.world.database, "post", lambda *call: held.append(call))
    for free in (2, 0):
        started = [await team.start("demo") for _ in range(2)]
        await until(lambda started=started: set(started) <= set(runs))
        for attempt in list(team.runner._attempts):
            attempt.cancel()
        await until(lambda free=free: team.free()[0] == free)
    await until(lambda: len(held) == 4)
    for call in held:
        post(*call)
    await until(lambda: not team.runner.busy)
    assert team.free() == [2, 2, 2]


async def test_a_drain_waits_then_hands_back(team: Team) -> None:
    """What does not end by itself goes back, uncharged, and nothing is held any more."""
    id_ = await team.start("demo")
    await until(lambda: runs)
    await team.runner.drain(0.05)
    task = await team.world.task(id_)
    assert (task.status, task.retry_count) == ("pending", 0)
    assert team.runner.held() == set()


async def test_a_thread_that_ignores_its_timeout_leaves_its_last_word(team: Team) -> None:
    """The worker asks to be replaced; the outcome waits until the thread is really gone."""
    id_ = await team.start("plain", timeout_ms=10)
    await until(team.runner.last_words)
    [word] = team.runner.last_words()
    assert (word.id, word.target, word.error_code) == (id_, "retry", "timeout")
    assert team.replaced == 1
    assert (await team.world.task(id_)).status == "running"


async def test_a_cancel_that_a_thread_ignores_strikes_with_its_timeout(team: Team) -> None:
    """Until then the worker keeps its companions; then it is replaced, and the task ends as cancelled."""
    id_ = await team.start("plain", timeout_ms=400)
    await team.world.database.write(submissions.cancel, id_)
    await team.runner.look_for_cancels()
    await until(lambda: "attempt.ignores_stop" in team.world.emitted.names())
    assert team.replaced == 0
    await until(team.runner.last_words)
    assert team.runner.last_words()[0].target == "cancelled"
    assert team.replaced == 1


async def test_lost_attempts_record_nothing(team: Team) -> None:
    """When others have ended our session, what runs here is stopped and its outcome is dropped."""
    id_ = await team.start("demo")
    await until(lambda: runs)
    team.runner.lose_all()
    await until(lambda: not team.runner.busy)
    assert (await team.world.task(id_)).status == "running"
    assert "attempt.lease_lost" in team.world.emitted.names()


async def test_a_busy_database_at_the_start_costs_no_retry(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that cannot read its recorded steps waits for them; it neither fails nor begins without."""
    monkeypatch.setattr("duly.execute.attempt.RETRY_SECONDS", (0.001, 0.001))
    read, refusals = team.world.database.read, [1, 2, 3]

    async def refuse(query: Any, *args: Any) -> Any:
        if query is recall.remembered and refusals:
            refusals.pop()
            raise NotReady("locked")
        return await read(query, *args)

    id_ = await team.world.submit()
    first = await team.world.claim()
    await team.world.finish(first, Status.PENDING, event=EventType.HANDED_BACK)
    monkeypatch.setattr(team.world.database, "read", refuse)
    team.runner.start([await team.world.claim()])
    await until(lambda: runs == [id_])
    assert refusals == []


async def test_a_database_that_refuses_outcomes_is_not_asked_without_pause(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it: each try waits longer, and the task ends with what could be kept."""
    pauses = (0.00101, 0.00102, 0.00103)
    monkeypatch.setattr("duly.execute.attempt.RETRY_SECONDS", pauses)
    write, sleep = team.world.database.write, asyncio.sleep
    refusals, slept = [1, 2], []
    error = DulyError("the database refused", code="refused_by_database")

    async def refuse(verb: Any, item: Any, **more: Any) -> Any:
        if verb is finish and refusals:
            refusals.pop()
            raise error
        return await write(verb, item, **more)

    async def pause(seconds: float) -> None:
        slept.extend([seconds] if seconds in pauses else [])
        await sleep(seconds)

    id_ = await team.start("demo")
    await until(lambda: runs == [id_])
    monkeypatch.setattr(team.world.database, "write", refuse)
    monkeypatch.setattr(team.world.database, "post", lambda _verb, _item, told: told(error))
    monkeypatch.setattr("duly.execute.attempt.asyncio.sleep", pause)
    next(iter(team.runner._attempts)).cancel()
    await until(lambda: not team.runner.busy)
    assert slept == list(pauses)
    task = await team.world.task(id_)
    assert (task.status, task.error_code) == ("failed", "refused_by_database")


async def test_a_cancel_before_the_first_line_is_in_time(team: Team) -> None:
    """A thread that was cancelled before it began does not begin: it could not be stopped afterwards."""
    id_ = await team.world.submit(task_type="plain")
    claimed = await team.world.claim(task_type="plain")
    team.runner.start([claimed])
    next(iter(team.runner._attempts)).cancel()
    await until(lambda: not team.runner.busy)
    assert runs == []
    assert (await team.world.task(id_)).status == "cancelled"
