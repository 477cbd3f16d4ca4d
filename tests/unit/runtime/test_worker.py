"""A worker as a whole, in this process: well or unwell, and what it tells its parent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from duly import Context, Duly, Snooze
from duly.claim import pruner
from duly.claim.poller import Role
from duly.model.errors import NotReady, SchemaOutdated
from duly.runtime import child, worker
from duly.runtime.child import Child, patiently, run_to_end
from duly.runtime.pulse import Pulse
from duly.runtime.worker import Worker
from duly.store import claims, lists
from duly.testing import Harness, harness
from support.cluster import until

duly = Duly()


@duly.task("waits")
async def waits(ctx: Context) -> None:
    await asyncio.Event().wait()


@duly.task("quick")
async def quick(ctx: Context) -> None: ...


class Gate:
    """What holds the first attempt of `again`."""

    open = asyncio.Event()


@duly.task("again")
async def again(ctx: Context) -> int:
    if ctx.attempt == 1:
        await Gate.open.wait()
        raise Snooze(0)
    return ctx.attempt


@pytest.fixture
async def one() -> AsyncIterator[Harness]:
    async with harness(duly, poll=0.01, renew=0.01) as made:
        yield made


async def test_a_worker_that_cannot_claim_is_unready_and_recovers(one: Harness, monkeypatch: Any) -> None:
    """It says which loop fails, keeps trying, and does the work when the database is back."""
    write, broken = one.app.database.write, True

    async def refuse(verb: Any, item: Any, **options: Any) -> Any:
        if broken and verb is claims.claim:
            raise NotReady("database is locked")
        return await write(verb, item, **options)

    monkeypatch.setattr(one.app.database, "write", refuse)
    task = await one.submit("quick")
    await one.worker.start()
    assert one.worker.ready == (True, "ok")
    await until(lambda: not one.worker.ready[0])
    assert one.worker.ready == (False, "failing: claim")
    broken = False
    await until(lambda: one.worker.ready[0])
    assert (await one.app.client.wait(task.id, 5)).status == "completed"


async def test_a_worker_deletes_by_itself_what_was_kept_long_enough(
    one: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch after batch, without anybody asking; the quarantine child does not."""
    monkeypatch.setattr(pruner, "BATCH", 2)
    monkeypatch.setattr(worker, "PRUNE_PAUSE", 0.01)
    ids = [(await one.submit("quick")).id for _ in range(5)]
    await one.run_until_idle()
    one.clock.advance(30 * 86_400)
    one.worker = Worker(one.app)
    await one.worker.start()

    async def gone() -> bool:
        return not await one.app.database.read(lists.page, lists.Filter())

    await until(gone)
    assert len(ids) == 5
    assert "prune" not in [loop.name for loop in Worker(one.app, role=Role.QUARANTINE)._loops]


async def test_a_stop_does_not_tear_a_claim(one: Harness, monkeypatch: Any) -> None:
    """A drain that begins while a claim is on its way hands back what it brings; nothing is left behind."""
    write, claiming, go_on = one.app.database.write, asyncio.Event(), asyncio.Event()

    async def hold(verb: Any, item: Any, **options: Any) -> Any:
        answer = await write(verb, item, **options)
        if verb is claims.claim:
            claiming.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(one.app.database, "write", hold)
    task = await one.submit("waits")
    await one.worker.start()
    await claiming.wait()
    drain = asyncio.create_task(one.worker.drain(0))
    await asyncio.sleep(0)
    go_on.set()
    await drain
    assert [event.type for event in await one.events(task.id)] == ["accepted", "started", "handed_back"]


async def test_the_parent_is_told_before_a_handler_begins(one: Harness) -> None:
    """A handler may block the loop in its first line: its timeout is known to the parent by then."""
    told: list[float] = []
    worker = Worker(one.app, supervised=lambda _: None, pulse=told.append)
    await one.submit("waits", timeout=100)
    await one.submit("waits", timeout=50)
    assert await worker.claim() == 2
    assert len(told) == 1
    assert 49 < told[0] <= 50
    await worker.drain(0)
    await worker.stop()


