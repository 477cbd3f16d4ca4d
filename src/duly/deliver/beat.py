"""Looks for all followers of a process together: soon after a commit, and every second at the least."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from duly.model.errors import NotReady
from duly.store.database import Database

POLL_SECONDS = 1.0
#: Commits come in bursts; one look per this long is soon enough for a person.
GATHER_SECONDS = 0.02
#: A look that took a second is followed by so many without one: followers never take more than their share.
#: Never by more than a poll: over a slow line most of what a look takes is waiting, which is nobody's share.
REST = 3


class Beat:
    """Runs `look` while somebody follows. What it raises goes to `failed`, but a database that is away."""

    def __init__(
        self, database: Database, look: Callable[[], Awaitable[None]], failed: Callable[[Exception], None]
    ) -> None:
        self._database = database
        self._look = look
        self._failed = failed
        self._listening = contextlib.ExitStack()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, if it does not run."""
        if self._task is None:
            hint = self._listening.enter_context(hints(self._database))
            self._task = asyncio.get_running_loop().create_task(self._run(hint), name="duly-beat")

    def stop(self) -> None:
        """Ends; nobody follows any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._listening.close()

    async def _run(self, hint: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            hint.clear()
            began = loop.time()
            try:
                await self._look()
            except NotReady:
                pass
            except Exception as error:  # noqa: BLE001 - each follower raises it in its own place
                self._failed(error)
            await asyncio.sleep(min(REST * (loop.time() - began), POLL_SECONDS))
            await pause(hint, POLL_SECONDS)


async def pause(hint: asyncio.Event, seconds: float) -> None:
    """Until a commit, for at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await hint.wait()
    except TimeoutError:
        return
    await asyncio.sleep(GATHER_SECONDS)


@contextlib.contextmanager
def hints(database: Database) -> Iterator[asyncio.Event]:
    """An event that is set after commits, of this process and of others."""
    hint, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake(_foreign: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody follows any more
            loop.call_soon_threadsafe(hint.set)

    forget = database.subscribe(wake)
    try:
        yield hint
    finally:
        forget()
