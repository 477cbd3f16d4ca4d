"""The deadline for the receipt of a request, on a clock of its own and without sockets."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from duly.http.problems import SCHEMA
from duly.http.titles import title
from duly.runtime.receipt import HEAD_BYTES, SLOWEST, Receipt, Terms
from support.cluster import until
from support.patience import PATIENCE

SECONDS = 15.0
SOCKET = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"

MakeHost = Callable[..., "Host"]


class Timer:
    """A call at a time to come."""

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.over = when, call, False

    def cancel(self) -> None:
        self.over = True


class Loop:
    """The running loop, but for its time."""

    def __init__(self) -> None:
        self._real = asyncio.get_running_loop()
        self._now = 1000.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self.call_at(self._now + delay, call)

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        timer = Timer(when, call)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def pass_(self, seconds: float) -> None:
        """Time goes on; what is due is called at its time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._timers)
            if not timer.over:
                timer.call()
        self._now = end


class Transport(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 5000), "sockname": ("192.0.2.1", 8000)} if peer else {})
        self.said = b""
        self.closing = False
        self.protocol: asyncio.BaseProtocol | None = None

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Host:
    """One process that accepts connections; its application reads bodies."""

    def __init__(self, **terms: Any) -> None:
        self.loop = Loop()
        self._read = asyncio.Condition()
        self._bytes = 0
        self._lines: list[Line] = []
        self._terms = Terms(**{"seconds": SECONDS, "connections": 1000} | terms)
        self._state = ServerState()
        words: dict[str, Any] = {"lifespan": "off", "log_config": None, "ws": "websockets-sansio"}
        self._config = uvicorn.Config(self, h11_max_incomplete_event_size=HEAD_BYTES, **words)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            while (await receive())["type"] != "websocket.disconnect":
                await send({"type": "websocket.accept"})
            return
        with suppress(ClientDisconnect):
            async for part in Request(scope, receive).stream():
                async with self._read:
                    self._bytes += len(part)
                    self._read.notify_all()
            await PlainTextResponse("read")(scope, receive, send)

    async def has_read(self, size: int) -> None:
        """Returns when the application has so much of all bodies."""
        async with asyncio.timeout(PATIENCE), self._read:
            await self._read.wait_for(lambda: self._bytes >= size)

    def connect(self, peer: str = "192.0.2.77") -> Line:
        self._lines.append(Line(self, peer, config=self._config, server_state=self._state))
        return self._lines[-1]

    def receipt(self, **of_uvicorn: Any) -> Receipt:
        return Receipt(self._terms, app_state={}, _loop=self.loop, **of_uvicorn)

    async def close(self) -> None:
        for line in self._lines:
            line.hang_up()
        await asyncio.gather(*self._state.tasks)


@pytest_asyncio.fixture
async def make_host() -> AsyncIterator[MakeHost]:
    made: list[Host] = []

    def make(**terms: Any) -> Host:
        made.append(Host(**terms))
        return made[-1]

    yield make
    for one in made:
        await one.close()


class Line:
    """One connection."""

    def __init__(self, host: Host, peer: str, **of_uvicorn: Any) -> None:
        self.open = True
        self.transport = Transport(peer)
        self._receipt = host.receipt(**of_uvicorn)
        self.transport.set_protocol(self._receipt)
        self._receipt.connection_made(self.transport)

    def say(self, data: bytes) -> None:
        self._receipt.data_received(data)

    def hang_up(self) -> None:
        if self.open:
            self.open, self.transport.closing = False, True
            self.transport.get_protocol().connection_lost(None)

    @property
    def status(self) -> int:
        """Of what was answered; 0: nothing yet."""
        return int(self.transport.said.split()[1]) if self.transport.said else 0

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.transport.said.partition(b"\r\n\r\n")[2])
        return found


async def test_a_burst_buys_no_silence(make_host: MakeHost) -> None:
    """What came early is no credit for a body of which nothing comes any more."""
    host = make_host()
    line = host.connect()
    line.say(POST % 10**6 + b"x" * 900_000)
    await host.has_read(900_000)
    host.loop.pass_(1)
    line.say(b"x")
    await host.has_read(900_001)
    host.loop.pass_(SECONDS - 0.1)
    assert line.status == 0
    host.loop.pass_(0.2)
    assert (line.status, line.transport.closing) == (408, True)


