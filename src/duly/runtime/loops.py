"""The one loop that repeats anything: on a hint and after an interval. Errors are said, never fatal."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from duly.model.events import Emit

#: Errors in a row after which a worker calls itself unready, unless the settings say otherwise.
UNREADY_AFTER = 4
#: The rest after a first error, in intervals, doubled after each further one up to a cap in seconds: most
#: errors are a short absence of the database, after which work waits.
FIRST_REST = 0.5
BACKOFF_CAP = 5.0


def rest_after(errors: int, interval: float) -> float:
    """Seconds before the next tick after so many errors in a row."""
    return min(BACKOFF_CAP, interval * FIRST_REST * 2.0 ** min(errors - 1, 40))


class Loop:
    """Calls `tick` every `interval` seconds (± 20 %), or sooner when `hint()` is called.

    However many hints come, two ticks begin at least `apart` seconds from each other, and `apart_idle` after
    one that found nothing (`tick` answers what it found): most hints of a busy worker are not for this loop.
    """

    def __init__(
        self,
        name: str,
        interval: float,
        tick: Callable[[], Awaitable[Any]],
        *,
        emit: Emit,
        apart: float = 0.0,
        apart_idle: float | None = None,
    ) -> None:
        self.name = name
        self._interval = interval
        self._tick = tick
        self._apart = apart
        self._apart_idle = apart if apart_idle is None else apart_idle
        self._emit = emit
        self._hint = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._found = True
        #: Errors in a row after which it calls its worker unready.
        self.unready_after = UNREADY_AFTER
        #: Errors in a row; 0 means that the last tick was good.
        self.errors = 0

    def start(self) -> None:
        """Begins to repeat."""
        self._task = asyncio.create_task(self._run(), name=f"duly-loop-{self.name}")

    def hint(self) -> None:
        """Something may be there to do: do not wait for the interval."""
        self._hint.set()

    @property
    def hinted(self) -> bool:
        """Whether the next tick will not wait for the interval."""
        return self._hint.is_set()

    async def stop(self) -> None:
        """Stops after the tick that is under way: a claim that is cut off leaves tasks that nobody holds."""
        self._over.set()
        self._hint.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    @property
    def unready(self) -> bool:
        """Whether it has met error after error."""
        return self.errors >= self.unready_after

    async def _run(self) -> None:
        while not self._over.is_set():
            self._hint.clear()
            try:
                self._found = bool(await self._tick())
            except Exception as error:  # noqa: BLE001 - a loop of a worker must not end silently
                self.errors += 1
                name = "worker.unready" if self.unready else "loop.failed"
                self._emit(name, loop=self.name, errors=self.errors, error=repr(error))
            else:
                if self.unready:
                    self._emit("worker.ready_again", loop=self.name, errors=self.errors)
                self.errors = 0
            await self._pause()
            await asyncio.sleep(0)  # a tick that waits for nothing and hints itself leaves turns to others

    async def _pause(self) -> None:
        """Waits for the interval or a hint; after errors ever longer, and hints do not count."""
        seconds = self._interval * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        if self.errors:
            seconds = rest_after(self.errors, seconds)
        awaited = self._over if self.errors or self._over.is_set() else self._hint
        if self._apart and not self._over.is_set():
            await asyncio.sleep(self._apart if self._found else self._apart_idle)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await awaited.wait()
