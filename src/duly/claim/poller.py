"""Asks for exactly as much work as there are free slots: on every hint, and every second anyway."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum

from duly.failpoints import failpoint
from duly.model.task import Claimed
from duly.registry import LANES, Registry
from duly.store.claims import ClaimRequest, Lane, claim, promote, room_beside, startable
from duly.store.database import Database
from duly.store.transaction import Transaction

DUE_BATCH = 100
#: How often what is due is looked for at least, while claim follows claim, in seconds.
LOOK_SECONDS = 1.0


class Role(Enum):
    """Which tasks a worker takes: suspects, under which workers died, run apart from all others."""

    #: All but suspects: its parent has another child for those.
    ORDINARY = "ordinary"
    #: Suspects only.
    QUARANTINE = "quarantine"
    #: All; suspects when nothing else runs, and then nothing else until they have ended.
    ALONE = "alone"
    #: None by itself: those that messages of a broker name.
    CARRIER = "carrier"


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
        role: Role = Role.ORDINARY,
        shares: Callable[[], tuple[int, ...]] = tuple,
    ) -> None:
        self._database = database
        self._registry = registry
        self._queues = queues
        self._free = free
        self._start = start
        self._role = role
        self._shares = shares
        self._turn = asyncio.Lock()
        #: Whether there is more to claim, as far as is known.
        self.more = False
        #: Whether the last round has not seen all: some was locked by others, or stood behind many losers.
        self.again = False
        #: Whether the last round may have left something for want of a slot.
        self.hungry = True
        self._looked_at = self._suspects_at = float("-inf")
        #: Claims whose answer is still on its way: their rows are ours although nothing holds them yet.
        self.in_flight = 0

    async def tick(self, session: str) -> int:
        """Claims for every free slot; answers how many attempts were started. Rounds follow each other.

        Raises:
            SessionEnded: the session was ended by another process.
        """
        async with self._turn:
            begun, self.again = 0, False
            if self._suspects_are_due() and room_beside(shares := self._shares()):
                begun = await self._round(session, beside=shares)
            if begun or self._role is Role.QUARANTINE or any(self._shares()):
                return begun
            return await self._round(session)

    def _suspects_are_due(self) -> bool:
        """Whether to look for suspects first: not in the way of each claim that has a reason to be quick.
        In a quarantine nothing is: there they are all that is looked for."""
        if self._role is not Role.ALONE:
            return self._role is Role.QUARANTINE
        now = self._database.clock.monotonic()
        if self.more and now - self._suspects_at < LOOK_SECONDS:
            return False
        self._suspects_at = now
        return True

    def expect(self) -> None:
        """Something was just submitted here: the next claim needs no look before it."""
        self.more = True

    async def _round(self, session: str, beside: tuple[int, ...] | None = None) -> int:
        lanes = self._lanes(self._free)
        self.hungry = self._role is not Role.ORDINARY or self._short_of_room()
        request = ClaimRequest(session=session, queues=self._queues, lanes=lanes, beside=beside)
        # Look first unless something waits, most likely: a claim that finds nothing would still commit, and
        # every commit is a hint to look.
        if not (self.more and lanes and beside is None):
            return await self._look_and_claim(request)
        begun = await self._claim(request)
        if self._database.clock.monotonic() - self._looked_at >= LOOK_SECONDS:
            await self.look_at_the_clock()
        return begun

    async def _look_and_claim(self, request: ClaimRequest) -> int:
        found = await self.look_at_the_clock(request)
        if found:
            return await self._claim(request)
        self.more = False
        return 0

    async def look_at_the_clock(self, request: ClaimRequest | None = None) -> bool:
        """Lets the clock act if it must; whether there is a task to claim then."""
        try:
            due, found = await self._database.read(_look, request)
            if due:
                await self.promote()
        finally:  # not before: over a slow line a look would be old when it ends, and follow each claim
            self._looked_at = self._database.clock.monotonic()
        return due or found

    async def suspects_wait(self) -> bool:
        """Whether a suspect waits that this program could run."""
        lanes = self._lanes(lambda _: 1)
        request = ClaimRequest(session="", queues=self._queues, lanes=lanes, beside=())
        return await self._database.read(startable, request)

    def _lanes(self, free_in: Callable[[str], int]) -> tuple[Lane, ...]:
        return tuple(
            Lane(types=tuple(types), free=free, name=lane)
            for lane in LANES
            if (types := self._registry.words(lane)) and (free := free_in(lane)) > 0
        )

    def _short_of_room(self) -> bool:
        """Whether a lane has no free slot: it cannot be asked for."""
        return len(self._lanes(self._free)) < len(self._lanes(lambda _: 1))

    async def _claim(self, request: ClaimRequest) -> int:
        self.in_flight += 1
        try:
            claimed: list[Claimed] = await self._database.write(claim, request, last=True)
            failpoint("claim.claimed")
            self._start(claimed)
        finally:
            self.in_flight -= 1
        self.again = getattr(claimed, "more", False)
        given = Counter(self._registry[one.task_type].lane for one in claimed)
        full = any(given[lane.name] == lane.free for lane in request.lanes)
        self.more = full or self.again
        self.hungry = self.hungry or self.more
        return len(claimed)

    async def promote(self) -> None:
        """Lets the clock act on all that is due."""
        while await self._database.write(promote, DUE_BATCH) >= DUE_BATCH:
            pass


def _look(tx: Transaction, request: ClaimRequest | None) -> tuple[bool, bool]:
    """Whether the clock must act, and whether this claim would find a task; one read for both."""
    return bool(tx.run("due", limit=1)), request is not None and startable(tx, request)
