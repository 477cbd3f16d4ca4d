"""Whether the database can be read and written now, asked at most once a second: anybody may ask."""

from __future__ import annotations

import asyncio
from typing import Any

from duly.model.errors import DulyError
from duly.runtime.app import App
from duly.store import lists
from duly.store.probe import probe

#: A database that does not answer a probe within this is not ready.
PROBE_SECONDS = 2.0
#: How long a good answer serves: each costs a commit.
SERVES_SECONDS = 1.0


class Probe:
    """One per process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._good_at = float("-inf")

    async def failure(self) -> str:
        """What is wrong, in words for strangers; empty if nothing is."""
        now = self._app.clock.monotonic()
        if now < self._good_at + SERVES_SECONDS:
            return ""
        failure = await self._ask()
        if not failure:
            self._good_at = now
        return failure

    async def _ask(self) -> str:
        database = self._app.database
        try:
            # Shielded: a probe that gives up must not take its call away from the writer.
            calls = asyncio.gather(database.read(lists.statuses, []), database.write(probe, None))
            calls.add_done_callback(_seen)
            async with asyncio.timeout(PROBE_SECONDS):
                await asyncio.shield(calls)
        except TimeoutError:
            return f"the database did not answer within {PROBE_SECONDS:g} seconds"
        except DulyError as error:
            self._app.emit("http.unready", path="/readyz", error=error.message)
            return "the database cannot be used now"
        return ""


def _seen(calls: asyncio.Future[Any]) -> None:
    """How the calls of a probe that gave up ended is nobody's business."""
    if not calls.cancelled():
        calls.exception()
