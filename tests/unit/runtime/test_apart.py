"""Who takes suspects, the tasks under which workers died, and who lets them be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from duly import Context, Duly
from duly.claim.poller import Poller, Role
from duly.claim.rescue import Rescuer
from duly.model.errors import NotReady
from duly.model.task import Claimed
from duly.runtime.worker import Worker
from duly.store import claims, lists, sessions
from duly.testing import Harness, harness
from support.cluster import until
from support.world import World

duly = Duly()
gates: dict[str, asyncio.Event] = {}


@duly.task("demo")
async def demo(ctx: Context) -> None: ...


@duly.task("waits")
async def waits(ctx: Context, until: str = "never") -> None:
    await gates.setdefault(until, asyncio.Event()).wait()


class Room:
    """A worker's slots, and what runs in them."""

    def __init__(self, free: int = 100) -> None:
        self.slots = free
        self.running: list[Claimed] = []

    def free(self, lane: str) -> int:
        return self.slots - len(self.running) if lane == "loop" else 0

    def start(self, claimed: Sequence[Claimed]) -> None:
        self.running += claimed

    def shares(self) -> tuple[int, ...]:
        return tuple(one.suspect for one in self.running)


def make_poller(world: World, room: Room, role: Role) -> Poller:
    return Poller(
        world.database,
        duly.registry,
        ("default",),
        free=room.free,
        start=room.start,
        role=role,
        shares=room.shares,
    )


async def suspects(world: World, count: int, task_type: str = "demo") -> None:
    """So many tasks that ran together in two processes when those died."""
    ids = [await world.submit(task_type=task_type) for _ in range(count)]
    for session in (f"first of {ids[0]}", f"second of {ids[0]}"):
        await world.session(session)
        for _ in ids:
            await world.claim(session, task_type)
        await world.rescue(session)


@pytest.mark.parametrize(("role", "ordinary", "suspected"), [(Role.ORDINARY, 3, 0), (Role.QUARANTINE, 0, 2)])
async def test_each_role_takes_its_own(world: World, role: Role, ordinary: int, suspected: int) -> None:
    """An ordinary worker never a suspect, a quarantine nothing else."""
    await world.session()
    await suspects(world, 16)
    for _ in range(3):
        await world.submit()
    room = Room()
    await make_poller(world, room, role).tick("w1")
    assert [one.suspect > 0 for one in room.running].count(False) == ordinary
    assert [one.suspect > 0 for one in room.running].count(True) == suspected


async def test_a_quarantine_fills_up_as_far_as_all_in_it_allow(world: World) -> None:
    """When one has ended the next may come; no more than before."""
    await world.session()
    await suspects(world, 16)
    room = Room()
    poller = make_poller(world, room, Role.QUARANTINE)
    assert [await poller.tick("w1") for _ in range(3)] == [2, 0, 0]
    await world.finish(room.running.pop())
    assert [await poller.tick("w1") for _ in range(3)] == [1, 0, 0]


async def test_a_quarantine_looks_whenever_it_is_told_to(world: World) -> None:
    """However many hints came before: there is nothing else that a look could be in the way of."""
    await world.session()
    room = Room()
    poller = make_poller(world, room, Role.QUARANTINE)
    poller.expect()
    assert await poller.tick("w1") == 0
    await suspects(world, 1)
    assert await poller.tick("w1") == 1


async def test_a_worker_that_is_alone_runs_suspects_by_themselves(world: World) -> None:
    """Only when nothing else runs in it, and then nothing else until they have ended."""
    await world.session()
    await world.submit()
    room = Room()
    poller = make_poller(world, room, Role.ALONE)
    assert await poller.tick("w1") == 1
    await suspects(world, 2)
    await world.submit()
    assert await poller.tick("w1") == 1
    assert room.shares() == (0, 0)
    await world.submit()
    for one in room.running:
        await world.finish(one)
    room.running.clear()
    for _ in range(2):
        assert await poller.tick("w1") == 1
        assert room.shares() == (1,)
        assert await poller.tick("w1") == 0
        await world.finish(room.running.pop())
    assert await poller.tick("w1") == 1
    assert room.shares() == (0,)


async def test_suspects_that_cannot_be_run_here_are_not_told_of(world: World) -> None:
    """A quarantine child for a type that nobody here knows would be started for nothing, again and again."""
    poller = make_poller(world, Room(), Role.ORDINARY)
    assert not await poller.suspects_wait()
    await suspects(world, 1, "somebody.elses")
    assert not await poller.suspects_wait()
    await suspects(world, 1)
    assert await poller.suspects_wait()


async def test_a_full_worker_tells_of_suspects_too(world: World) -> None:
    """The quarantine child has slots of its own."""
    await suspects(world, 1)
    assert await make_poller(world, Room(free=0), Role.ORDINARY).suspects_wait()


