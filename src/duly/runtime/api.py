"""The API under uvicorn, inside the worker's own event loop, on sockets that the parent opened."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import uvicorn

from duly.runtime.receipt import HEAD_BYTES, Receipt, Terms

#: Open requests and streams may take this long at the end.
GRACE_SECONDS = 3
KEEP_ALIVE_SECONDS = 30
#: The largest message of a WebSocket's client, and how often it is asked whether it is there.
FRAME_BYTES = 65_536
PING_SECONDS = 20.0


class _Server(uvicorn.Server):
    """Leaves signals to the child, which drains the worker first; says when connections are accepted."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """Starts and stops one ASGI application."""

    def __init__(self, api: Any, sockets: list[socket.socket], terms: Terms) -> None:
        config = uvicorn.Config(
            api,
            http=cast("Any", partial(Receipt, terms)),
            h11_max_incomplete_event_size=HEAD_BYTES,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws="websockets-sansio",
            ws_max_size=FRAME_BYTES,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,
        )
        self._server = _Server(config)
        self._sockets = sockets
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when connections are accepted."""
        self._task = asyncio.create_task(self._server.serve(sockets=self._sockets), name="duly-api")
        accepting = asyncio.create_task(self._server.accepting.wait())
        await asyncio.wait({self._task, accepting}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            accepting.cancel()
            self._task.result()

    async def stop(self) -> None:
        """Lets open requests end, closes streams, returns when nothing is served any more."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
