"""An owner's endpoints hear of the ends they asked for, signed and in their form, while they are well."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from duly.deliver.outbox import Outbox
from duly.model.delivery import LOG_MOST, Endpoint
from duly.model.errors import EndpointNotFound, InvalidInput
from duly.model.signing import public_key, signature
from duly.model.state import Status
from duly.model.task import Target
from duly.store import inbox, submissions
from duly.store.delivery_lists import Wanted
from duly.store.endpoints import PATIENCE_MS
from duly.submit.endpoints import Endpoints
from support.receiver import Answer, Received, Receiver
from support.world import World, send_all

MakeEndpoint = Callable[..., Any]


@pytest.fixture
def book(world: World) -> Endpoints:
    """What people ask of endpoints."""
    return Endpoints(world.database, emit=world.emitted)


@pytest.fixture
def add(book: Endpoints) -> MakeEndpoint:
    """`await add(receiver, events=[…])`: an endpoint of ann's."""

    async def make(receiver: Receiver, owner: str = "ann", **words: Any) -> Endpoint:
        secret = {name: words.pop(name) for name in ("secret", "ed25519") if name in words}
        return await book.add("", owner, {"url": receiver.url, **words}, **secret)

    return make


def verified(request: Received, secret: str) -> Any:
    """The body's value, if both libraries accept the signature."""
    SvixWebhook(secret).verify(request.body, request.headers)
    return Webhook(secret).verify(request.body, request.headers)


async def test_an_end_is_told_to_the_owners_endpoints(
    world: World, outbox: Outbox, add: MakeEndpoint
) -> None:
    """Each of them, also one that was added after the task was submitted; both libraries verify it."""
    async with Receiver() as first, Receiver() as second:
        early = await add(first)
        id_ = await world.submit(owner="ann")
        late = await add(second)
        await world.finish(await world.claim())
        assert await send_all(outbox) == 2
        for receiver, endpoint in ((first, early), (second, late)):
            [request] = receiver.requests
            body = verified(request, endpoint.secrets[0][0])
            assert (body["type"], body["data"]["id"]) == ("task.completed", id_)
    assert {row["status"] for row in await world.deliveries(id_)} == {"delivered"}


async def test_others_hear_nothing(world: World, outbox: Outbox, add: MakeEndpoint) -> None:
    """Another owner's endpoint, one that is disabled, and one that wants other ends or types."""
    async with Receiver() as receiver:
        await add(receiver, owner="bob")
        await add(receiver, events=["task.failed"])
        await add(receiver, task_types=["other"])
        off = await add(receiver)
        await Endpoints(world.database, emit=world.emitted).disable(off.id, reason="moving")
        id_ = await world.ended(owner="ann")
        assert await send_all(outbox) == 0
    assert await world.deliveries(id_) == []


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_every_end_is_told(world: World, outbox: Outbox, add: MakeEndpoint, target: Status) -> None:
    """Whichever way a task ends, in the transaction that ends it."""
    async with Receiver() as receiver:
        await add(receiver, events=[f"task.{target}"])
        await world.ended(owner="ann", target=target)
        await send_all(outbox)
    assert [one.json["type"] for one in receiver.requests] == [f"task.{target}"]


async def test_an_endpoint_that_the_task_names_is_told_once(
    world: World, outbox: Outbox, add: MakeEndpoint
) -> None:
    """Though it also asked for such ends; and whatever its filter says."""
    async with Receiver() as receiver:
        endpoint = await add(receiver)
        deaf = await add(receiver, events=["task.failed"])
        targets = [Target(channel="endpoint", id=one.id) for one in (endpoint, deaf)]
        id_ = await world.ended(*targets, owner="ann")
        await send_all(outbox)
    assert len(receiver.requests) == len(await world.deliveries(id_)) == 2


async def test_a_foreign_endpoint_is_not_told(world: World, outbox: Outbox, add: MakeEndpoint) -> None:
    """A task cannot name the endpoint of somebody else."""
    async with Receiver() as receiver:
        foreign = await add(receiver, owner="bob")
        id_ = await world.ended(Target(channel="endpoint", id=foreign.id), owner="ann")
        await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["outcome"]) == ("dead", "route_dead")
    assert receiver.requests == []


async def test_a_second_end_is_told_again(world: World, outbox: Outbox, add: MakeEndpoint) -> None:
    """After an operator's retry each end has its delivery, as the filter says of that end."""
    async with Receiver() as all_, Receiver() as failures:
        await add(all_)
        await add(failures, events=["task.failed"])
        id_ = await world.ended(owner="ann", target=Status.FAILED, error="no")
        await send_all(outbox)
        await world.database.write(submissions.retry, id_)
        await world.finish(await world.claim())
        await send_all(outbox)
    assert [one.json["type"] for one in all_.requests] == ["task.failed", "task.completed"]
    assert [one.json["type"] for one in failures.requests] == ["task.failed"]


