"""Servers of one database for the proofs of live streams, and a bare client that can be cut at any byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2

from duly.client import sse
from support.cluster import until

HERE = Path(__file__).parent


class Server:
    """One `duly serve` on a port of its own."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        shutil.copy(HERE / "live_app.py", folder)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DULY_")}
        given = {
            "database_url": database_url,
            "app": "live_app:duly",
            "auth": "loopback",
            "stream_limit": "0",
        }
        given |= settings
        ours = {f"DULY_{key.upper()}": value for key, value in given.items()}
        duly = str(Path(sys.executable).with_name("duly"))
        with (folder / f"{self.port}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [duly, "serve", "--port", str(self.port)],
                cwd=folder,
                env={**kept, **ours},
                stdout=log,
                stderr=log,
            )

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Returns when it is; fails after a minute."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            await until(lambda: self._is_ready(client), 60, every=0.1)

    async def _is_ready(self, client: httpx2.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    def memory_mb(self) -> float:
        """Resident memory of the process that serves."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        status = Path(f"/proc/{children[0]}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def stop(self) -> None:
        """Ends it, as systemd would."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()


@contextlib.contextmanager
def servers(count: int, folder: Path, database_url: str, **settings: str) -> Iterator[list[Server]]:
    """So many on one database."""
    started = [Server(folder, database_url, **settings) for _ in range(count)]
    try:
        yield started
    finally:
        for one in started:
            one.stop()


async def opened(server: Server, path: str, last: str = "") -> tuple[Any, Any]:
    """The two halves of a connection on which a stream was asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    asked = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Accept: text/event-stream"]
    asked += [f"Last-Event-ID: {last}"] if last else []
    writer.write("\r\n".join([*asked, "", ""]).encode())
    return reader, writer


async def events(reader: Any) -> AsyncIterator[tuple[str, str, Any]]:
    """(event, id, data) of a chunked stream until it is cut."""

    async def lines() -> AsyncIterator[str]:
        text = b""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            await reader.readuntil(b"\r\n\r\n")
            while size := int(await reader.readuntil(b"\r\n"), 16):
                *whole, text = (text + (await reader.readexactly(size + 2))[:-2]).split(b"\n")
                for line in whole:
                    yield line.decode()

    async for event in sse.events(lines()):
        yield event.name, event.id, json.loads(event.text)
