"""A webhook receiver on this host: remembers requests, answers by script, checks signatures."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """The body's value, if the library accepts the signature; it raises otherwise."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One scripted answer; `held` waits before it is given."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    held: asyncio.Event | None = None


class Receiver:
    """`async with Receiver(Answer(status=500)) as hook:` answers by script, then 200 for ever."""

    def __init__(self, *script: Answer, always: Answer | None = None, host: str = "127.0.0.1") -> None:
        self._script = list(script)
        self._always = always or Answer()
        self.host = host
        self.requests: list[Received] = []
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    async def arrived(self, count: int, within: float = 5.0) -> None:
        """Returns when `count` requests have come in."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        answer = self._script.pop(0) if self._script else self._always
        async with self._arrived:
            self.requests.append(Received(path=head[0].split(" ")[1], headers=headers, body=body))
            self._arrived.notify_all()
        if answer.held is not None:
            await answer.held.wait()
        lines = [f"HTTP/1.1 {answer.status} X", f"content-length: {len(answer.body)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()
