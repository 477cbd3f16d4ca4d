"""A chain of targets: the next is taken when one refuses, is gone, is too late or has had its tries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from duly.deliver.channel import Capabilities, Reply
from duly.deliver.outbox import Outbox
from duly.deliver.render import webhook_body
from duly.model.delivery import Outcome
from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.model.task import Target, Task
from duly.store import claims, deliveries, inbox, submissions
from duly.store.deliveries import Delivery
from duly.submit.targets import target
from support.receiver import Answer, Receiver
from support.world import World, send_all

MakeOutbox = Callable[..., Outbox]
INBOX = Target(channel="inbox")


def chain(*places: Target) -> Target:
    return Target(channel="first_of", first_of=places)


def hook(receiver: Receiver, **terms: Any) -> Target:
    return Target(channel="webhook", url=receiver.url, **terms)


async def lines(world: World) -> int:
    return len(await world.database.read(inbox.page, "", "ann"))


async def test_the_first_that_takes_it_is_the_only_one(world: World, outbox: Outbox) -> None:
    """The others get nothing."""
    async with Receiver() as first:
        id_ = await world.ended(chain(hook(first), INBOX), owner="ann")
        assert await send_all(outbox) == 1
        assert await send_all(outbox) == 0
    row = await world.delivery(id_)
    assert (row["status"], row["channel"], row["step"]) == ("delivered", "webhook", 0)
    assert (len(first.requests), await lines(world)) == (1, 0)


@pytest.mark.parametrize(
    ("status", "tries", "sends"),
    [
        pytest.param(410, None, 1, id="gone"),
        pytest.param(500, 1, 1, id="one try"),
        pytest.param(500, 3, 3, id="three tries"),
    ],
)
async def test_the_next_is_taken(
    world: World, outbox: Outbox, status: int, tries: int | None, sends: int
) -> None:
    """When one is gone or has had its tries; the log tells of all sends, and of which channel."""
    async with Receiver(always=Answer(status=status)) as first:
        id_ = await world.ended(chain(hook(first, tries=tries), INBOX), owner="ann")
        for _ in range(sends + 1):
            await send_all(outbox)
            world.clock.advance(400)
    row = await world.delivery(id_)
    assert (row["status"], row["channel"], row["step"]) == ("delivered", "inbox", 1)
    assert (len(first.requests), await lines(world)) == (sends, 1)
    assert [one["channel"] for one in json.loads(row["log"])] == ["webhook"] * sends + ["inbox"]


async def test_a_target_that_is_too_late_is_not_tried(world: World, outbox: Outbox) -> None:
    """A reply token whose time is over is passed by; so it is before a retry that would come too late."""
    now = world.clock.ms
    async with Receiver() as over, Receiver(always=Answer(status=500)) as soon_over:
        id_ = await world.ended(
            chain(hook(over, valid_until=now), hook(soon_over, valid_until=now + 2000), INBOX), owner="ann"
        )
        for _ in range(3):
            await send_all(outbox)
    assert (len(over.requests), len(soon_over.requests), await lines(world)) == (0, 1, 1)
    outcomes = [one["outcome"] for one in json.loads((await world.delivery(id_))["log"])]
    assert outcomes == ["route_dead", "retry", "sent"]


async def test_the_last_ones_failure_is_the_end(world: World, outbox: Outbox) -> None:
    """When all have refused, the delivery is dead."""
    async with Receiver(always=Answer(status=410)) as first, Receiver(always=Answer(status=410)) as second:
        id_ = await world.ended(chain(hook(first), hook(second)))
        await send_all(outbox)
        await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["outcome"], row["step"]) == ("dead", "route_dead", 1)


async def test_each_has_a_schedule_of_its_own(world: World, outbox: Outbox) -> None:
    """The second's first retry comes after five seconds, however often the first was tried."""
    async with Receiver(*[Answer(status=500)] * 2) as first, Receiver(Answer(status=500)) as second:
        id_ = await world.ended(chain(hook(first, tries=2), hook(second)))
        for wait in (0, 6, 0, 6):
            world.clock.advance(wait)
            assert await send_all(outbox) == 1
    row = await world.delivery(id_)
    assert (row["status"], row["attempt"], row["began"]) == ("delivered", 4, 2)


async def test_a_crash_between_two_targets_loses_nothing(world: World, make_outbox: MakeOutbox) -> None:
    """A sender that dies after it sent, before it recorded that, is followed by one that goes on there."""
    await world.session("w1")
    await world.session("w2")
    async with Receiver(Answer(status=410)) as first:
        id_ = await world.ended(chain(hook(first), INBOX), owner="ann")
        await send_all(make_outbox("w1"))
        await world.database.write_many(deliveries.claim_deliveries, [("w1", 5)])
        await world.database.write(claims.rescue, {"w1": None})
        await send_all(make_outbox("w2"))
    row = await world.delivery(id_)
    assert (row["status"], row["channel"], await lines(world)) == ("delivered", "inbox", 1)


async def test_a_second_end_begins_with_the_first_target(world: World, outbox: Outbox) -> None:
    """After an operator's retry the chain is gone through from its beginning."""
    async with Receiver(Answer(status=410)) as first:
        id_ = await world.ended(chain(hook(first), INBOX), owner="ann", target=Status.FAILED, error="no")
        await send_all(outbox)
        await send_all(outbox)
        await world.database.write(submissions.retry, id_)
        await world.finish(await world.claim())
        await send_all(outbox)
    rows = await world.deliveries(id_)
    assert [(row["status"], row["channel"]) for row in rows] == [
        ("delivered", "inbox"),
        ("delivered", "webhook"),
    ]


class Narrow:
    """A channel that takes little, and only for a while."""

    def __init__(self, **can: Any) -> None:
        self.capabilities = Capabilities(**can)
        self.sent = 0

    def render(self, task: Task) -> str:
        return webhook_body(task)

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:
        self.sent += 1
        return Reply(ok=True)


@pytest.mark.parametrize(
    ("can", "outcome"),
    [({"max_body": 10}, Outcome.REJECTED), ({"reply_window": 0.0}, Outcome.ROUTE_DEAD)],
)
async def test_what_a_channel_cannot_do_is_not_asked_of_it(
    world: World, make_outbox: MakeOutbox, can: dict[str, Any], outcome: Outcome
) -> None:
    """A body that is too long, an answer that comes too late: the next target is taken at once."""
    await world.session()
    channel = Narrow(**can)
    outbox = make_outbox(webhook=channel)
    id_ = await world.ended(chain(Target(channel="webhook", url="http://a"), INBOX), owner="ann")
    await send_all(outbox)
    await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["channel"], channel.sent) == ("inbox", 0)
    assert json.loads(row["log"])[0]["outcome"] == outcome


@pytest.mark.parametrize(
    "given",
    [
        {"first_of": []},
        {"first_of": "inbox"},
        {"first_of": ["inbox"], "tries": 1},
        {"first_of": [{"first_of": ["inbox"]}]},
        {"first_of": ["inbox"] * 11},
        {"channel": "first_of"},
        {"channel": "inbox", "tries": 0},
        {"channel": "inbox", "tries": "1"},
        {"channel": "inbox", "tries": True},
        {"channel": "endpoint"},
        {"channel": "endpoint", "id": 5},
        {"channel": "webhook"},
        {"url": "http://a/"},
        5,
    ],
)
def test_a_target_that_makes_no_sense_is_refused(given: Any) -> None:
    """In words."""
    with pytest.raises(InvalidInput, match="deliver: "):
        target(given, lambda _: None)
