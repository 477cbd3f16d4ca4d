"""Claims the tasks that messages name, one by one; the message is a hint, the row decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from duly.failpoints import failpoint
from duly.model.task import Claimed
from duly.registry import Registry
from duly.store.database import Database
from duly.store.named import Asker, Named, claim_named, still_waits

#: The rests before a task that is pending is tried again: others have its row, or its limit, locked.
RESTS = (0.02, 0.05, 0.1, 0.2)


class Porter:
    """`start` begins what was claimed, before another step of the loop."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        queues: tuple[str, ...],
        *,
        start: Callable[[Sequence[Claimed]], None],
    ) -> None:
        self._database = database
        self._queues = queues
        self._types = tuple(registry.words())
        self._start = start
        #: Claims whose answer is still on its way: their rows are ours although nothing holds them yet.
        self.in_flight = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    async def take(self, session: str, id_: str) -> Claimed | None:
        """Claims the task and starts it; None: it is not to be started, or not here.

        Raises:
            SessionEnded: the session was ended by another process.
        """
        for rest in (*RESTS, None):
            claimed = await self._claim(session, id_)
            if claimed is not None or rest is None or not await self._database.read(still_waits, id_):
                return claimed
            await asyncio.sleep(rest)
        raise AssertionError("the last rest is none")

    async def _claim(self, session: str, id_: str) -> Claimed | None:
        named = Named(Asker(session, self._queues, self._types), id_)
        self.in_flight += 1
        self._at_rest.clear()
        try:
            claimed: Claimed | None = await self._database.write(claim_named, named, last=True)
            failpoint("claim.claimed")
            if claimed is not None:
                self._start([claimed])
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._at_rest.set()
        return claimed

    async def rest(self) -> None:
        """Returns when no claim is under way."""
        await self._at_rest.wait()
