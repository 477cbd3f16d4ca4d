"""What is watched of an installation: how tasks ended, how long they took, how often they were tried again.

Reads the task table once, for no index knows when a task was accepted: for an operator.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from duly.model.state import Status
from duly.store import schema
from duly.store.lists import PENDING
from duly.store.transaction import Transaction

#: The backlog is counted no further.
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the tasks accepted since a moment; `backlog` and `workers` are of now."""

    statuses: dict[str, int]
    #: Of the completed ones, by type: how many, and their mean in milliseconds.
    durations: dict[str, tuple[int, float]]
    #: How many tasks were charged so many retries.
    retries: dict[int, int]
    backlog: int
    workers: int


def figures(tx: Transaction, since_ms: int) -> Figures:
    """The figures since `since_ms` before now."""
    since = tx.now - since_ms
    table = schema.task.c
    new = table.created_at > since
    count = sa.func.count()
    statuses = tx.core.execute(sa.select(table.status, count).where(new).group_by(table.status)).all()
    took = sa.func.avg(table.completed_at - table.started_at)
    done = new & (table.status == Status.COMPLETED)
    durations = tx.core.execute(
        sa.select(table.task_type, count, took)
        .where(done)
        .group_by(table.task_type)
        .order_by(table.task_type)
    ).all()
    retries = tx.core.execute(
        sa.select(table.retry_count, count).where(new).group_by(table.retry_count).order_by(table.retry_count)
    ).all()
    counted = {row[0]: row[1] for row in statuses}
    return Figures(
        statuses={status.value: counted.get(status.value, 0) for status in Status},
        durations={row[0]: (row[1], float(row[2] or 0)) for row in durations},
        retries={row[0]: row[1] for row in retries},
        backlog=_backlog(tx),
        workers=_workers(tx),
    )


def _backlog(tx: Transaction) -> int:
    waiting = sa.select(schema.task.c.id).where(schema.task.c.status == PENDING).limit(MOST).subquery()
    return int(tx.core.execute(sa.select(sa.func.count()).select_from(waiting)).scalar_one())


def _workers(tx: Transaction) -> int:
    table = schema.worker.c
    living = (table.ended_at.is_(None)) & (table.lease_until > tx.now)
    return int(tx.core.execute(sa.select(sa.func.count()).where(living)).scalar_one())
