"""Passes the end of a parent that failed or was cancelled on to its children; they to theirs."""

from __future__ import annotations

from duly.model.events import Emit
from duly.store.children import PassOn, bereft, pass_on
from duly.store.database import Database


class Orphans:
    """Cancels the living children of such tasks, some at a time; any process may do it."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    async def tick(self) -> int:
        """Answers whose children were told. Children that end at once have theirs told in the same tick."""
        total = 0
        while parents := await self._database.read(bereft):
            for id_ in parents:
                await self._tell(id_)
            total += len(parents)
        return total

    async def _tell(self, id_: str) -> None:
        after: str | None = ""
        while after is not None:
            after = await self._database.write(pass_on, PassOn(id_, after))
        self._emit("task.children_cancelled", task_id=id_)
