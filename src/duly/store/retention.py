"""The verbs that delete: ended tasks with all that belongs to them, and sessions that are long over.

Not hot, so plain Core, and what belongs to a task is asked of the schema: a table with a `task_id` is never
forgotten, unless it is said to outlive its tasks. Nothing here decides that a task's time is over but who
passes its row as it was seen then.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.failpoints import failpoint
from duly.model.state import TERMINAL, Status
from duly.store import schema
from duly.store.transaction import Transaction

task, delivery, notification, worker = schema.task, schema.delivery, schema.notification, schema.worker

#: What is kept when its task has gone.
OUTLIVING = frozenset({schema.ledger})
#: All that goes with a task, in every other table that names one.
PARTS = tuple(
    table for table in schema.metadata.sorted_tables if "task_id" in table.c and table not in OUTLIVING
)
OWED = ("held", "pending", "sending")
#: Sessions that a call deletes at most.
MOST_SESSIONS = 200


class Expired(NamedTuple):
    """An ended task as it was seen: if it ends a second time meanwhile, that is another end."""

    id: str
    expires_at: int
    completed_at: int = 0
    task_type: str = ""


#: The place before the first.
FRONT = Expired("", 0)


def expired(tx: Transaction, until: int | None, *, after: Expired = FRONT, limit: int) -> list[Expired]:
    """The next ended tasks whose time is over by `until` (None: by now), in the order of these times."""
    last = tx.now if until is None else until
    rows = tx.run("expired", at=after.expires_at, id=after.id, until=last, limit=limit)
    return [Expired(*row) for row in rows]


def prune(tx: Transaction, items: Sequence[Expired]) -> list[bool]:
    """Deletes these tasks with all that belongs to them; False: it stays, or others are at it.

    What stays: a task that has not ended, or ended anew; one that still owes an answer (an inbox line that
    nobody has read counts as owed for the time of retention) or whose parent has not completed; one whose
    idempotency key still stands for it.
    """
    gone = prunable(tx, items, lock=True)
    if gone:
        for table in PARTS:
            tx.core.execute(sa.delete(table).where(table.c.task_id.in_(gone)))
            failpoint("store.half_written")
        tx.core.execute(sa.delete(task).where(task.c.id.in_(gone)))
    return [item.id in gone for item in items]


def prunable(tx: Transaction, items: Sequence[Expired], *, lock: bool = False) -> list[str]:
    """Which of these `prune` would delete, in the order of their keys; without a lock it is a forecast."""
    seen = {item.id: item.expires_at for item in items}
    ended = _ended(tx, seen, lock)
    return sorted(ended - _owing(tx, ended)) if ended else []


def _ended(tx: Transaction, seen: dict[str, int], lock: bool) -> set[str]:
    """Those that stand as they were seen; their rows are locked in the order of their keys."""
    columns = (task.c.id, task.c.status, task.c.expires_at, task.c.idempotency_key, task.c.created_at)
    query = sa.select(*columns).where(task.c.id.in_(sorted(seen))).order_by(task.c.id)
    rows = tx.core.execute(query.with_for_update(skip_locked=True) if lock else query)
    return {row.id for row in rows if _is_over(tx, row, seen)}


def _is_over(tx: Transaction, row: Any, seen: dict[str, int]) -> bool:
    keyed = row.idempotency_key is not None and row.created_at >= tx.now - tx.terms.key_ttl_ms
    return row.status in TERMINAL and row.expires_at == seen[row.id] and not keyed


def _owing(tx: Transaction, ids: Set[str]) -> set[str]:
    """Those with an answer under way, or with a parent that may ask; read once the tasks are locked, so
    that none becomes owed any more."""
    owed = sa.select(delivery.c.task_id).where(delivery.c.task_id.in_(ids), delivery.c.status.in_(OWED))
    unread = sa.select(notification.c.task_id).where(
        notification.c.task_id.in_(ids),
        notification.c.read_at.is_(None),
        notification.c.created_at > tx.now - tx.terms.retention_ms,
    )
    found = {id_ for query in (owed, unread) for id_ in tx.core.execute(query).scalars()}
    return found | _asked_for(tx, ids)


def _asked_for(tx: Transaction, ids: Set[str]) -> set[str]:
    """Children whose parents have not ended, or may get another run."""
    query = sa.select(task.c.id, task.c.parent_id).where(task.c.id.in_(ids), task.c.parent_id.is_not(None))
    parents = {row.id: row.parent_id for row in tx.core.execute(query)}
    if not parents:
        return set()
    asking = sa.select(task.c.id).where(task.c.id.in_(set(parents.values())))
    still = set(tx.core.execute(asking.where(task.c.status != Status.COMPLETED)).scalars())
    return {id_ for id_, parent in parents.items() if parent in still}


def forget_sessions(tx: Transaction, items: Sequence[None]) -> list[int]:
    """Deletes sessions that ended a retention ago and hold nothing; counts them, at most 200 a call."""
    holding = sa.select(task.c.id).where(task.c.status == sa.literal_column("'running'"))
    sending = sa.select(delivery.c.id).where(delivery.c.status == sa.literal_column("'sending'"))
    query = (
        sa.select(worker.c.id)
        .where(worker.c.ended_at <= tx.now - tx.terms.retention_ms)
        .where(~holding.where(task.c.worker_id == worker.c.id).exists())
        .where(~sending.where(delivery.c.worker_id == worker.c.id).exists())
        .order_by(worker.c.id)
        .limit(MOST_SESSIONS)
    )
    ids = tx.core.execute(query).scalars().all()
    if ids:
        tx.core.execute(sa.delete(worker).where(worker.c.id.in_(ids)))
    return [len(ids) for _ in items]
