"""Where the demo's webhook arrives: one loopback port that takes POSTs, answers 204 and keeps what it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

READ_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One POST as it came over the wire."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What has arrived so far."""

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where to send to."""
        return f"http://127.0.0.1:{self.port}/answers"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                self.posts.append(await _read(reader))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
            self.arrived.set()
        except (asyncio.IncompleteReadError, ValueError, OSError):
            return  # not a POST, or cut off: whoever sent it sends it again
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listens on a free loopback port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Post:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Post(headers=headers, body=await reader.readexactly(int(headers["content-length"])))
