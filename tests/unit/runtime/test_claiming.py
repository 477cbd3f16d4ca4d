"""Asking for work: as much as there is room for, without turning in circles, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.claim.poller import Poller, Role
from duly.claim.rescue import Reconciler, Rescuer
from duly.model.errors import SessionEnded
from duly.model.task import Claimed
from duly.store import claims, sessions
from duly.testing import Harness, harness
from support.world import World

duly = Duly()


@duly.task("demo")
async def demo(ctx: Context) -> None: ...


@duly.task("plain")
def plain(ctx: BlockingContext) -> None: ...


@duly.task("apart", isolate=True)
def apart(ctx: BlockingContext) -> None: ...


class Slots:
    """The free slots of a worker, and what was started in them."""

    def __init__(self, **free: int) -> None:
        self.slots = {"loop": 0, "thread": 0, "process": 0, **free}
        self.started: list[Claimed] = []

    def free(self, lane: str) -> int:
        return self.slots[lane]

    def start(self, claimed: Sequence[Claimed]) -> None:
        self.started += claimed
        for one in claimed:
            self.slots[duly.registry[one.task_type].lane] -= 1


def make_poller(world: World, slots: Slots, queues: tuple[str, ...] = ("default",)) -> Poller:
    return Poller(world.database, duly.registry, queues, free=slots.free, start=slots.start)


async def writes(world: World, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often one tick writes."""
    written: list[Any] = []
    write = world.database.write

    async def count(verb: Any, item: Any, **options: Any) -> Any:
        written.append(verb)
        return await write(verb, item, **options)

    monkeypatch.setattr(world.database, "write", count)
    await poller.tick("w1")
    return len(written)


async def test_it_asks_for_exactly_the_free_slots(world: World) -> None:
    """Each lane gets as many tasks as it has room for, whatever waits."""
    await world.session()
    for task_type in ("demo", "plain", "apart"):
        for _ in range(5):
            await world.submit(task_type=task_type)
    slots = Slots(loop=3, thread=2, process=1)
    assert await make_poller(world, slots).tick("w1") == 6
    assert [one.task_type for one in slots.started].count("demo") == 3
    assert slots.slots == {"loop": 0, "thread": 0, "process": 0}


async def test_two_rounds_at_once_do_not_ask_twice(world: World) -> None:
    """A round counts what the round before it started: rounds follow each other."""
    await world.session()
    for _ in range(10):
        await world.submit()
    slots = Slots(loop=3)
    poller = make_poller(world, slots)
    await asyncio.gather(poller.tick("w1"), poller.tick("w1"), poller.tick("w1"))
    assert len(slots.started) == 3


