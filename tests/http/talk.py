"""One WebSocket against the application itself: what the client sends and gets, and how it was closed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from support.patience import PATIENCE


class Talk:
    """A conversation; while `reading` is not set the client reads nothing."""

    def __init__(
        self,
        api: Any,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        protocols: tuple[str, ...] = (),
        origins: tuple[str, ...] = (),
        host: str = "127.0.0.1:8000",
    ) -> None:
        self.accepted: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.code: int | None = None
        self.got: list[dict[str, Any]] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._news = asyncio.Event()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})
        given = [("host", host), *(("origin", one) for one in origins), *(headers or {}).items()]
        raw = [(name.encode(), value.encode()) for name, value in given]
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "ws",
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": raw,
            "subprotocols": list(protocols),
        }
        self.task = asyncio.create_task(api(scope, self._said.get, self._send))

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.accepted.set_result(message.get("subprotocol"))
        elif message["type"] == "websocket.close":
            self.code = message["code"]
        else:
            await self.reading.wait()
            self.got.append(json.loads(message["text"]))
        self._news.set()

    def say(self, message: Any) -> None:
        """Sends JSON, or text as it is."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """The first message with these values."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [one for one in self.got if wanted.items() <= one.items()]
                if found:
                    return found[0]
                if self.code is not None:
                    raise AssertionError(f"closed with {self.code}: {self.got}")
                self._news.clear()
                await self._news.wait()

    async def closed(self) -> int | None:
        """How the server closed it."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.code

    async def leave(self) -> None:
        """The client goes away."""
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.closed()
