"""The outbox sends what is owed until it is delivered or dead, each delivery on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from duly.deliver.channel import Capabilities, Reply
from duly.deliver.outbox import IN_FLIGHT, Outbox
from duly.deliver.render import webhook_body
from duly.deliver.schedule import SCHEDULE
from duly.model.state import Status
from duly.model.task import Target, Task
from duly.store import claims, sessions, submissions
from duly.store.deliveries import Delivery, claim_deliveries
from duly.store.transaction import Transaction
from support.receiver import Answer, Receiver
from support.world import World, send_all

MakeOutbox = Callable[..., Outbox]


def hook(receiver: Receiver, path: str = "/hook") -> Target:
    return Target(channel="webhook", url=f"http://127.0.0.1:{receiver.port}{path}")


class Scripted:
    """A channel that answers by script, then ok; `gate` holds every send."""

    capabilities = Capabilities()

    def __init__(self, *script: Reply | Exception, gate: asyncio.Event | None = None) -> None:
        self._script = list(script)
        self._gate = gate
        self.bodies: list[tuple[str, str]] = []
        self.called = asyncio.Event()

    def render(self, task: Task) -> str:
        return webhook_body(task)

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:
        self.bodies.append((delivery.id, body))
        self.called.set()
        if self._gate is not None:
            await self._gate.wait()
        answer = self._script.pop(0) if self._script else Reply(ok=True)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_an_ended_task_is_told_to_its_webhook(world: World, outbox: Outbox) -> None:
    """A delivery is sent once its task has ended, and is then delivered."""
    async with Receiver() as receiver:
        id_ = await world.ended(hook(receiver))
        assert await send_all(outbox) == 1
    row = await world.delivery(id_)
    assert (row["status"], row["last_code"], row["attempt"]) == ("delivered", 200, 1)
    assert receiver.requests[0].json["data"]["id"] == id_


async def test_nothing_is_owed_before_the_end(world: World, outbox: Outbox) -> None:
    """While its task runs a delivery is held."""
    async with Receiver() as receiver:
        await world.submit(hook(receiver))
        await world.claim()
        assert await send_all(outbox) == 0
    assert receiver.requests == []


async def test_every_send_has_the_same_id_and_the_same_bytes(
    world: World, outbox: Outbox, secret: str
) -> None:
    """Across retries the id and the body stay, the timestamp is fresh, and the signature fits it."""
    async with Receiver(Answer(status=500), Answer(status=503)) as receiver:
        id_ = await world.ended(hook(receiver))
        for wait in (0, 6, 331):
            world.clock.advance(wait)
            await send_all(outbox)
    requests = receiver.requests
    assert len(requests) == 3
    assert len({one.body for one in requests}) == len({one.headers["webhook-id"] for one in requests}) == 1
    assert len({one.headers["webhook-timestamp"] for one in requests}) == 3
    requests[0].verify(secret)
    assert requests[0].headers["webhook-id"] == (await world.delivery(id_))["id"]


async def test_the_body_is_that_of_the_first_send(world: World, make_outbox: MakeOutbox) -> None:
    """A task that was given another run in between does not change what a retry says."""
    await world.session()
    channel = Scripted(Reply(ok=False))
    outbox = make_outbox(webhook=channel)
    id_ = await world.ended(Target(channel="webhook", url="http://a"), target=Status.FAILED, error="no")
    await send_all(outbox)
    await world.database.write(submissions.retry, id_)
    world.clock.advance(6)
    await send_all(outbox)
    assert len(channel.bodies) == 2
    assert channel.bodies[0] == channel.bodies[1]


async def test_the_schedule_is_kept_and_then_the_delivery_is_dead(
    world: World, make_outbox: MakeOutbox
) -> None:
    """Ten sends, each not before its time and due when it has passed; then dead with the last error."""
    await world.session()
    channel = Scripted(*[Reply(ok=False, code=500, error="no") for _ in SCHEDULE])
    outbox = make_outbox(webhook=channel)
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    await send_all(outbox)
    for number, seconds in enumerate(SCHEDULE[1:], start=1):
        world.clock.advance(seconds * 0.89)
        assert await send_all(outbox) == 0, f"send {number + 1} came early"
        world.clock.advance(seconds * 0.22)
        assert await send_all(outbox) == 1, f"send {number + 1} came late"
    row = await world.delivery(id_)
    assert (row["status"], row["attempt"], row["last_error"]) == ("dead", 10, "no")
    assert "delivery.dead" in world.emitted.names()
    world.clock.advance(10 * 86_400)
    assert await send_all(outbox) == 0


async def test_410_ends_a_delivery_at_once(world: World, outbox: Outbox) -> None:
    """A receiver that is gone for good is not called again."""
    async with Receiver(Answer(status=410)) as receiver:
        id_ = await world.ended(hook(receiver))
        await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["last_code"]) == ("dead", 410)


@pytest.mark.parametrize(("asked", "waits"), [("120", 120), ("999999999999", 86_400)])
async def test_retry_after_is_kept_up_to_a_day(world: World, outbox: Outbox, asked: str, waits: int) -> None:
    """A receiver's Retry-After delays the next send, by a day at most."""
    async with Receiver(Answer(status=429, headers=(("retry-after", asked),))) as receiver:
        await world.ended(hook(receiver))
        await send_all(outbox)
        world.clock.advance(waits - 1)
        assert await send_all(outbox) == 0
        world.clock.advance(1)
        assert await send_all(outbox) == 1