@pytest.mark.parametrize("waits", ["plain", "somebody.elses"])
async def test_what_cannot_be_started_causes_no_commit(
    world: World, waits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit is a hint to look again: a claim that finds nothing must make none, or it never rests."""
    await world.session()
    await world.submit(task_type=waits)
    assert await writes(world, make_poller(world, Slots(loop=3)), monkeypatch) == 0


async def test_an_empty_queue_causes_no_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle worker does not write."""
    await world.session()
    assert await writes(world, make_poller(world, Slots(loop=3)), monkeypatch) == 0


async def test_an_ended_session_claims_nothing(world: World) -> None:
    """Once others have ended its session, a worker is told so and gets no task."""
    await world.session()
    id_ = await world.submit()
    await world.database.write(claims.rescue, {"w1": None})
    with pytest.raises(SessionEnded):
        await make_poller(world, Slots(loop=1)).tick("w1")
    assert (await world.task(id_)).status == "pending"


async def test_a_free_slot_is_news_only_to_who_wanted_more(world: World) -> None:
    """A worker that had room left has seen all there is; one that was full, or had no room, has not."""
    await world.session()
    slots = Slots(loop=1, thread=1, process=1)
    poller = Poller(
        world.database,
        duly.registry,
        ("default",),
        free=slots.free,
        start=slots.start,
        role=Role.ORDINARY,
    )
    hungry = [poller.hungry]
    for free, waiting in ((1, 0), (1, 1), (2, 1), (0, 1), (2, 1)):
        slots.slots["loop"] = free
        for _ in range(waiting):
            await world.submit()
        await poller.tick("w1")
        hungry.append(poller.hungry)
    assert hungry == [True, False, True, False, True, True]


@pytest.mark.parametrize(("waiting", "more"), [(4, True), (3, True), (2, False), (0, False)])
async def test_a_lane_that_got_all_it_asked_for_may_get_more(world: World, waiting: int, more: bool) -> None:
    """Though other lanes have room for what is not there: it asked for a half of its slots, and asks again at
    once rather than with the next poll."""
    await world.session()
    for _ in range(waiting):
        await world.submit()
    poller = make_poller(world, Slots(loop=3, thread=2, process=1))
    await poller.tick("w1")
    assert poller.more == more


async def test_a_slow_look_is_as_old_as_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While claim follows claim one look a second is enough, though a look takes longer than that."""
    await world.session()
    for _ in range(6):
        await world.submit()
    read, looks = world.database.read, list[Any]()

    async def slow(query: Any, *args: Any) -> Any:
        looks.append(query)
        world.clock.advance(1.5)
        return await read(query, *args)

    monkeypatch.setattr(world.database, "read", slow)
    slots = Slots()
    poller = make_poller(world, slots)
    for seconds in (0, 0.5, 0.4, 0.2):
        world.clock.advance(seconds)
        slots.slots["loop"] = 1
        assert await poller.tick("w1") == 1
        looks.append("claimed")
    assert [one if isinstance(one, str) else "look" for one in looks] == [
        *("look", "claimed", "claimed", "claimed"),
        *("look", "claimed"),
    ]


async def test_other_queues_are_left_alone(world: World) -> None:
    """A worker claims from the queues that it serves."""
    await world.session()
    await world.submit(queue="other")
    slots = Slots(loop=1)
    assert await make_poller(world, slots).tick("w1") == 0
    assert await make_poller(world, slots, ("default", "other")).tick("w1") == 1


class Answering:
    """A reconciler's view of a worker: what it holds, and whether a claim is on its way."""

    def __init__(self, world: World) -> None:
        self.held: set[tuple[str, int]] = set()
        self.claiming = False
        self.reconciler = Reconciler(
            world.database, emit=world.emitted, held=lambda: self.held, claiming=lambda: self.claiming
        )


async def test_a_claim_whose_answer_was_lost_is_handed_back(world: World) -> None:
    """Rows that run under our session and that nobody here knows go back, uncharged, and say why."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    assert await Answering(world).reconciler.tick("w1") == 1
    task = await world.task(id_)
    assert (task.status, task.retry_count, task.attempt) == ("pending", 0, 1)
    assert "task.unknown_claim" in world.emitted.names()


async def test_what_is_held_is_never_handed_back(world: World) -> None:
    """A running attempt is not a stranger, and neither is another worker's task."""
    await world.session()
    await world.session("w2")
    mine, other = await world.submit(), await world.submit()
    ours = await world.claim("w1")
    await world.claim("w2")
    answering = Answering(world)
    answering.held = {(ours.id, ours.attempt)}
    assert await answering.reconciler.tick("w1") == 0
    assert {(await world.task(id_)).status for id_ in (mine, other)} == {"running"}


async def test_nothing_is_handed_back_while_a_claim_is_on_its_way(world: World) -> None:
    """Its rows are ours although nothing holds them yet."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    answering = Answering(world)
    answering.claiming = True
    assert await answering.reconciler.tick("w1") == 0
    assert (await world.task(id_)).status == "running"


async def test_a_stranger_that_ends_meanwhile_stays_ended(world: World) -> None:
    """The hand-back is fenced like every other write."""
    await world.session()
    id_ = await world.submit()
    claimed = await world.claim()
    answering = Answering(world)
    read = world.database.read

    async def read_then_finish(*args: Any) -> Any:
        rows = await read(*args)
        await world.finish(claimed)
        return rows

    world.database.read = read_then_finish  # type: ignore[method-assign, assignment]
    await answering.reconciler.tick("w1")
    world.database.read = read  # type: ignore[method-assign]
    assert (await world.task(id_)).status == "completed"


async def test_an_expired_session_gives_its_tasks_back(world: World) -> None:
    """Any process may do it, once the lease is over, and its late finish is refused afterwards."""
    await world.session()
    id_ = await world.submit()
    claimed = await world.claim()
    rescuer = Rescuer(world.database, emit=world.emitted, own=lambda: "w2")
    world.clock.advance(29)
    assert await rescuer.tick() == 0
    world.clock.advance(2)
    assert await rescuer.tick() == 1
    await world.finish(claimed)
    assert (await world.task(id_)).status == "pending"
    assert not await world.database.write(sessions.renew, "w1")


async def test_a_worker_does_not_bury_itself(world: World) -> None:
    """After the host slept, its own sweep may come before its parent renews: who looks is not dead."""
    await world.session("w1")
    id_ = await world.submit()
    await world.claim()
    world.clock.advance(60)
    assert await Rescuer(world.database, emit=world.emitted, own=lambda: "w1").tick() == 0
    assert (await world.task(id_)).status == "running"
    assert await Rescuer(world.database, emit=world.emitted, own=lambda: "w2").tick() == 1


@pytest.fixture
async def one() -> AsyncIterator[Harness]:
    async with harness(duly) as made:
        yield made


async def test_a_lost_claim_reply_is_found_at_the_next_renewal(one: Harness) -> None:
    """A claim that committed but whose answer never came back is handed back and done after all."""
    task = await one.submit("demo")
    write = one.app.database.write

    async def write_and_lose(verb: Any, item: Any, **options: Any) -> Any:
        answer = await write(verb, item, **options)
        if verb is claims.claim:
            raise OSError("the answer was lost")
        return answer

    one.app.database.write = write_and_lose  # type: ignore[method-assign, assignment]
    with pytest.raises(OSError, match="lost"):
        await one.worker.claim()
    one.app.database.write = write  # type: ignore[method-assign]
    assert (await one.task(task.id)).status == "running"
    await one.worker.renew()
    await one.run_until_idle()
    await one.assert_completed(task.id)
    assert (await one.task(task.id)).attempt == 2


async def test_a_session_is_replaced_once_however_many_notice(one: Harness) -> None:
    """The supervisor's word and a refused claim may come together: one new session, not two."""
    session = await one.worker.session.current()
    await one.app.database.write(claims.rescue, {session: None})
    await asyncio.gather(*[one.worker.replace_session(session) for _ in range(3)], one.worker.claim())
    living = await one.app.database.read(sessions.held_by, session)
    opened = await one.app.database.read(lambda tx: tx.run("sessions_expired"))
    assert living == []
    assert opened == []
    assert one.worker.session.id not in (None, session)
