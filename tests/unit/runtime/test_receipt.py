"""The deadline for the receipt of a request, over real sockets: who trickles is cut off, who sends is not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from duly.runtime import receipt
from duly.runtime.api import ApiServer
from duly.runtime.receipt import HEAD_BYTES, Terms

SECONDS = 0.5
#: Longer than any answer takes; a test that waits for so long has failed.
PATIENCE = 6


class Server:
    """An application that answers with the size of the body, when `reads` is set."""

    def __init__(self, seconds: float) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.left = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._server = ApiServer(self, [listener], Terms(seconds=seconds, connections=2))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        await self.reads.wait()
        try:
            size = len(await Request(scope, receive).body())
        except ClientDisconnect:
            self.left.set()
            size = -1
        await PlainTextResponse(str(size))(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()

    async def answer(self, within: float = PATIENCE) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        async with asyncio.timeout(within):
            head = await self._reader.readuntil(b"\r\n\r\n")
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            return int(head.split()[1]), await self._reader.readexactly(int(lines[b"content-length"]))

    async def problem(self) -> tuple[int, str]:
        """The status and the code of a problem, after which the connection is closed."""
        status, body = await self.answer()
        async with asyncio.timeout(PATIENCE):
            assert await self._reader.read() == b""
        return status, json.loads(body)["code"]

    def close(self) -> None:
        self._writer.close()


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    one = Server(getattr(request, "param", SECONDS))
    await one.start()
    yield one
    await one.stop()


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    one = Client(*await asyncio.open_connection("127.0.0.1", server.port))
    yield one
    one.close()


def posting(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % size


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: here\r\nX: y"])
async def test_a_head_that_does_not_come_is_cut_off(client: Client, said: bytes) -> None:
    """Also before its first byte; and what has come buys a head no time."""
    await client.say(said)
    assert await client.problem() == (408, "request_timeout")


async def test_a_body_that_does_not_come_is_cut_off(server: Server, client: Client) -> None:
    """And the application hears that the client is gone."""
    await client.say(posting(100), b"x" * 50)
    assert await client.problem() == (408, "request_timeout")
    async with asyncio.timeout(PATIENCE):
        await server.left.wait()


@pytest.mark.parametrize("server", [4 * SECONDS], indirect=True)
async def test_time_in_which_we_do_not_read_is_not_the_clients(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that waits for the application is not late."""
    monkeypatch.setattr(receipt, "SLOWEST", 10**9)
    server.reads.clear()
    size = 400_000  # more than is read at once
    sending = asyncio.create_task(client.say(posting(size), b"x" * size))
    with pytest.raises(TimeoutError):
        await client.answer(6 * SECONDS)
    server.reads.set()
    assert await client.answer() == (200, b"%d" % size)
    await sending


async def test_an_idle_connection_is_kept(client: Client) -> None:
    """After an answer there is another limit."""
    await client.say(posting(3), b"abc")
    assert await client.answer() == (200, b"3")
    with pytest.raises(TimeoutError):
        await client.answer(3 * SECONDS)
    await client.say(posting(4), b"abcd")
    assert await client.answer() == (200, b"4")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"y" * HEAD_BYTES, (431, "headers_too_large")),
        (b"nonsense\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\n\r\n", (400, "bad_request")),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            (400, "bad_request"),
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            (501, "bad_request"),
        ),
    ],
)
async def test_what_is_no_request_is_a_problem(client: Client, said: bytes, problem: tuple[int, str]) -> None:
    """The protocol's refusals look like all others."""
    await client.say(said)
    assert await client.problem() == problem


async def test_there_are_not_more_connections_than_allowed(server: Server, client: Client) -> None:
    """The one too many is told so; the others are served."""
    others = [Client(*await asyncio.open_connection("127.0.0.1", server.port)) for _ in range(2)]
    assert await others[1].problem() == (503, "not_ready")
    await client.say(posting(1), b"x")
    assert await client.answer() == (200, b"1")
    for one in others:
        one.close()
