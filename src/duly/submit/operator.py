"""What an operator does to queues and to many tasks at once: in batches, each one short transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from duly.model.bulk import BulkJob
from duly.model.errors import InvalidInput, QueueNotFound
from duly.model.events import Emit
from duly.model.state import IDLE, Status
from duly.model.task import check_name
from duly.store import bulk, deeds, lists, pauses, queues, weights
from duly.store.bulk import Chosen, Moving
from duly.store.database import Database
from duly.store.lists import Filter
from duly.store.queues import QueueState
from duly.store.weights import Share, Sharer
from duly.store.writer import Verb

#: So many tasks are locked at a time.
BATCH = 100
#: What a purge takes when nothing is said: not what is suspended, for that has done work already.
PURGED = (Status.SCHEDULED, Status.PENDING, Status.BLOCKED, Status.RETRY)
MOVED = tuple(status for status in Status if status in IDLE)
LIVING = tuple(status for status in Status if not status.terminal)
#: All tasks of an installation are never meant by saying nothing.
NOTHING_CHOSEN = "say which tasks: by status, type, queue, owner, tag, error code, time, or id"
RETRIED = (Status.FAILED, Status.CANCELLED)
#: In which states each action of a job is possible, which it takes when nothing is said, and its word.
_ACTIONS: dict[str, tuple[frozenset[Status], tuple[Status, ...], str]] = {
    "retry": (frozenset(RETRIED), (Status.FAILED,), "retried"),
    "cancel": (frozenset(LIVING), LIVING, "cancelled"),
    "move": (IDLE, MOVED, "moved"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many tasks it was done to, and whether the limit left some that fit."""

    count: int
    more: bool = False


