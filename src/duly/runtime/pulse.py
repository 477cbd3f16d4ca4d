"""The worker's sign of life: its event loop turns, and the next handler must have ended in so many seconds.

The parent kills a child whose loop is silent past that time: a handler that blocks the loop for ever would
otherwise keep all its companions, for the parent goes on renewing the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """Tells at every tick, and when a handler begins that must end sooner than the parent knows."""

    def __init__(self, ends_by: Callable[[], float | None], tell: Callable[[float], None]) -> None:
        self._ends_by = ends_by
        self._tell = tell
        self._told = float("inf")

    async def tick(self) -> None:
        """One sign of life: the seconds until the first running handler must have ended; 0: none runs."""
        ends_by, now = self._ends_by(), asyncio.get_running_loop().time()
        self._told = float("inf") if ends_by is None else ends_by
        self._tell(0.0 if ends_by is None else max(0.0, ends_by - now))

    def begun(self) -> None:
        """Handlers are about to begin."""
        ends_by = self._ends_by()
        if ends_by is not None and ends_by < self._told:
            self._told = ends_by
            self._tell(max(0.0, ends_by - asyncio.get_running_loop().time()))
