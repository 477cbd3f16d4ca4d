"""Tasks that have waited long rise by one priority, so that the lowest is served too; off by default.

Only those that stand first at their priority are looked at, by the claim's own index: whoever is behind them
comes first when they have risen. An event tells of each rise, and since it is the task's last one, it begins
the next period: a task of priority 1 stands at 10 after nine of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from duly.model.events import EventType
from duly.model.state import Status
from duly.store import schema
from duly.store.transaction import Transaction, compact
from duly.store.transitions import Facts, facts

#: How many are looked at of each priority of a queue.
LOOK = 100

_TASK = schema.task.c
_Line = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """Tasks that seem to have waited for `period_ms` at their priority; asked again under their locks."""

    ids: tuple[str, ...]
    period_ms: int


class _Place(NamedTuple):
    id: str
    queue: str
    rank: int

    @property
    def next(self) -> _Line:
        """Where it rises to."""
        return (self.queue, self.rank - 1)


def waited(tx: Transaction, queues: Sequence[str], period_ms: int) -> list[str]:
    """Those that have waited so long, as a reader sees it; the highest priority of each queue first."""
    before = tx.now - period_ms
    return [
        id_
        for queue, places in tx.heads.seen(tx.now, queues).items()
        for rank, place in enumerate(places, 1)
        if rank > 1
        for (id_,) in tx.run("waited", queue=queue, rank=rank, place=place, before=before, limit=LOOK)
    ]


def rise(tx: Transaction, items: Sequence[Waited]) -> list[int]:
    """Puts them at the head of the next higher priority, uncharged; the answers count those that rose."""
    return [_rise(tx, item) for item in items]


def _rise(tx: Transaction, item: Waited) -> int:
    known = facts(tx, item.ids)
    places = _still(tx, known, tx.now - item.period_ms)
    heads = {line: _head(tx, *line) for line in {one.next for one in places}}
    if places:
        tx.run("events", [_event(known[one.id], one) for one in places])
        rows = [{"risen": one.id, "to": one.rank - 1, "head": heads[one.next]} for one in places]
        tx.core.execute(_update(tx), rows)
    return len(places)


def _still(tx: Transaction, known: dict[str, Facts], before: int) -> list[_Place]:
    """Asked in a later statement than the lock (DESIGN 4.6): another process may have been faster."""
    waits = (_TASK.status == Status.PENDING, _TASK.suspect == 0, _TASK.rank > 1, _TASK.touched_at <= before)
    query = sa.select(_TASK.id, _TASK.queue, _TASK.rank).where(_TASK.id.in_(list(known)), *waits)
    return [_Place(*row) for row in tx.core.execute(query.order_by(_TASK.id))]


def _head(tx: Transaction, queue: str, rank: int) -> int:
    line = (_TASK.status == sa.literal_column("'pending'"), _TASK.queue == queue, _TASK.rank == rank)
    query = sa.select(sa.func.min(_TASK.fair_at)).where(*line, _TASK.suspect == 0)
    return tx.core.execute(query).scalar() or 0


def _event(one: Facts, place: _Place) -> dict[str, object]:
    data = compact({"priority": 11 - place.next[1]})
    return {"id": one.id, "seq": one.seq + 1, "type": EventType.AGED, "data": data}


def _update(tx: Transaction) -> sa.Update:
    risen = sa.update(schema.task).where(_TASK.id == sa.bindparam("risen"))
    return risen.values(
        rank=sa.bindparam("to"), fair_at=sa.bindparam("head"), seq=_TASK.seq + 1, touched_at=tx.now
    )
