"""A site behind uvicorn, as in production, on a port of its own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from site_under_test import Site

from duly.runtime.api import ApiServer
from duly.runtime.receipt import Terms


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[str]:
    """The address, while it is served."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = ApiServer(site.api, [listening], Terms(seconds=15, connections=100))
    await server.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        site.api.state.stopping.set()
        await server.stop()
