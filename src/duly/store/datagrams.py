"""Hints between the processes that share one SQLite file: a datagram to each socket in a folder beside it.

A hint may be lost (a full buffer, a process that has just come): `PRAGMA data_version` and the poll stand
behind it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

#: How long a list of the others is good, in seconds.
KNOWN_FOR = 1.0
#: Hints that come closer than this, in seconds, become one.
PAUSE = 0.005


class Datagrams:
    """One process's socket; `heard` is called on a thread of its own when another process has committed."""

    def __init__(self, database: Path, heard: Callable[[], None]) -> None:
        self._folder = database.with_name(f"{database.name}-wake")
        self._name = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._heard = heard
        self._others: list[str] = []
        self._listed_at = float("-inf")
        self._over = threading.Event()
        self._descriptor = -1
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="duly-wake", daemon=True)

    def start(self) -> bool:
        """Whether hints can be exchanged here; where they cannot, the database is asked more often."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = os.open(self._folder, os.O_RDONLY)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(self._address(self._name))
        except OSError:  # no such sockets, or a path too long for one
            self.stop()
            return False
        self._thread.start()
        return True

    def tell(self) -> None:
        """Tells all others that something was committed; never waits, never raises."""
        if self._socket is None:
            return
        now = time.monotonic()
        if now - self._listed_at > KNOWN_FOR:
            self._listed_at = now
            with contextlib.suppress(OSError):
                self._others = [one.name for one in self._folder.iterdir() if one.name != self._name]
        for name in self._others:
            self._tell(name)

    def _tell(self, name: str) -> None:
        assert self._socket is not None  # noqa: S101 - checked by tell
        try:
            self._socket.sendto(b"!", socket.MSG_DONTWAIT, self._address(name))
        except ConnectionRefusedError:  # its process is gone
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
        except OSError:  # its buffer is full: it has hints enough
            pass

    def stop(self) -> None:
        """Removes the socket, and the folder with the last one."""
        self._over.set()
        if self._thread.is_alive():
            assert self._socket is not None  # noqa: S101 - the thread runs on it
            with contextlib.suppress(OSError):
                self._socket.sendto(b"", self._address(self._name))
            self._thread.join()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        with contextlib.suppress(OSError):
            (self._folder / self._name).unlink(missing_ok=True)
            self._folder.rmdir()

    def _address(self, name: str) -> str:
        """Through the open folder where that is possible: a socket's path has at most 107 bytes."""
        if Path("/proc/self/fd").is_dir():
            return f"/proc/self/fd/{self._descriptor}/{name}"
        return str(self._folder / name)

    def _listen(self) -> None:
        assert self._socket is not None  # noqa: S101 - bound before the thread starts
        while not self._over.is_set():
            self._socket.recv(16)
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._socket.recv(16, socket.MSG_DONTWAIT)
            if not self._over.is_set():
                self._heard()
                self._over.wait(PAUSE)