async def test_a_slow_endpoint_holds_up_nobody(world: World, outbox: Outbox) -> None:
    """While one endpoint keeps all its sends waiting, ticks go on and others get theirs."""
    release = asyncio.Event()
    async with Receiver(always=Answer(held=release)) as slow, Receiver() as quick:
        for _ in range(30):
            await world.ended(hook(slow))
        assert await outbox.tick() == 8
        await slow.arrived(8)
        await world.ended(hook(quick))
        assert await outbox.tick() == 1
        await quick.arrived(1)
        release.set()
        await outbox.drain(5)


async def test_no_more_than_twenty_are_in_flight(world: World, make_outbox: MakeOutbox) -> None:
    """Claims stop at the bound, and go on when places are free."""
    await world.session()
    gate = asyncio.Event()
    outbox = make_outbox(webhook=Scripted(gate=gate))
    for number in range(25):
        await world.ended(Target(channel="webhook", url=f"http://host-{number}"))
    assert await outbox.tick() == IN_FLIGHT
    assert await outbox.tick() == 0
    assert outbox.in_flight == IN_FLIGHT
    gate.set()
    await outbox.drain(5)
    assert await send_all(outbox) == 5


async def test_an_unknown_channel_is_dead_with_a_reason(world: World, outbox: Outbox) -> None:
    """A channel this version does not have is said, not tried for days."""
    id_ = await world.ended(Target(channel="inbox"))

    def rename(tx: Transaction, items: Sequence[str]) -> list[None]:
        tx.core.exec_driver_sql("UPDATE delivery SET channel = 'fax'")
        return [None for _ in items]

    await world.database.write(rename, "")
    await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["last_error"]) == ("dead", "there is no channel 'fax'")


async def test_a_delivery_whose_task_runs_again_is_superseded(world: World, make_outbox: MakeOutbox) -> None:
    """An answer that was never rendered and is out of date is not sent; the retry owes a new one."""
    await world.session()
    id_ = await world.ended(Target(channel="inbox"), target=Status.FAILED, error="no")
    channel = Scripted()
    outbox = make_outbox(inbox=channel)
    reading = world.database.read

    async def retried_before_reading(query: Any, *args: Any, **kwargs: Any) -> Any:
        if args == (id_,):
            await world.database.write(submissions.retry, id_)
        return await reading(query, *args, **kwargs)

    world.database.read = retried_before_reading  # type: ignore[method-assign]
    await send_all(outbox)
    world.database.read = reading  # type: ignore[method-assign]
    assert sorted(row["status"] for row in await world.deliveries(id_)) == ["dead", "held"]
    assert channel.bodies == []


async def test_an_exception_in_a_channel_is_a_failed_send(world: World, make_outbox: MakeOutbox) -> None:
    """A channel that breaks is tried again by schedule, and its control characters are not kept."""
    await world.session()
    outbox = make_outbox(webhook=Scripted(RuntimeError("broken\x1b[31m\n\x00\ud800")))
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["last_error"]) == ("pending", "RuntimeError: broken [31m")


