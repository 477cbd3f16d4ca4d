"""What an autoscaler asks, from the indexes of what has not ended: history may be as long as it likes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from duly.model.state import Status
from duly.store import schema
from duly.store.lists import PENDING
from duly.store.transaction import Transaction

#: Nothing is counted further than this: so many ask for all the workers that anybody has.
MOST = 10_000
#: The states of tasks that a worker looks at when they are due; what is pending counts by itself.
BY_THE_CLOCK = (Status.SCHEDULED, Status.RETRY, Status.WAITING, Status.BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What stands in one queue; `oldest_ms`: how long the longest waiting of its due tasks has waited."""

    queued: int = 0
    running: int = 0
    blocked: int = 0
    waiting: int = 0
    oldest_ms: int = 0
    paused: bool = False


def load(tx: Transaction, names: Sequence[str] | None = None) -> dict[str, Load]:
    """Of the named queues, or of all that hold tasks or are served; each number stops at 10,000."""
    paused = _paused(tx)
    counts = {status: _counts(tx, status) for status in (Status.RUNNING, Status.BLOCKED, Status.WAITING)}
    found = (
        set(names)
        if names is not None
        else {*paused, *_with_pending(tx), *(q for c in counts.values() for q in c)}
    )
    loads = {}
    for name in sorted(found):
        queued, since = _pending(tx, name)
        loads[name] = Load(
            queued=queued,
            oldest_ms=max(0, tx.now - since) if since is not None else 0,
            paused=paused.get(name, False),
            **{status.value: counted[name] for status, counted in counts.items()},
        )
    return loads


def overdue(tx: Transaction) -> bool:
    """Whether something is due that workers do in passing: a start, a wake, a token, a tick, a delivery."""
    looks = [_due(schema.task, one) for one in BY_THE_CLOCK]
    looks.append(_due(schema.delivery, "pending"))
    looks.append(sa.select(schema.limits.c.name).where(schema.limits.c.wake_at <= sa.bindparam("now")))
    looks.append(sa.select(schema.schedule.c.name).where(schema.schedule.c.next_at <= sa.bindparam("now")))
    return any(tx.core.execute(look.limit(1), {"now": tx.now}).first() is not None for look in looks)


def _due(table: sa.Table, status: str) -> sa.Select[Any]:
    """Written out, so that the index of a state and its time serves."""
    state: sa.ColumnElement[str] = sa.literal_column(f"'{status}'")
    return sa.select(table.c.id).where(table.c.status == state, table.c.due_at <= sa.bindparam("now"))


def _paused(tx: Transaction) -> dict[str, bool]:
    table = schema.queue.c
    return {name: at is not None for name, at in tx.core.execute(sa.select(table.name, table.paused_at))}


def _counts(tx: Transaction, status: Status) -> Counter[str]:
    """How many tasks of a state that few have; written out, so that the index of that state serves."""
    table = schema.task.c
    of = sa.select(table.queue).where(table.status == sa.literal_column(f"'{status}'")).limit(MOST).subquery()
    query = sa.select(of.c.queue, sa.func.count()).group_by(of.c.queue)
    return Counter({row[0]: row[1] for row in tx.core.execute(query)})


def _with_pending(tx: Transaction) -> list[str]:
    """Queues that hold pending tasks: a probe of the index for each."""
    table = schema.task.c
    names: list[str] = []
    while True:
        query = sa.select(table.queue).where(
            table.status == PENDING, table.queue > (names[-1] if names else "")
        )
        name = tx.core.execute(query.order_by(table.queue).limit(1)).scalar()
        if name is None:
            return names
        names.append(name)


def _pending(tx: Transaction, name: str) -> tuple[int, int | None]:
    """How many are due, and since when the first of them; of the first in line only."""
    table = schema.task.c
    query = sa.select(table.touched_at).where(table.status == PENDING, table.queue == name)
    first = query.order_by(table.suspect, table.rank, table.fair_at, table.id).limit(MOST).subquery()
    count, since = tx.core.execute(sa.select(sa.func.count(), sa.func.min(first.c.touched_at))).one()
    return count, since
