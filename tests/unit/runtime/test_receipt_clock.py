"""The deadline for the receipt of a request, on a clock of its own and without sockets."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest_asyncio
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from duly.runtime.receipt import HEAD_BYTES, SLOWEST, Receipt, Terms

SECONDS = 15.0
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
        self._config = uvicorn.Config(
            self, lifespan="off", log_config=None, h11_max_incomplete_event_size=HEAD_BYTES
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with suppress(ClientDisconnect):
            async for part in Request(scope, receive).stream():
                async with self._read:
                    self._bytes += len(part)
                    self._read.notify_all()
            await PlainTextResponse("read")(scope, receive, send)

    async def has_read(self, size: int) -> None:
        """Returns when the application has so much of all bodies."""
        async with asyncio.timeout(10), self._read:
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
        self.transport = Transport(peer)
        self._receipt = host.receipt(**of_uvicorn)
        self.transport.protocol = self._receipt
        self._receipt.connection_made(self.transport)

    def say(self, data: bytes) -> None:
        self._receipt.data_received(data)

    def hang_up(self) -> None:
        self.transport.closing = True
        self._receipt.connection_lost(None)

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
