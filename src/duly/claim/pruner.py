"""Deletes what has been kept long enough: a few tasks at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from duly.model.errors import NotReady
from duly.model.events import Emit
from duly.store import audit, buckets, ledger, limit_care, uploads
from duly.store.database import Database
from duly.store.reserve import Reserve
from duly.store.retention import FRONT, Expired, expired, forget_sessions, prunable, prune

#: Tasks that one transaction deletes.
BATCH = 100
#: Uploads that one transaction deletes, for they are large, and transactions of one pass.
UPLOADS, UPLOAD_ROUNDS = 10, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which ended tasks go: those whose time is over, of this type; or those that ended before a moment.

    `ended_before`: milliseconds UTC; then it is not asked until when they were to be kept.
    """

    task_type: str | None = None
    ended_before: int | None = None

    def takes(self, one: Expired) -> bool:
        """Whether it is one of these."""
        typed = self.task_type is None or one.task_type == self.task_type
        return typed and (self.ended_before is None or one.completed_at < self.ended_before)

    @property
    def until(self) -> int | None:
        """Where the walk along the ends of times ends: now, or with the last of them."""
        return None if self.ended_before is None else 2**62


EXPIRED = Wanted()


class Pruner:
    """Walks along the ended tasks in the order in which their time ends, a batch per `tick`.

    What still owes an answer is passed by, and looked at again in the next pass. On a full disk the reserve
    is released, for without room nothing can be deleted; at the end of a pass it is kept anew.
    """

    def __init__(
        self,
        database: Database,
        reserve: Reserve,
        *,
        emit: Emit,
        wanted: Wanted = EXPIRED,
        dry: bool = False,
    ) -> None:
        self._database = database
        self._reserve = reserve
        self._emit = emit
        self._wanted = wanted
        self._dry = dry
        self._place = FRONT
        #: Whether the pass is not over.
        self.more = False
        #: What this pass has deleted, and what it has passed by.
        self.tasks = self.kept = self.sessions = self.uploads = 0

    async def tick(self) -> int:
        """Deletes the next batch; answers how many tasks that were."""
        if not self.more:
            self._place, self.tasks, self.kept, self.sessions = FRONT, 0, 0, 0
        try:
            return await self._batch()
        except NotReady as error:
            if not self._reserve.helps(error):
                raise
            self._emit("store.reserve_released", path=str(self._reserve.path), level="warning")
            self.more = True
            return 0

    async def all(self, told: Callable[[int], None] = lambda _: None) -> None:
        """A whole pass, for an operator who waits for it; `told` hears the count grow."""
        await self.tick()
        while self.more:
            told(self.tasks)
            await self.tick()

    async def _batch(self) -> int:
        page = await self._database.read(expired, self._wanted.until, after=self._place, limit=BATCH)
        items = [one for one in page if self._wanted.takes(one)]
        gone = await self._delete(items)
        self.tasks, self.kept = self.tasks + gone, self.kept + len(items) - gone
        self.more = len(page) == BATCH
        if self.more:
            self._place = page[-1]
        else:
            await self._end()
        return gone

    async def _delete(self, items: list[Expired]) -> int:
        if self._dry:
            return len(await self._database.read(prunable, items))
        return sum(await self._database.write_many(prune, items))

    async def _end(self) -> None:
        if self._dry:
            return
        self.sessions = await self._database.write(forget_sessions, None)
        await self._database.write(limit_care.forget, None)
        await self._database.write(audit.forget, None)
        await self._database.write(ledger.forget, None)
        await self._database.write(buckets.forget, None)
        self.uploads = await self._forget_uploads()
        if self.tasks or self.sessions or self.uploads:
            self._emit(
                "store.pruned", tasks=self.tasks, kept=self.kept, sessions=self.sessions, uploads=self.uploads
            )
        if not await asyncio.to_thread(self._reserve.keep) and self._reserve.size:
            self._emit("store.reserve_missing", path=str(self._reserve.path), level="warning")

    async def _forget_uploads(self) -> int:
        """Deletes uploads that nobody uses, a few at a time; answers how many."""
        gone = 0
        for _ in range(UPLOAD_ROUNDS):
            page = await self._database.read(uploads.old, UPLOADS)
            gone += sum(await self._database.write_many(uploads.forget, page))
            if len(page) < UPLOADS:
                break
        return gone
