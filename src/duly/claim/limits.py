"""Looks after limits: writes down what the code declares, wakes who waits beside room, mends wrong counts."""

from __future__ import annotations

from duly.model.events import Emit
from duly.registry import Registry
from duly.store import limit_care, limit_desk, limits
from duly.store.database import Database
from duly.store.limit_desk import Declared


class LimitKeeper:
    """Any process may look; what it finds is looked at again under the limit's lock."""

    def __init__(self, database: Database, registry: Registry, *, emit: Emit) -> None:
        self._database = database
        self._registry = registry
        self._emit = emit

    async def sync(self) -> None:
        """Writes down what the program's task types declare, where something else stands."""
        said = [Declared(task_type=kind.name, limits=kind.limits) for kind in self._registry]
        if new := await self._database.read(limit_desk.undeclared, said):
            await self._database.write_many(limit_desk.declare, new)
            self._emit("limit.declared", task_types=[one.task_type for one in new])

    async def tick(self) -> int:
        """Answers in how many limits somebody was woken, or a count was wrong."""
        found = await self._database.read(limit_care.look)
        if found.roomy:
            await self._database.write(limits.wake, found.roomy)
        for one in await self._database.write_many(limit_care.correct, found.wrong):
            if one is not None:
                self._emit("limit.corrected", limit=one.name, taken=one.taken, counted=one.counted)
        return len(found.roomy) + len(found.wrong)
