"""A real `duly serve` in a folder of its own, whose child kills itself after the third recorded step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from duly.cli.demo.problems import expect
from duly.execute.isolated import die_with_parent

START_SECONDS = 20.0
STOP_SECONDS = 10.0
KILL_AFTER = 3
LOG_LINES = 3


@dataclass(slots=True, kw_only=True)
class Server:
    """The running installation: its address, its folder, its supervising process."""

    folder: Path
    process: Process
    url: str

    @property
    def database_url(self) -> str:
        """Its database."""
        return database_url(self.folder)

    def killed(self) -> int | None:
        """The pid of the process that was killed, from the mark it left."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "killed").read_text())
        return None


def database_url(folder: Path) -> str:
    """The database of an installation in `folder`."""
    return f"sqlite:///{folder / 'duly.db'}"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Server]:
    """Starts the server, hands it out when it is ready, and stops it whatever happens."""
    with _Readiness(folder) as readiness:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "duly.cli", "serve", "--apps", "tender", "--port", "0", "--log-file", "server.log"),
            cwd=folder,
            env=_environment(folder, readiness.address),
            stdout=PIPE,
            stderr=(folder / "server.err").open("wb"),
            start_new_session=True,  # Ctrl-C is ours to handle
            preexec_fn=die_with_parent,
        )
        try:
            yield Server(folder=folder, process=process, url=await _started(process, readiness, folder))
        finally:
            await _stop(process)


async def _started(process: Process, readiness: _Readiness, folder: Path) -> str:
    """The URL from the line that `duly serve` prints, once the server is ready."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    ready = asyncio.create_task(readiness.wait())
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ready, ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        expect(not ended.done(), f"the server ended at once: {_last_lines(folder)}")
        expect(ready.done(), f"the server was not ready within {START_SECONDS:g} s: {_last_lines(folder)}")
    finally:
        ready.cancel()
        ended.cancel()
    return (await process.stdout.readline()).decode().split()[1]


def _environment(folder: Path, notify: str) -> dict[str, str]:
    """Ours without the user's own installation, and with the fault that is rehearsed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    return {
        **kept,
        "DULY_DATABASE_URL": database_url(folder),
        "DULY_FAILPOINTS": f"step.recorded=kill@{KILL_AFTER}?{folder / 'killed'}",
        "DULY_WEBHOOK_PRIVATE": "true",
        "NOTIFY_SOCKET": notify,
    }


async def _stop(process: Process) -> None:
    """Asks the server to stop, and kills all of it when it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


def _last_lines(folder: Path) -> str:
    """What the server said last."""
    said = ""
    for name in ("server.log", "server.err"):
        with contextlib.suppress(OSError):
            said += (folder / name).read_text("utf-8", "replace")
    return " | ".join(said.splitlines()[-LOG_LINES:]) or "it said nothing"


class _Readiness:
    """Hears from the server when it is ready, as systemd would (sd_notify)."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "ready")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> _Readiness:
        self._socket.bind(self.address)
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def wait(self) -> None:
        """Returns when the server says that it is ready."""
        while b"READY=1" not in await asyncio.get_running_loop().sock_recv(self._socket, 4096):
            pass
