"""Submits the ticks of schedules that are due. Every worker looks; the row decides whose tick it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

import uuid_utils

from duly.model.errors import NotReady
from duly.model.events import Emit
from duly.model.schedule import Schedule
from duly.store import schedules
from duly.store.database import Database
from duly.store.schedules import Tick
from duly.store.submissions import Accepted

#: How many ticks of one schedule, and about how many tasks altogether, go into one transaction.
AT_ONCE = 100
#: How often one look goes on while it finds more: enough for the longest catch-up.
ROUNDS = 20


class Ticker:
    """One look after the other; `sync` writes down what the code declares, before the first one."""

    def __init__(self, database: Database, *, emit: Emit, sync: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._emit = emit
        self._sync = sync
        self._synced = False
        self._told: dict[str, str] = {}

    async def sync(self) -> None:
        """Writes down what the code declares, once."""
        if not self._synced:
            await self._sync()
            self._synced = True

    async def tick(self) -> int:
        """Submits all that is due; answers how many tasks."""
        await self.sync()
        count = 0
        for _ in range(ROUNDS):
            found = await self._database.read(schedules.due)
            self._tell(found.unreadable)
            ticks = [plan(one, found.now) for one in found.schedules]
            submitted = sum([await self._submit(portion) for portion in _portions(ticks)])
            count += submitted
            if not submitted:
                break
        return count

    async def _submit(self, ticks: Sequence[Tick]) -> int:
        """Together, or if that fails one by one: a schedule that cannot be submitted holds up no other."""
        try:
            answers = await self._database.write_many(schedules.tick, ticks)
        except NotReady:
            raise
        except Exception as error:  # noqa: BLE001 - told; one schedule stops no other
            if len(ticks) == 1:
                self._tell({ticks[0].schedule.name: repr(error)})
                return 0
            return sum([await self._submit([one]) for one in ticks])
        return sum(map(self._ticked, ticks, answers))

    def _ticked(self, one: Tick, accepted: Sequence[Accepted] | None) -> int:
        if not accepted:
            return 0
        late = self._database.clock.now_ms() - (one.last_at or 0)
        created = sum(each.created for each in accepted)
        self._emit("schedule.ticked", schedule=one.schedule.name, tasks=created, late_ms=late)
        return len(accepted)

    def _tell(self, troubles: dict[str, str]) -> None:
        """Says what is wrong with a schedule once, not every second."""
        for name, error in troubles.items():
            if self._told.get(name) != error:
                self._told[name] = error
                self._emit("schedule.failed", schedule=name, error=error)


def plan(schedule: Schedule, now: int) -> Tick:
    """The tasks of the ticks that are due, the oldest `AT_ONCE` of them, and what comes next."""
    due = schedule.due(now)
    ticks, rest = due[:AT_ONCE], due[AT_ONCE:]
    return Tick(
        schedule,
        tuple(schedule.submission(str(uuid_utils.uuid7()), at, now) for at in ticks),
        last_at=ticks[-1] if ticks else None,
        next_at=rest[0] if rest else schedule.rhythm.after(now),
    )


def _portions(ticks: Sequence[Tick]) -> Iterator[list[Tick]]:
    portion: list[Tick] = []
    size = 0
    for one in ticks:
        if portion and size + len(one.submissions) > AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += len(one.submissions) + 1
    if portion:
        yield portion
