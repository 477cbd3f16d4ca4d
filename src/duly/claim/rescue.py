"""Takes back what died with a worker: expired sessions, and rows of our own that we do not hold."""

from __future__ import annotations

from collections.abc import Callable

from duly.claim.pace import Pace
from duly.model.events import Emit
from duly.store import lists, sessions
from duly.store.claims import Finish, finish, rescue
from duly.store.database import Database


class Rescuer:
    """Ends sessions whose lease is over and gives their tasks back; any process may do it to any other.

    Its own session it leaves alone, and its sibling's, the other child of its parent: after the host slept,
    the sweep may come before the renewal.
    """

    def __init__(
        self, database: Database, *, emit: Emit, own: Callable[[], str | None] = lambda: None
    ) -> None:
        self._database = database
        self._emit = emit
        self._own = own
        self._pace = Pace(database.clock.monotonic, database.terms.lease_ms / 1000)
        self.sibling: str | None = None

    async def tick(self) -> int:
        """Answers how many tasks were given back."""
        dead = await self._dead()
        for ours in (self._own(), self.sibling):
            dead.pop(ours or "", None)
        orphaned = await self._database.read(lambda tx: tx.run("orphans"))
        owed = await self._database.read(lambda tx: tx.run("deliveries_adrift"))
        if not dead and not orphaned and not owed:
            return 0
        for session in dead:
            self._emit("session.expired", worker_id=session)
        total = 0
        while count := await self._database.write(rescue, dead):
            total += count
        self._emit("rescue.done", tasks=total, sessions=len(dead))
        return total

    async def _dead(self) -> dict[str, int]:
        """The sessions whose lease is over, or after a jump of the clock those that are not renewed; and when
        each lease ends, for who renews it meanwhile lives."""
        monotonic = self._database.clock.monotonic
        now, at, over = await self._database.read(lambda tx: (tx.now, monotonic(), sessions.expired(tx)))
        if jump := self._pace.jump(now, at):
            self._emit("clock.jumped", seconds=round(jump, 1), level="warning")
            self._pace.lose(await self._leases())
        if not self._pace.lost:
            return over
        leases = await self._leases()
        return {id_: leases[id_] for id_ in self._pace.dead(over, leases) & leases.keys()}

    async def _leases(self) -> dict[str, int]:
        """Each session that nobody has ended, with the end of its lease."""
        return {row["id"]: row["lease_until"] for row in await self._database.read(lists.living_workers)}


class Reconciler:
    """Hands back rows that run under our session without our knowledge: a claim whose answer was lost."""

    def __init__(
        self,
        database: Database,
        *,
        emit: Emit,
        held: Callable[[], set[tuple[str, int]]],
        claiming: Callable[[], bool],
    ) -> None:
        self._database = database
        self._emit = emit
        self._held = held
        self._claiming = claiming

    async def tick(self, session: str) -> int:
        """Answers how many tasks were handed back; none while a claim is in flight."""
        before = self._held()
        if self._claiming():
            return 0
        rows = await self._database.read(sessions.held_by, session)
        strangers = [row for row in rows if row not in before and row not in self._held()]
        if self._claiming() or not strangers:
            return 0
        for id_, attempt in strangers:
            self._emit("task.unknown_claim", task_id=id_, attempt=attempt)
        why = "the answer to its claim was lost"
        await self._database.write_many(finish, [Finish.handed_back(*row, reason=why) for row in strangers])
        return len(strangers)
