"""Lets tasks that have waited long rise by a priority. Every worker looks at its queues; the row decides."""

from __future__ import annotations

from collections.abc import Sequence

from duly.model.events import Emit
from duly.store import ageing
from duly.store.ageing import Waited
from duly.store.database import Database

#: So many tasks are locked at a time.
BATCH = 100


class Ager:
    """One look after the other; `period` is in seconds, 0 lets nothing rise."""

    def __init__(self, database: Database, queues: Sequence[str], *, period: float, emit: Emit) -> None:
        self._database = database
        self._queues = tuple(queues)
        self._period_ms = round(period * 1000)
        self._emit = emit

    async def tick(self) -> int:
        """Answers how many tasks rose."""
        if not self._period_ms:
            return 0
        ids = await self._database.read(ageing.waited, self._queues, self._period_ms)
        count = 0
        for begin in range(0, len(ids), BATCH):
            part = Waited(ids=tuple(ids[begin : begin + BATCH]), period_ms=self._period_ms)
            count += await self._database.write(ageing.rise, part)
        if count:
            self._emit("tasks.aged", count=count)
        return count