async def test_a_dead_sessions_deliveries_are_sent_again(world: World, make_outbox: MakeOutbox) -> None:
    """What was being sent when a worker died goes out again with the same id and body; its late word
    changes nothing."""
    await world.session()
    await world.session("w2")
    gate = asyncio.Event()
    first, second = Scripted(Reply(ok=False, final=True, error="late"), gate=gate), Scripted()
    dying = make_outbox(webhook=first)
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    await dying.tick()
    await first.called.wait()
    world.clock.advance(31)
    await world.database.write(sessions.renew, "w2")
    await world.database.write(claims.rescue, await world.database.read(sessions.expired))
    assert await send_all(make_outbox("w2", webhook=second)) == 1
    gate.set()
    await dying.drain(5)
    assert first.bodies == second.bodies
    row = await world.delivery(id_)
    assert (row["status"], row["attempt"], row["last_error"]) == ("delivered", 2, None)


async def test_a_claim_whose_answer_was_lost_is_owed_again(world: World, make_outbox: MakeOutbox) -> None:
    """The rows stand there as sent by us; nobody here knows of them, and they are sent all the same."""
    await world.session()
    channel = Scripted()
    outbox = make_outbox(webhook=channel)
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    await world.database.write(claim_deliveries, ("w1", 20))
    assert await outbox.reconcile("w1") == 1
    assert await send_all(outbox) == 1
    row = await world.delivery(id_)
    assert (row["status"], row["attempt"], len(channel.bodies)) == ("delivered", 2, 1)


async def test_what_is_being_sent_is_left_alone(world: World, make_outbox: MakeOutbox) -> None:
    """A send takes as long as it takes."""
    await world.session()
    gate = asyncio.Event()
    channel = Scripted(gate=gate)
    outbox = make_outbox(webhook=channel)
    await world.ended(Target(channel="webhook", url="http://a"))
    await outbox.tick()
    await channel.called.wait()
    assert await outbox.reconcile("w1") == 0
    gate.set()
    await outbox.drain(5)
    assert len(channel.bodies) == 1


async def test_a_session_that_has_ended_claims_nothing(world: World, make_outbox: MakeOutbox) -> None:
    """Without a living session nothing is sent, and without any session nothing is asked."""
    await world.session()
    await world.ended(Target(channel="inbox"))
    assert await make_outbox(session=None).tick() == 0
    await world.database.write(claims.rescue, {"w1": None})
    assert await make_outbox().tick() == 0


async def test_a_drain_that_runs_out_leaves_the_rest_owed(world: World, make_outbox: MakeOutbox) -> None:
    """What a drain cuts off is pending at once, for another process."""
    await world.session()
    outbox = make_outbox(webhook=Scripted(gate=asyncio.Event()))
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    await outbox.tick()
    await outbox.drain(0)
    assert outbox.in_flight == 0
    assert (await world.delivery(id_))["status"] == "pending"


async def test_a_cancelled_tick_loses_no_claim(
    world: World, make_outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that is stopped between a claim's commit and its answer leaves nothing claimed and unsent."""
    await world.session()
    outbox = make_outbox(webhook=Scripted())
    id_ = await world.ended(Target(channel="webhook", url="http://a"))
    write = world.database.write

    async def cut_short(verb: Any, item: Any) -> Any:
        answer = await write(verb, item)
        if verb is claim_deliveries:
            tick.cancel()
            await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(world.database, "write", cut_short)
    tick = asyncio.create_task(outbox.tick())
    await asyncio.gather(tick, return_exceptions=True)
    assert tick.cancelled()
    await outbox.drain(5)
    assert (await world.delivery(id_))["status"] == "delivered"


async def test_a_look_that_finds_nothing_commits_nothing(
    world: World, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle tick writes nothing: every commit is a hint to tick again."""
    monkeypatch.setattr(world.database, "write", None)
    assert await outbox.tick() == 0
    assert "outbox.failed" not in world.emitted.names()


async def test_a_database_that_refuses_does_not_break_the_loop(world: World, make_outbox: MakeOutbox) -> None:
    """tick() answers 0 and says why."""
    outbox = make_outbox()
    world.database.close()
    assert await outbox.tick() == 0
    assert world.emitted.names() == ["outbox.failed"]
