"""Answer or acknowledge: callers wait until tasks have ended, woken by hints, sure by polling.

One query per hint serves all callers of the process.
"""

from __future__ import annotations

import asyncio
import contextlib

from duly.model.errors import NotReady
from duly.store import lists
from duly.store.database import Database

POLL_SECONDS = 1.0
#: Commits come in bursts; one look per this long is soon enough for a person.
GATHER_SECONDS = 0.005


class Ends:
    """Resolves a future per waiting caller when its task has ended or is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, id_: str, seconds: float) -> bool:
        """Whether the task ends within `seconds`; a task that does not exist has ended."""
        if await self._settle([id_]):
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id_, []).append(future)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), name="duly-ends")
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return bool(await self._settle([id_]))
        finally:
            self._forget(id_, future)
        return True

    async def close(self) -> None:
        """Stops looking; callers that still wait see their own timeout."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    def _forget(self, id_: str, future: asyncio.Future[None]) -> None:
        rest = [one for one in self._waiting.pop(id_, []) if one is not future]
        if rest:
            self._waiting[id_] = rest

    async def _watch(self) -> None:
        hint, loop = asyncio.Event(), asyncio.get_running_loop()
        forget = self._database.subscribe(lambda _: loop.call_soon_threadsafe(hint.set))
        try:
            while self._waiting:
                await self._pause(hint)
                await self._look()
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            forget()

    async def _look(self) -> None:
        """Resolves who waits for what has ended; a busy database is asked again at the next hint."""
        with contextlib.suppress(NotReady):
            for id_ in await self._settle(list(self._waiting)):
                self._resolve(id_)

    def _resolve(self, id_: str) -> None:
        for future in self._waiting.get(id_, []):
            if not future.done():
                future.set_result(None)

    async def _pause(self, hint: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await hint.wait()
        except TimeoutError:
            return
        hint.clear()

    async def _settle(self, ids: list[str]) -> list[str]:
        found = await self._database.read(lists.statuses, ids)
        return [id_ for id_ in ids if id_ not in found or found[id_].terminal]
