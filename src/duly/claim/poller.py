"""Asks for exactly as much work as there are free slots: on every hint, and every second anyway."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from duly.model.task import Claimed
from duly.registry import LANES, Registry
from duly.store.claims import ClaimRequest, Lane, claim, promote
from duly.store.database import Database
from duly.store.due import anything

DUE_BATCH = 100


class Poller:
    """Moves due tasks to pending, then claims."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        queues: tuple[str, ...],
        *,
        free: Callable[[str], int],
        start: Callable[[Sequence[Claimed]], None],
    ) -> None:
        self._database = database
        self._registry = registry
        self._queues = queues
        self._free = free
        self._start = start
        #: Claims whose answer is still on its way: their rows are ours although nothing holds them yet.
        self.in_flight = 0

    async def tick(self, session: str) -> int:
        """Claims for every free slot; answers how many attempts were started.

        Raises:
            SessionEnded: the session was ended by another process.
        """
        await self.promote()
        lanes = tuple(
            Lane(types=tuple(types), free=self._free(lane))
            for lane in LANES
            if (types := self._registry.lane(lane)) and self._free(lane) > 0
        )
        if not lanes or not await self._database.read(anything, self._queues):
            return 0
        request = ClaimRequest(session=session, queues=self._queues, lanes=lanes)
        self.in_flight += 1
        try:
            claimed: list[Claimed] = await self._database.write(claim, request, last=True)
            self._start(claimed)
        finally:
            self.in_flight -= 1
        return len(claimed)

    async def promote(self) -> None:
        """Lets the clock act on what is due; nothing is written when nothing is."""
        while await self._database.read(lambda tx: tx.run("due", limit=1)):
            if await self._database.write(promote, DUE_BATCH) < DUE_BATCH:
                return