async def test_both_secrets_sign_while_the_window_is_open(
    world: World, outbox: Outbox, add: MakeEndpoint, book: Endpoints
) -> None:
    """For 24 hours after a rotation old and new secret verify, the new one first; then only the new."""
    async with Receiver() as receiver:
        endpoint = await add(receiver)
        old = endpoint.secrets[0][0]
        new = (await book.rotate(endpoint.id)).secrets[0][0]
        for wait in (0, 86_401):
            world.clock.advance(wait)
            await world.ended(owner="ann")
            await send_all(outbox)
    during, after = receiver.requests
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    first = during.headers["webhook-signature"].split(" ")[0]
    assert Webhook(new).verify(during.body, {**during.headers, "webhook-signature": first})
    assert verified(during, old) == verified(during, new)
    timestamp = int(after.headers["webhook-timestamp"])
    assert after.headers["webhook-signature"] == signature(
        [new], after.headers["webhook-id"], timestamp, after.body
    )


async def test_a_private_key_signs_for_those_who_hold_the_public_one(
    world: World, outbox: Outbox, add: MakeEndpoint
) -> None:
    """v1a is Ed25519 over id.timestamp.body, verified by the library behind it."""
    async with Receiver() as receiver:
        endpoint = await add(receiver, ed25519=True)
        await world.ended(owner="ann")
        await send_all(outbox)
    [request] = receiver.requests
    key = public_key(endpoint.secrets[0][0])
    assert key is not None
    assert key.startswith("whpk_")
    version, _, signature = request.headers["webhook-signature"].partition(",")
    id_, timestamp = (request.headers[f"webhook-{word}"] for word in ("id", "timestamp"))
    signed = f"{id_}.{timestamp}.".encode() + request.body
    assert version == "v1a"
    Ed25519PublicKey.from_public_bytes(b64decode(key.removeprefix("whpk_"))).verify(
        b64decode(signature), signed
    )


async def test_a_cloud_event_has_the_deliverys_id(world: World, outbox: Outbox, add: MakeEndpoint) -> None:
    """Structured mode, with the same id as `webhook-id`; the SDK reads it, and the signature is over it."""
    async with Receiver() as receiver:
        endpoint = await add(receiver, format="cloudevents")
        id_ = await world.ended(owner="ann")
        await send_all(outbox)
    [request] = receiver.requests
    fields = verified(request, endpoint.secrets[0][0])
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert fields["id"] == request.headers["webhook-id"]
    assert (fields["type"], fields["subject"]) == ("org.duly.task.completed.v1", id_)
    event = JSONFormat().read(CloudEvent, request.body)
    assert (event.get_id(), event.get_source()) == (fields["id"], "urn:duly")
    assert event.get_data()["id"] == id_


async def test_own_headers_go_along(world: World, outbox: Outbox, add: MakeEndpoint) -> None:
    """And do not stand in the way of ours."""
    async with Receiver() as receiver:
        await add(receiver, headers={"Authorization": "Bearer x", "X-Tenant": "7"})
        await world.ended(owner="ann")
        await send_all(outbox)
    [request] = receiver.requests
    assert (request.headers["authorization"], request.headers["x-tenant"]) == ("Bearer x", "7")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nX-B: b"},
        {"X-A\r\nX-B": "b"},
        {"X A": "b"},
        {"": "b"},
        {"Host": "inside"},
        {"Content-Length": "0"},
        {"transfer-encoding": "chunked"},
        {"Webhook-Id": "1"},
        {"webhook-signature": "v1,x"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"X-A": "\u00e9"},
        {"X-A": "1", "x-a": "2"},
    ],
)
async def test_a_header_that_could_do_harm_is_refused(book: Endpoints, headers: dict[str, str]) -> None:
    """Line breaks, what is no token, and what is ours or the connection's."""
    with pytest.raises(InvalidInput):
        await book.add("", "ann", {"url": "https://a.example/", "headers": headers})


async def test_410_disables_at_once(world: World, outbox: Outbox, add: MakeEndpoint, book: Endpoints) -> None:
    """The delivery is dead, the endpoint gets no more, and its owner finds a line in his inbox."""
    async with Receiver(Answer(status=410)) as receiver:
        endpoint = await add(receiver)
        id_ = await world.ended(owner="ann")
        await send_all(outbox)
        await send_all(outbox)
        await world.ended(owner="ann")
        assert await send_all(outbox) == 0
    states = [(row["status"], row["outcome"]) for row in await world.deliveries(id_)]
    assert states == [("dead", "route_dead"), ("delivered", "sent")]
    assert not (await book.get(endpoint.id)).enabled
    [line] = await world.database.read(inbox.page, "", "ann")
    assert line["type"] == "endpoint.disabled"
    assert json.loads(line["body"])["endpoint_id"] == endpoint.id


