"""Queues as an operator sees them: what is in each, and whether it is paused. Read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from duly.model.state import IDLE, Status
from duly.store import schema
from duly.store.transaction import Transaction

#: What is counted: all but what has ended well or was given up on purpose.
COUNTED = tuple(status for status in Status if status in IDLE | {Status.RUNNING, Status.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue: `counts` has how many of its tasks stand in each state that is counted; times in ms UTC."""

    name: str
    paused_at: int | None = None
    paused_by: str | None = None
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def queues(tx: Transaction, name: str | None = None) -> list[QueueState]:
    """All queues by name, or the one: those that workers serve, those that hold tasks, those paused."""
    counts = _counts(tx, name)
    table = schema.queue.c
    query = sa.select(table.name, table.paused_at, table.paused_by, table.reason)
    rows = tx.core.execute(query if name is None else query.where(table.name == name)).mappings()
    known = {row["name"]: row for row in rows}
    return [
        QueueState(**{"name": one, **known.get(one, {})}, counts=counts.get(one, _zeros()))
        for one in sorted(known.keys() | counts.keys())
    ]


def paused(tx: Transaction) -> list[QueueState]:
    """The paused ones, without counts."""
    table = schema.queue.c
    query = sa.select(table.name, table.paused_at, table.paused_by, table.reason)
    rows = tx.core.execute(query.where(table.paused_at.is_not(None)).order_by(table.name)).mappings()
    return [QueueState(**row) for row in rows]


def _counts(tx: Transaction, name: str | None) -> dict[str, dict[str, int]]:
    table = schema.task.c
    query = sa.select(table.queue, table.status, sa.func.count()).where(table.status.in_(COUNTED))
    if name is not None:
        query = query.where(table.queue == name)
    counts: dict[str, dict[str, int]] = {}
    for queue, status, count in tx.core.execute(query.group_by(table.queue, table.status)):
        counts.setdefault(queue, _zeros())[status] = count
    return counts


def _zeros() -> dict[str, int]:
    return {status.value: 0 for status in COUNTED}
