"""Hints between processes on one PostgreSQL database: LISTEN, and a NOTIFY after commits, coalesced.

On connections of their own: inside the writing transaction a NOTIFY costs two thirds of the commits.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from duly.store.network import LIBPQ

CHANNEL = "duly"
#: At most one NOTIFY per process in this time, in seconds.
PAUSE = 0.005
#: How long the listener waits before it looks whether it should end, and before it connects again.
PATIENCE = 1.0


class Notices:
    """Two threads, one that listens and one that tells; `heard` is called on the first."""

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._me = os.urandom(6).hex()
        self._over = threading.Event()
        self._news = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,), name=f"duly-{name}", daemon=True)
            for name, work in (("listen", self._listen), ("notify", self._notify))
        ]

    def start(self) -> bool:
        for thread in self._threads:
            thread.start()
        return True

    def tell(self) -> None:
        self._news.set()

    def stop(self) -> None:
        """Nobody is told from here on; the threads end within a second, and nothing waits for them."""
        self._over.set()
        self._news.set()

    def _repeat(self, work: Callable[[Any], None]) -> None:
        """Connects again after every error: a hint may be lost, the thread may not."""
        while not self._over.is_set():
            with (
                contextlib.suppress(psycopg.Error),
                psycopg.connect(self._url, autocommit=True, **LIBPQ) as connection,
            ):
                work(connection)
            self._over.wait(PATIENCE)

    def _listen(self, connection: Any) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._heard()  # what came while nobody listened
        while not self._over.is_set():
            heard = [one.payload for one in connection.notifies(timeout=PATIENCE, stop_after=1)]
            if any(one != self._me for one in heard) and not self._over.is_set():
                self._heard()

    def _notify(self, connection: Any) -> None:
        while not self._over.is_set():
            self._news.wait()
            self._news.clear()
            if not self._over.is_set():
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._me))
                self._over.wait(PAUSE)