class Operator:
    """Pauses queues, empties them, moves and retries tasks, through one database."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    async def queues(self) -> list[QueueState]:
        """All queues by name."""
        return await self._database.read(queues.queues)

    async def queue(self, name: str) -> QueueState:
        """One queue.

        Raises:
            QueueNotFound: no worker has served it, nobody paused it, and no task is in it.
        """
        check_name(name, "queue")
        found = await self._database.read(queues.queues, name)
        if not found:
            known = ", ".join(one.name for one in await self.queues())
            raise QueueNotFound(f"there is no queue {name}; there are: {known or 'none yet'}")
        return found[0]

    async def pause(self, name: str, *, by: str | None = None, reason: str | None = None) -> QueueState:
        """From the answer on no worker starts a task of the queue; what runs goes on.

        Raises:
            QueueNotFound: see `queue`.
        """
        item = pauses.Pause(queue=name, by=by, reason=reason)
        await self.queue(name)
        await self._database.write(pauses.pause, item)
        self._emit("queue.paused", queue=name, by=by, reason=reason)
        return await self.queue(name)

    async def resume(self, name: str) -> QueueState:
        """Opens the queue; workers look at once. An open one stays as it is."""
        await self.queue(name)
        if await self._database.write(pauses.resume, name):
            self._emit("queue.resumed", queue=name)
        return await self.queue(name)

    async def purge(self, name: str, statuses: tuple[Status, ...] = (), *, limit: int) -> Tally:
        """Cancels what waits in the queue, and nothing that runs; history is kept.

        Raises:
            InvalidInput: a status in which nothing can be cancelled at once.
        """
        await self.queue(name)
        wanted = _within(Filter(queue=name, statuses=statuses), IDLE, PURGED, "purged")
        return await self._each("purged", bulk.purge, wanted, limit)

    async def retry(self, wanted: Filter, *, limit: int) -> Tally:
        """Another run for the failed tasks that fit, or for cancelled ones if the filter says so.

        Raises:
            InvalidInput: the filter asks for another state.
        """
        wanted = _within(wanted, *_ACTIONS["retry"])
        return await self._each("retried", bulk.retry, wanted, limit)

    async def cancel(self, wanted: Filter, *, limit: int) -> Tally:
        """Cancels the tasks that fit and have not ended; what runs is asked to stop.

        Raises:
            InvalidInput: the filter asks for a state in which a task has ended.
        """
        wanted = _within(wanted, *_ACTIONS["cancel"])
        return await self._each("cancelled", bulk.cancel, wanted, limit)

    async def move(
        self, wanted: Filter, *, to: str | None = None, priority: int | None = None, limit: int
    ) -> Tally:
        """Puts tasks that neither run nor have ended into another queue, or to another priority, or both.

        Raises:
            InvalidInput: the filter asks for another state, or neither queue nor priority is given.
        """
        wanted = _within(wanted, *_ACTIONS["move"])
        Moving(chosen=Chosen(ids=(), wanted=wanted), queue=to, priority=priority)  # says what is wrong now
        return await self._each(
            "moved",
            bulk.move,
            wanted,
            limit,
            lambda chosen: Moving(chosen=chosen, queue=to, priority=priority),
        )

    def job(
        self, action: str, wanted: Filter, *, to: str | None = None, priority: int | None = None
    ) -> BulkJob:
        """What a bulk job is submitted with: `retry`, `cancel` or `move` of all that fit, however many.

        Raises:
            InvalidInput: as of the same action at once; or a place for what is not moved.
        """
        possible, usual, done = _ACTIONS[action]
        wanted = _within(wanted, possible, usual, done)
        place = {name: value for name, value in (("queue", to), ("priority", priority)) if value is not None}
        if action != "move" and place:
            raise InvalidInput("a queue or a priority is for `move` only")
        if action == "move":
            Moving(chosen=Chosen(ids=(), wanted=wanted), queue=to, priority=priority)  # says what is wrong
        return BulkJob(action=action, where=deeds.words(wanted), to=place or None)

    async def shares(self) -> list[Share]:
        """All weights that were given."""
        return await self._database.read(weights.shares)

    async def weigh(self, owner: str, weight: int, *, tenant: str = "") -> Share:
        """Gives an owner `weight` turns (1..100) for each turn of others, for tasks submitted from now on. An
        empty owner: all of the tenant's who have no weight of their own.

        Raises:
            InvalidInput: a weight out of range, or a name that no owner can have.
        """
        share = Share(of=Sharer(owner=owner, tenant=tenant), weight=weight)
        await self._database.write(weights.put, share)
        self._emit("share.set", tenant=tenant, owner=owner, weight=weight)
        return share

    async def unweigh(self, owner: str, *, tenant: str = "") -> bool:
        """Takes an owner's own weight away; whether he had one.

        Raises:
            InvalidInput: a name that no owner can have.
        """
        cleared: bool = await self._database.write(weights.clear, Sharer(owner=owner, tenant=tenant))
        if cleared:
            self._emit("share.cleared", tenant=tenant, owner=owner)
        return cleared

    async def _each(
        self,
        done: str,
        verb: Verb,
        wanted: Filter,
        limit: int,
        item: Callable[[Chosen], Any] = lambda chosen: chosen,
    ) -> Tally:
        """Batch after batch in the order of ids, so that nothing is looked at twice."""
        count, after = 0, ""
        while ids := await self._database.read(lists.chosen, wanted, after=after, limit=BATCH):
            if count >= limit:
                break
            ids = ids[: limit - count]
            count += await self._database.write(verb, item(Chosen(ids=tuple(ids), wanted=wanted)))
            after = ids[-1]
        self._emit(f"tasks.{done}", count=count, queue=wanted.queue, task_type=wanted.task_type)
        return Tally(count=count, more=bool(ids))


def _within(wanted: Filter, possible: frozenset[Status], usual: tuple[Status, ...], done: str) -> Filter:
    """The filter with the states that it means, all of which must be possible."""
    if wanted == Filter():
        raise InvalidInput(NOTHING_CHOSEN)
    asked = wanted.statuses if wanted.status is None else (wanted.status,)
    if wrong := [status for status in asked if status not in possible]:
        can = ", ".join(status for status in Status if status in possible)
        raise InvalidInput(f"a {wrong[0]} task cannot be {done}; only: {can}")
    return replace(wanted, status=None, statuses=asked or usual)