async def test_a_pulse_is_told_when_it_changes_and_at_every_tick() -> None:
    """Claims by the hundred are not messages by the hundred."""
    ends_by: list[float | None] = [None]
    told: list[float] = []
    pulse = Pulse(lambda: ends_by[0], told.append)
    await pulse.tick()
    assert told == [0.0]
    ends_by[0] = asyncio.get_running_loop().time() + 100
    for _ in range(100):
        pulse.begun()
    assert len(told) == 2
    ends_by[0] -= 50
    pulse.begun()
    await pulse.tick()
    assert [round(seconds) for seconds in told] == [0, 100, 50, 50]


def test_the_loop_survives_an_exit() -> None:
    """SystemExit of one task is that task's; the others go on, and the end is the end of the main one."""

    async def leave() -> None:
        raise SystemExit(3)

    async def main() -> int:
        lost = asyncio.create_task(leave())
        await asyncio.wait([lost])
        assert isinstance(lost.exception(), SystemExit)
        return 7

    assert run_to_end(main()) == 7


def test_an_exit_of_the_main_task_is_an_exit() -> None:
    """What the child itself raises is not swallowed."""

    async def main() -> int:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_to_end(main())


async def test_what_the_parent_says_of_suspects_makes_the_child_look() -> None:
    """It comes on the pipe's thread, and the loop looks."""
    looks = asyncio.Event()
    played = Child.__new__(Child)
    played._worker = SimpleNamespace(look=looks.set)  # type: ignore[assignment]
    played._loop = asyncio.get_running_loop()
    await asyncio.to_thread(played._on_message, {"suspects": True})
    async with asyncio.timeout(5):
        await looks.wait()


class Start:
    """A start that meets these errors first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0

    async def __call__(self) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "START_PAUSE", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_start_waits_for_a_database_that_restarts() -> None:
    """Another process would have to begin with its imports, and what the one before held waits."""
    start = Start(NotReady("connection refused"), NotReady("it recovers"))
    await patiently(start)
    assert start.tries == 3


@pytest.mark.usefixtures("at_once")
async def test_a_start_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor at all for a schema that this version does not know."""
    with pytest.raises(SchemaOutdated):
        await patiently(Start(SchemaOutdated("run duly db upgrade")))
    monkeypatch.setattr(child, "START_SECONDS", 0.0)
    with pytest.raises(NotReady):
        await patiently(Start(NotReady("connection refused")))


async def test_until_idle_goes_on_when_a_claim_has_not_seen_all(
    one: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim looks at so many tasks that find no room, and starts none; behind them some would."""
    claim, blind = one.worker.claim, []

    async def short_sighted() -> int:
        if len(blind) < 3:
            blind.append(0)
            one.worker.poller.again = True
            return 0
        return await claim()

    monkeypatch.setattr(one.worker, "claim", short_sighted)
    task = await one.submit("quick")
    await one.run_until_idle()
    assert len(blind) == 3
    await one.assert_completed(task.id)


async def test_until_idle_looks_again_for_what_has_become_due_while_it_asked(
    one: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task ends behind the back of a claim that found nothing, and is due again: nothing runs at that
    moment, and all is not done."""
    claim, ended = one.worker.claim, []
    monkeypatch.setattr(Gate, "open", asyncio.Event())

    async def slow() -> int:
        begun = await claim()
        if not begun and one.worker.runner.busy and not Gate.open.is_set():
            Gate.open.set()
            await until(lambda: not one.worker.runner.busy)
            ended.append(begun)
        return begun

    monkeypatch.setattr(one.worker, "claim", slow)
    task = await one.submit("again")
    await one.run_until_idle()
    assert ended == [0]
    assert await one.assert_completed(task.id) == 2
