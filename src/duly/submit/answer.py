"""Answer or acknowledge: callers wait until tasks have ended or changed, woken by hints, sure by polling.

One query per hint serves all callers of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from duly.model.errors import NotReady
from duly.store import lists
from duly.store.database import Database
from duly.store.lists import Mark

#: Whether a caller's wait is over, for a task that stands like this; None: it does not exist.
Over = Callable[[Mark | None], bool]

POLL_SECONDS = 1.0
#: Commits come in bursts; one look per this long is soon enough for a person.
GATHER_SECONDS = 0.005


def has_ended(mark: Mark | None) -> bool:
    """A task that does not exist has ended."""
    return mark is None or mark.status.terminal


class Ends:
    """Resolves a future per waiting caller when its task has ended, has changed, or is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[tuple[Over, asyncio.Future[None]]]] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, id_: str, seconds: float, over: Over = has_ended) -> bool:
        """Whether the wait is over within `seconds`: the task has ended, unless `over` says otherwise."""
        if over(await self.mark(id_)):
            return True
        entry = (over, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(id_, []).append(entry)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(), name="duly-ends")
        try:
            async with asyncio.timeout(seconds):
                await entry[1]
        except TimeoutError:
            return over(await self.mark(id_))
        finally:
            self._forget(id_, entry)
        return True

    async def changed(self, id_: str, since: Mark | None, seconds: float) -> bool:
        """Whether the task stands otherwise than `since`, within `seconds`."""
        return await self.wait(id_, seconds, lambda mark: mark != since)

    async def close(self) -> None:
        """Stops looking; callers that still wait see their own timeout."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    def _forget(self, id_: str, entry: tuple[Over, asyncio.Future[None]]) -> None:
        rest = [one for one in self._waiting.pop(id_, []) if one is not entry]
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
        """Resolves whose wait is over; a busy database is asked again at the next hint."""
        with contextlib.suppress(NotReady):
            found = await self._database.read(lists.marks, list(self._waiting))
            for id_, entries in self._waiting.items():
                self._resolve(found.get(id_), entries)

    def _resolve(self, mark: Mark | None, entries: list[tuple[Over, asyncio.Future[None]]]) -> None:
        for over, future in entries:
            if not future.done() and over(mark):
                future.set_result(None)

    async def _pause(self, hint: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await hint.wait()
        except TimeoutError:
            return
        hint.clear()

    async def mark(self, id_: str) -> Mark | None:
        """How far the task is; None: there is none."""
        return (await self._database.read(lists.marks, [id_])).get(id_)