async def test_five_days_of_failures_disable(
    world: World, outbox: Outbox, add: MakeEndpoint, book: Endpoints
) -> None:
    """Without any success between; one success, and the days are counted anew."""
    script = [Answer(status=500), Answer(), *[Answer(status=500)] * 20]
    async with Receiver(*script) as receiver:
        endpoint = await add(receiver)
        for _ in range(2):
            await world.ended(owner="ann")
            await send_all(outbox)
        assert (await book.get(endpoint.id)).failing_since is None
        world.clock.advance(PATIENCE_MS / 1000)
        await send_all(outbox)
        assert (await book.get(endpoint.id)).enabled
        world.clock.advance(PATIENCE_MS / 1000 - 1)
        await send_all(outbox)
        assert (await book.get(endpoint.id)).enabled
        world.clock.advance(86_400)
        await send_all(outbox)
    assert (await book.get(endpoint.id)).reason == "Nothing arrived there for five days."


async def test_what_is_dead_can_be_sent_again(
    world: World, outbox: Outbox, add: MakeEndpoint, book: Endpoints
) -> None:
    """One of them, or all of an endpoint: with the same id and bytes, and a new schedule."""
    async with Receiver(Answer(status=410)) as receiver:
        endpoint = await add(receiver)
        id_ = await world.ended(owner="ann")
        await send_all(outbox)
        [dead] = await book.deliveries(Wanted(status="dead", endpoint=endpoint.id))
        await book.enable(endpoint.id)
        assert await book.resend_dead(endpoint.id) == 1
        await send_all(outbox)
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == dead["id"]
    [again] = [row for row in await world.deliveries(id_) if row["id"] == dead["id"]]
    assert (again["status"], again["attempt"], again["began"]) == ("delivered", 2, 1)


async def test_the_log_keeps_the_last_sends(world: World, outbox: Outbox, book: Endpoints) -> None:
    """Each with its time, number, outcome, code and duration; at most 20."""
    async with Receiver(always=Answer(status=503, headers=(("retry-after", "1"),))) as receiver:
        id_ = await world.ended(Target(channel="webhook", url=receiver.url))
        for _ in range(LOG_MOST + 5):
            await send_all(outbox)
            world.clock.advance(100_000)
            if (await world.delivery(id_))["status"] == "dead":
                await book.resend((await world.delivery(id_))["id"])
    log = json.loads((await world.delivery(id_))["log"])
    assert [one["attempt"] for one in log] == list(range(6, LOG_MOST + 6))
    assert {(one["outcome"], one["code"]) for one in log} == {("retry", 503)}
    assert all(one["ms"] >= 0 and one["at"] for one in log)


async def test_a_removed_endpoint_is_not_told(
    world: World, outbox: Outbox, add: MakeEndpoint, book: Endpoints
) -> None:
    """What it was still owed ends as dead, and says why."""
    async with Receiver() as receiver:
        endpoint = await add(receiver)
        id_ = await world.ended(owner="ann")
        await book.remove(endpoint.id, owner=("", "ann"))
        await send_all(outbox)
    row = await world.delivery(id_)
    assert (row["status"], row["last_error"]) == ("dead", "there is no such endpoint")


async def test_nobody_sees_an_endpoint_of_others(book: Endpoints) -> None:
    """Nor changes, rotates or removes it: the answer is that there is none."""
    endpoint = await book.add("", "bob", {"url": "https://a.example/"})
    stranger = ("", "ann")
    with pytest.raises(EndpointNotFound):
        await book.get(endpoint.id, owner=stranger)
    with pytest.raises(EndpointNotFound):
        await book.rotate(endpoint.id, owner=stranger)
    with pytest.raises(EndpointNotFound):
        await book.remove(endpoint.id, owner=stranger)
    assert await book.page(owner=stranger) == []


@pytest.mark.parametrize(
    "words",
    [
        {"url": "ftp://a.example/"},
        {"url": "https://user@a.example/"},
        {"url": "https://a.example/", "format": "xml"},
        {"url": "https://a.example/", "events": ["task.started"]},
        {"url": "https://a.example/", "task_types": ["a b"]},
        {"url": "https://a.example/", "more": 1},
    ],
)
async def test_an_endpoint_that_makes_no_sense_is_refused(book: Endpoints, words: dict[str, Any]) -> None:
    """In words, and nothing is kept."""
    with pytest.raises(InvalidInput):
        await book.add("", "ann", words)
    assert await book.page() == []


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_x", "abc", "whsec_" + b64encode(b"x" * 23).decode(), "whsk_AAAA"]
)
async def test_a_weak_secret_is_refused(book: Endpoints, secret: str) -> None:
    """24 to 64 bytes, as the specification says."""
    with pytest.raises(InvalidInput, match="a secret is"):
        await book.add("", "ann", {"url": "https://a.example/"}, secret=secret)