async def test_a_body_that_comes_may_take_its_time(make_host: MakeHost) -> None:
    """A second for each KiB, while it comes; then it is over, although it still trickles."""
    host = make_host()
    line = host.connect()
    line.say(POST % 10**6 + b"x" * (60 * SLOWEST))
    await host.has_read(60 * SLOWEST)
    for _ in range(7):
        host.loop.pass_(10)
        line.say(b"x")
        assert line.status == 0
    host.loop.pass_(10)
    assert line.status == 408


async def test_what_trickles_buys_a_head_nothing(make_host: MakeHost) -> None:
    """The deadline of a head stands."""
    host = make_host()
    line = host.connect()
    for said in (b"GET / HTTP/1.1\r\n", *[b"X: %s\r\n" % (b"y" * 2048)] * 14):
        assert line.status == 0
        line.say(said)
        host.loop.pass_(1)
    assert line.status == 408


async def test_one_peer_has_not_all_connections(make_host: MakeHost) -> None:
    """The one too many is told so; others are served, and the peer is again when one of his has ended."""
    host = make_host(per_peer=2)
    first, _, third = [host.connect() for _ in range(3)]
    assert (third.status, third.transport.closing) == (503, True)
    assert third.problem["detail"] == "there are too many connections from this address"
    assert host.connect("192.0.2.78").status == 0
    third.hang_up()
    assert host.connect().status == 503
    for line in (first, host.connect()):
        line.hang_up()


async def test_whose_connection_has_ended_has_another(make_host: MakeHost) -> None:
    """Ended ones are not counted."""
    host = make_host(per_peer=1)
    for _ in range(3):
        line = host.connect()
        assert line.status == 0
        line.hang_up()


async def test_a_websocket_is_a_connection_of_its_peer(make_host: MakeHost) -> None:
    """Though it is no HTTP any more, and until it ends."""
    host = make_host(per_peer=1)
    socket = host.connect()
    socket.say(SOCKET)
    await until(lambda: socket.status)
    assert (socket.status, host.connect("192.0.2.78").status) == (101, 0)
    late = host.connect()
    assert late.status == 503
    for line in (socket, late):
        line.hang_up()
    assert host.connect().status == 0


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 503),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 0),
        ("::ffff:192.0.2.9", "192.0.2.9", 503),
        ("192.0.2.9", "192.0.2.8", 0),
        ("127.0.0.1", "127.0.0.1", 0),
        ("::1", "::1", 0),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", 0),
        ("", "", 0),  # a Unix socket
    ],
)
async def test_who_one_peer_is(make_host: MakeHost, one: str, other: str, status: int) -> None:
    """An address, of IPv6 its network of 64 bits; whoever comes from this machine may be a proxy for many."""
    host = make_host(per_peer=1)
    assert host.connect(one).status == 0
    assert host.connect(other).status == status


async def test_zero_is_no_limit_for_a_peer(make_host: MakeHost) -> None:
    """For a proxy on another host."""
    host = make_host(per_peer=0)
    assert {host.connect().status for _ in range(20)} == {0}


PROBLEMS = {
    "late": (POST % 9, 408, "request_timeout", "The request did not arrive in time"),
    "large": (b"GET / HTTP/1.1\r\nX: " + b"y" * HEAD_BYTES, 431, "headers_too_large", "Too many headers"),
    "wrong": (b"nonsense\r\n\r\n", 400, "bad_request", "The request cannot be read"),
    "unknown": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "bad_request",
        "The request cannot be read",
    ),
    "crowd": (b"", 503, "not_ready", "Not ready"),
}


@pytest.mark.parametrize("case", PROBLEMS)
async def test_what_is_refused_here_is_a_problem_as_any_other(make_host: MakeHost, case: str) -> None:
    """Of the schema that the API promises, and titled as the rest."""
    said, status, code, titled = PROBLEMS[case]
    host = make_host(connections=0 if case == "crowd" else 9, title=partial(title, language="en"))
    line = host.connect()
    if said:
        line.say(said)
        host.loop.pass_(SECONDS)
    assert jsonschema_rs.is_valid(SCHEMA, line.problem)
    found = {name: line.problem[name] for name in ("status", "code", "title", "instance", "type")}
    words = {"status": status, "code": code, "title": titled, "instance": "/"}
    assert found == {**words, "type": f"/problems/{code.replace('_', '-')}"}
