"""What each way a receiver can behave comes to; by sockets, not by doubles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from duly.deliver.outbox import Outbox
from duly.deliver.post import Poster
from duly.model.delivery import Outcome
from duly.model.task import Target
from support.odd_receiver import Behave, answering, close_early, endless, hang, odd_receiver, reset
from support.world import World, send_all

SENT, RETRY, UNKNOWN, ROUTE_DEAD = Outcome.SENT, Outcome.RETRY, Outcome.UNKNOWN, Outcome.ROUTE_DEAD
SECONDS = 1.0


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    """One that waits a second at most, in place of fifteen."""
    poster = Poster(private=True, total=SECONDS)
    await poster.post("http://127.0.0.1:9/", b"", {})  # its client is made by the first send
    yield poster
    await poster.close()


@pytest.mark.parametrize(
    ("behave", "outcome", "code"),
    [
        pytest.param(reset, UNKNOWN, None, id="resets after reading"),
        pytest.param(close_early, UNKNOWN, None, id="closes after reading"),
        pytest.param(hang, UNKNOWN, None, id="hangs"),
        pytest.param(answering(200), SENT, 200, id="200"),
        pytest.param(answering(204), SENT, 204, id="204"),
        pytest.param(answering(301, "location: http://127.0.0.1:1/"), RETRY, 301, id="301"),
        pytest.param(answering(400), RETRY, 400, id="400"),
        pytest.param(answering(410), ROUTE_DEAD, 410, id="410"),
        pytest.param(answering(429, "retry-after: 7"), RETRY, 429, id="429"),
        pytest.param(answering(500), RETRY, 500, id="500"),
        pytest.param(endless(200), SENT, 200, id="200 and a gigabyte"),
        pytest.param(endless(500), RETRY, 500, id="500 and a gigabyte"),
    ],
)
async def test_a_receivers_behaviour_has_its_outcome(
    poster: Poster, behave: Behave, outcome: Outcome, code: int | None
) -> None:
    """Only an answer of 2xx is a success; without an answer nobody knows."""
    async with odd_receiver(behave) as url:
        reply = await poster.post(url, b"{}", {})
    assert (reply.outcome, reply.code, reply.ok) == (outcome, code, outcome is SENT)
    assert reply.final is (outcome is ROUTE_DEAD)
    assert reply.retry_after == (7.0 if code == 429 else None)
    assert len(reply.error or "") < 300


async def test_who_cannot_be_reached_has_not_got_it(poster: Poster) -> None:
    """A refused connection is no unknown outcome."""
    async with odd_receiver(hang) as url:
        pass
    assert (await poster.post(url, b"{}", {})).outcome is RETRY


async def test_a_forbidden_address_is_a_refusal(poster: Poster) -> None:
    """And is not tried again."""
    reply = await poster.post("http://169.254.169.254/", b"{}", {})
    assert (reply.outcome, reply.final) == (Outcome.REJECTED, True)


async def test_an_unknown_outcome_is_told_and_sent_again(world: World, outbox: Outbox) -> None:
    """It stands in the log as such, is not delivered, and goes out by the schedule with the same id."""
    async with odd_receiver(reset) as url:
        id_ = await world.ended(Target(channel="webhook", url=url))
        await send_all(outbox)
        row = await world.delivery(id_)
        assert (row["status"], row["outcome"], row["delivered_at"]) == ("pending", "unknown", None)
        world.clock.advance(6)
        await send_all(outbox)
    row = await world.delivery(id_)
    assert [one["outcome"] for one in json.loads(row["log"])] == ["unknown", "unknown"]
    assert (row["attempt"], row["status"]) == (2, "pending")


async def test_retry_after_wins(world: World, outbox: Outbox) -> None:
    """A receiver that asks for a longer pause than the schedule's gets it, up to a day."""
    async with odd_receiver(answering(429, "retry-after: 100")) as url:
        await world.ended(Target(channel="webhook", url=url))
        await send_all(outbox)
        world.clock.advance(99)
        assert await send_all(outbox) == 0
        world.clock.advance(2)
        assert await send_all(outbox) == 1
    async with odd_receiver(answering(503, "retry-after: 99999999")) as url:
        id_ = await world.ended(Target(channel="webhook", url=url))
        await send_all(outbox)
    assert (await world.delivery(id_))["due_at"] - world.clock.ms <= 86_400_000
