"""Whether the database can be read and written now, is of our revision and has room left on its disk.

One ask at a time, and a second without one after it: anybody may ask.
"""

from __future__ import annotations

import asyncio
from typing import Any

from duly.model.errors import DulyError
from duly.runtime.app import App
from duly.store import migrate
from duly.store.probe import probe, revision
from duly.store.reserve import Reserve

#: A database that does not answer a probe within this is not ready.
PROBE_SECONDS = 2.0
#: How long an answer serves from its end, the bad one too: each costs a commit, or a wait in a long queue.
SERVES_SECONDS = 1.0


class Probe:
    """One per process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._reserve = Reserve(app.database, app.settings.reserve)
        self._asking: asyncio.Task[str] | None = None
        self._last, self._serves_until = "", float("-inf")

    async def failure(self) -> str:
        """What is wrong, in words for strangers; empty if nothing is."""
        if self._asking is None:
            if self._app.clock.monotonic() < self._serves_until:
                return self._last
            self._asking = asyncio.get_running_loop().create_task(self._ask_for_all())
        # Shielded: a client that goes away must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def _ask_for_all(self) -> str:
        try:
            self._last = await self._ask()
            self._serves_until = self._app.clock.monotonic() + SERVES_SECONDS
            return self._last
        finally:
            self._asking = None

    async def _ask(self) -> str:
        database = self._app.database
        try:
            # Shielded: a probe that gives up must not take its call away from the writer.
            calls = asyncio.gather(database.read(revision), database.write(probe, None))
            calls.add_done_callback(_seen)
            async with asyncio.timeout(PROBE_SECONDS):
                stands_at, _ = await asyncio.shield(calls)
        except TimeoutError:
            return f"the database did not answer within {PROBE_SECONDS:g} seconds"
        except DulyError as error:
            return self._told(error.message, "the database cannot be used now")
        if stands_at != migrate.HEAD:
            wanted = f"the tables stand at revision {stands_at}, this version needs {migrate.HEAD}"
            return self._told(wanted, "the database is of another revision than this server")
        if self._reserve.short:  # asked here: its disk has just answered, and threads may wait for DNS
            left = f"{self._reserve.free} bytes are free under {self._reserve.path.parent}"
            return self._told(left, "the disk of the database is nearly full")
        return ""

    def _told(self, error: str, reason: str) -> str:
        """The reason; what strangers need not know is for the log."""
        self._app.emit("http.unready", path="/readyz", error=error)
        return reason


def _seen(calls: asyncio.Future[Any]) -> None:
    """How the calls of a probe that gave up ended is nobody's business."""
    if not calls.cancelled():
        calls.exception()
