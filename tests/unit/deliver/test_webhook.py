"""The webhook channel: signed by Standard Webhooks, to a checked address, no redirects, bounded in all."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from duly.deliver.channel import Reply
from duly.deliver.post import Poster
from duly.deliver.webhook import WebhookChannel
from duly.model.delivery import Outcome
from duly.model.task import Task
from duly.store.deliveries import Delivery
from support.receiver import Answer, Receiver
from support.world import FakeClock, World

MakeChannel = Callable[..., WebhookChannel]


def delivery(url: str, id_: str = "0198-delivery") -> Delivery:
    return Delivery(id=id_, task_id="t", channel="webhook", target={"url": url}, attempt=1, body=None)


def resolver(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.fixture
async def make_channel(secret: str) -> AsyncIterator[MakeChannel]:
    """`make_channel(private=True, …)`: a channel that is closed after the test."""
    made: list[WebhookChannel] = []

    def make(**options: Any) -> WebhookChannel:
        poster = Poster(**{"private": True, "clock": FakeClock(), **options})
        made.append(WebhookChannel(secret, poster))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


@pytest.fixture
async def task(world: World) -> Task:
    await world.session()
    return await world.task(await world.ended())


async def test_the_library_accepts_the_signature(make_channel: MakeChannel, task: Task, secret: str) -> None:
    """The independent library verifies what is sent, and refuses it with one byte changed."""
    async with Receiver() as receiver:
        assert await make_channel().send(delivery(receiver.url), '{"é":1}', task) == Reply(ok=True, code=200)
    [request] = receiver.requests
    assert request.verify(secret) == {"é": 1}
    changed = type(request)(path=request.path, headers=request.headers, body=request.body.replace(b"1", b"2"))
    with pytest.raises(WebhookVerificationError):
        changed.verify(secret)


async def test_the_signature_is_that_of_the_specification(
    make_channel: MakeChannel, task: Task, secret: str
) -> None:
    """v1 is base64(HMAC-SHA256(secret, id.timestamp.body)), computed here by hand."""
    async with Receiver() as receiver:
        await make_channel().send(delivery(receiver.url), "{}", task)
    headers = receiver.requests[0].headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + receiver.requests[0].body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert "." not in headers["webhook-id"]


async def test_the_request_says_who_calls(make_channel: MakeChannel, task: Task) -> None:
    """JSON, our user agent, the host as the URL names it, and the URL's path and query."""
    async with Receiver() as receiver:
        resolve = resolver("127.0.0.1")
        url = f"http://hooks.example:{receiver.port}/a/b?c=d"
        assert (await make_channel(resolve=resolve).send(delivery(url), "{}", task)).ok
    [request] = receiver.requests
    assert request.path == "/a/b?c=d"
    assert request.headers["host"] == f"hooks.example:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("duly/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(make_channel: MakeChannel, task: Task, status: int) -> None:
    """3xx is a failure; its location is never called."""
    async with Receiver() as inside:
        moved = Answer(status=status, headers=(("location", inside.url),))
        async with Receiver(moved) as receiver:
            reply = await make_channel().send(delivery(receiver.url), "{}", task)
    assert (reply.ok, reply.final, reply.code) == (False, False, status)
    assert inside.requests == []


async def test_little_of_an_answer_is_kept(make_channel: MakeChannel, task: Task) -> None:
    """Of a failure's body at most 200 characters stay, of a success's none."""
    async with Receiver(Answer(status=500, body=b"x" * 1_000_000), Answer(body=b"secret")) as receiver:
        failed = await make_channel().send(delivery(receiver.url), "{}", task)
        fine = await make_channel().send(delivery(receiver.url), "{}", task)
    assert failed.error == f"HTTP 500: {'x' * 200}"
    assert fine.error is None


async def test_a_send_has_a_time_limit(make_channel: MakeChannel, task: Task) -> None:
    """A receiver that does not answer costs the total time and no more."""
    async with Receiver(Answer(held=asyncio.Event())) as receiver:
        reply = await make_channel(total=1.0).send(delivery(receiver.url), "{}", task)
    assert reply == Reply(ok=False, error="no answer within 1 s", kind=Outcome.UNKNOWN)


async def test_nobody_there_is_a_failure_that_may_pass(make_channel: MakeChannel, task: Task) -> None:
    """A refused connection and an unknown host are tried again later."""
    async with Receiver() as receiver:
        url = receiver.url
    refused = await make_channel().send(delivery(url), "{}", task)

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    nameless = await make_channel(resolve=unknown).send(delivery("http://no.example/"), "{}", task)
    assert not refused.ok
    assert not refused.final
    assert nameless == Reply(ok=False, error="OSError: Name or service not known", kind=Outcome.RETRY)


async def test_the_next_address_is_tried(make_channel: MakeChannel, task: Task) -> None:
    """A host with an address that refuses is reached at its other one."""
    async with Receiver() as receiver:
        channel = make_channel(resolve=resolver("127.0.0.2", "127.0.0.1"))
        url = f"http://two.example:{receiver.port}/"
        assert (await channel.send(delivery(url), "{}", task)).ok


async def test_the_name_is_resolved_once(make_channel: MakeChannel, task: Task) -> None:
    """DNS rebinding: the connection goes to the address that was checked; the name is not asked again."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with Receiver() as receiver:
        url = f"http://rebind.invalid:{receiver.port}/"
        assert (await make_channel(resolve=rebinding).send(delivery(url), "{}", task)).ok
    assert asked == ["rebind.invalid"]


async def test_tls_asks_for_the_host_by_name(make_channel: MakeChannel, task: Task) -> None:
    """Although the connection goes to an address, TLS names (and so verifies) the host of the URL."""
    hellos: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"https://hooks.example.:{server.sockets[0].getsockname()[1]}/"
    reply = await make_channel(resolve=resolver("127.0.0.1")).send(delivery(url), "{}", task)
    server.close()
    assert not reply.ok
    assert b"\x00\x0dhooks.example" in hellos[0]


async def test_a_connection_is_not_shared_between_hosts(make_channel: MakeChannel, task: Task) -> None:
    """Two names at one address get a connection each: TLS verified each for itself."""
    connections: list[int] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while await reader.read(4096):
            writer.write(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    channel, port = make_channel(resolve=resolver("127.0.0.1")), server.sockets[0].getsockname()[1]
    for name in ("a.example", "b.example"):
        assert (await channel.send(delivery(f"http://{name}:{port}/"), "{}", task)).code == 500
    server.close()
    assert len(connections) == 2


async def test_a_proxy_of_the_environment_is_ignored(
    make_channel: MakeChannel, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy variables do not lead webhooks elsewhere."""
    async with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert (await make_channel().send(delivery(receiver.url), "{}", task)).ok
    assert len(receiver.requests) == 1
    assert proxy.requests == []


async def test_retry_after_may_be_a_date(make_channel: MakeChannel, task: Task) -> None:
    """An HTTP date counts from now; what cannot be read is left out."""
    clock = FakeClock()
    later = format_datetime(datetime.fromtimestamp(clock.now_ms() // 1000 + 90, UTC), usegmt=True)
    said = [Answer(status=503, headers=(("retry-after", text),)) for text in (later, "soon", "30")]
    async with Receiver(*said) as receiver:
        channel = make_channel(clock=clock)
        waits = [(await channel.send(delivery(receiver.url), "{}", task)).retry_after for _ in said]
    assert waits[0] == pytest.approx(90, abs=1.1)
    assert waits[1:] == [None, 30.0]