async def test_a_rescuer_leaves_its_sibling_alone(world: World) -> None:
    """After the host slept both leases look over; the parent renews them in a moment."""
    await world.session("w1")
    await world.session("w2")
    await world.submit()
    await world.claim("w2")
    rescuer = Rescuer(world.database, emit=world.emitted, own=lambda: "w1")
    rescuer.sibling = "w2"
    world.clock.advance(60)
    assert await rescuer.tick() == 0
    rescuer.sibling = None
    assert await rescuer.tick() == 1


@pytest.fixture
async def one() -> AsyncIterator[Harness]:
    async with harness(duly, poll=0.01, sweep=0.01) as made:
        yield made
    gates.clear()


async def lose(
    one: Harness, task_type: str = "demo", count: int = 1, deaths: int = 2, **options: Any
) -> list[str]:
    """So many tasks that ran together in each of some processes that died; after two they are suspects."""
    ids = [(await one.submit(task_type, options)).id for _ in range(count)]
    write = one.app.database.write
    lane = claims.Lane(types=(task_type,), free=count)
    for session in [f"doomed{number}" for number in range(deaths)]:
        await write(sessions.start, sessions.Session(id=session, host="h", pid=1, queues=("default",)))
        request = claims.ClaimRequest(session=session, queues=("default",), lanes=(lane,))
        assert len(await write(claims.claim, request)) == count
        await write(claims.rescue, {session: None})
    return ids


async def test_a_harness_runs_suspects_like_all_else(one: Harness) -> None:
    """It has no parent that could start a quarantine child."""
    ids = await lose(one, count=3)
    await one.run_until_idle()
    for id_ in ids:
        await one.assert_completed(id_)


async def test_an_ordinary_worker_tells_its_parent_of_suspects(one: Harness) -> None:
    """At its sweep; and leaves them."""
    told = asyncio.Event()
    [id_] = await lose(one)
    worker = Worker(one.app, role=Role.ORDINARY, suspects=told.set)
    await worker.start()
    async with asyncio.timeout(5):
        await told.wait()
    assert (await one.task(id_)).status == "pending"
    await worker.drain(0)
    await worker.stop()


async def test_a_quarantine_worker_ends_when_it_has_nothing_to_do(one: Harness) -> None:
    """Not while a suspect runs in it."""
    await lose(one, "waits", until="told")
    worker = Worker(one.app, role=Role.QUARANTINE)
    await worker.start()
    clear = asyncio.create_task(worker.until_clear(0.05))
    await until(lambda: worker.runner.busy)
    done, _ = await asyncio.wait({clear}, timeout=0.2)
    assert not done
    gates["told"].set()
    async with asyncio.timeout(5):
        await clear
    assert not worker.runner.busy
    await worker.drain(0)
    await worker.stop()


@pytest.mark.parametrize("role", [Role.QUARANTINE, Role.ALONE])
async def test_news_while_a_suspect_runs_are_no_reason_to_ask_again_and_again(
    one: Harness, role: Role
) -> None:
    """There is no room beside it until it has ended; asking all the time would take its processor."""
    await lose(one, "waits")
    worker = Worker(one.app, role=role)
    assert await worker.claim() == 1
    worker.poller.expect()
    assert await worker.claim() == 0
    assert not worker._claims.hinted
    worker.runner.lose_all()


async def test_a_quarantine_worker_sends_and_rescues_nothing(one: Harness) -> None:
    """A task that kills it would tear that down too."""
    worker = Worker(one.app, role=Role.QUARANTINE)
    assert {loop.name for loop in worker._loops} == {"claim", "cancel", "renew", "beat"}


async def test_a_drain_says_that_this_end_is_nobodys_fault(one: Harness) -> None:
    """Whatever kills the process before it has drained, it is not the second death of its tasks."""
    [id_] = await lose(one, "waits", deaths=1)
    worker = Worker(one.app, role=Role.ORDINARY)
    assert await worker.claim() == 1
    session = await worker.session.current()
    draining = asyncio.create_task(worker.drain(60))

    async def said() -> bool:
        rows = await one.app.database.read(lists.living_workers)
        return [row["held"] for row in rows if row["id"] == session] == [0]

    await until(said)
    await one.app.database.write(claims.rescue, {session: None})
    assert ((await one.task(id_)).status, (await one.task(id_)).suspect) == ("pending", 0)
    worker.runner.lose_all()
    await draining


async def test_a_drain_does_not_depend_on_the_database(one: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """When that is busy the worker drains all the same."""

    async def refuse(*_: Any, **__: Any) -> Any:
        raise NotReady("database is locked")

    worker = Worker(one.app, role=Role.ORDINARY)
    await worker.session.current()
    monkeypatch.setattr(one.app.database, "write", refuse)
    async with asyncio.timeout(5):
        await worker.drain(0)
