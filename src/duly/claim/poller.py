"""Asks for exactly as much work as there are free slots: on every hint, and every second anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from duly.model.task import Claimed
from duly.registry import LANES, Registry
from duly.store.claims import ClaimRequest, Lane, claim, promote
from duly.store.database import Database
from duly.store.due import anything
from duly.store.transaction import Transaction

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
        self._turn = asyncio.Lock()
        #: Claims whose answer is still on its way: their rows are ours although nothing holds them yet.
        self.in_flight = 0

    async def tick(self, session: str) -> int:
        """Claims for every free slot; answers how many attempts were started. Rounds follow each other.

        Raises:
            SessionEnded: the session was ended by another process.
        """
        async with self._turn:
            request = ClaimRequest(session=session, queues=self._queues, lanes=self._lanes())
            # Look first: a claim that finds nothing would still commit, and every commit is a hint to look.
            due, startable = await self._database.read(_look, request)
            if due:
                await self.promote()
            return await self._claim(request) if due or startable else 0

    def _lanes(self) -> tuple[Lane, ...]:
        return tuple(
            Lane(types=tuple(types), free=free)
            for lane in LANES
            if (types := self._registry.lane(lane)) and (free := self._free(lane)) > 0
        )

    async def _claim(self, request: ClaimRequest) -> int:
        self.in_flight += 1
        try:
            claimed: list[Claimed] = await self._database.write(claim, request, last=True)
            self._start(claimed)
        finally:
            self.in_flight -= 1
        return len(claimed)

    async def promote(self) -> None:
        """Lets the clock act on all that is due."""
        while await self._database.write(promote, DUE_BATCH) >= DUE_BATCH:
            pass


def _look(tx: Transaction, request: ClaimRequest) -> tuple[bool, bool]:
    """Whether the clock must act, and whether this claim would find a task; one read for both."""
    return bool(tx.run("due", limit=1)), _startable(tx, request)


def _startable(tx: Transaction, request: ClaimRequest) -> bool:
    """An empty queue is one index probe."""
    return any(
        tx.run("candidates", lane.types, queue=queue, free=1)
        for queue in request.queues
        if request.lanes and anything(tx, (queue,))
        for lane in request.lanes
    )
