"""Everything that is only read: a task with its result, lists, counts, timelines. Plain Core."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model.events import Event
from duly.model.state import Status
from duly.model.task import Task, code_word
from duly.store import batches, bodies, schema
from duly.store.journal import value_kind
from duly.store.transaction import Transaction

#: Written out, not a parameter: only then the index of pending tasks serves.
PENDING: sa.ColumnElement[str] = sa.literal_column("'pending'")

_COLUMNS = [
    schema.task.c[name]
    for name in Task.__dataclass_fields__
    if name not in ("tags", "result", "deduplicated", "batch")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which tasks a list or a count means. None leaves a word open; tenant and owner None mean all.

    `statuses` and `ids` are several to choose from, all if empty. Moments are milliseconds UTC: `since` is
    the first that counts, `until` the first that does not.
    """

    tenant: str | None = None
    owner: str | None = None
    status: Status | None = None
    task_type: str | None = None
    queue: str | None = None
    tag: str | None = None
    error_code: str | None = None
    ended_since: int | None = None
    ended_until: int | None = None
    created_since: int | None = None
    created_until: int | None = None
    statuses: tuple[Status, ...] = ()
    ids: tuple[str, ...] = ()
    parent: str | None = None

    def where(self) -> list[sa.ColumnElement[bool]]:
        """The conditions, for the task table."""
        table = schema.task.c
        words = ("tenant", "owner", "status", "task_type", "queue", "error_code")
        conditions = [table[word] == getattr(self, word) for word in words if getattr(self, word) is not None]
        if self.tag is not None:
            tagged = sa.select(schema.task_tag.c.task_id).where(schema.task_tag.c.tag == self.tag)
            conditions.append(table.id.in_(tagged))
        conditions += _between(table.completed_at, self.ended_since, self.ended_until)
        conditions += _between(table.created_at, self.created_since, self.created_until)
        if self.statuses:
            conditions.append(table.status.in_(self.statuses))
        if self.parent is not None:
            conditions.append(table.parent_id == self.parent)
        if self.ids:
            conditions.append(table.id.in_(self.ids))
        return conditions


def _between(
    column: sa.ColumnElement[int], since: int | None, until: int | None
) -> list[sa.ColumnElement[bool]]:
    first = [] if since is None else [column >= since]
    return first if until is None else [*first, column < until]


def get(tx: Transaction, id_: str, *, result: bool = True) -> Task | None:
    """One task with its tags and, when it has completed, its result; a batch with its counters."""
    row = tx.core.execute(sa.select(*_COLUMNS).where(schema.task.c.id == id_)).mappings().first()
    if row is None or row["id"] != id_:  # MariaDB finds 'x' for 'x '
        return None
    body = (
        bodies.join(tx.run("body", id=id_, kind="result"))
        if result and row["status"] == "completed"
        else None
    )
    tags = _tags(tx, [id_]).get(id_, ())
    return batches.counted(tx, _task(row, tags, json.loads(body) if body is not None else None))


def page(
    tx: Transaction, wanted: Filter, *, limit: int = 20, offset: int = 0, before: str | None = None
) -> list[Task]:
    """Tasks, newest first, without results; `before` (an id) pages without counting."""
    query = sa.select(*_COLUMNS).where(*wanted.where()).order_by(schema.task.c.id.desc())
    if before is not None:
        query = query.where(schema.task.c.id < before)
    rows = tx.core.execute(query.limit(limit).offset(offset)).mappings().all()
    tags = _tags(tx, [row["id"] for row in rows])
    return [_task(row, tags.get(row["id"], ()), None) for row in rows]


def chosen(
    tx: Transaction, wanted: Filter, *, after: str = "", before: str | None = None, limit: int = 100
) -> list[str]:
    """The ids of such tasks behind `after`, and before `before`, in ascending order."""
    table = schema.task.c
    query = sa.select(table.id).where(*wanted.where(), table.id > after).order_by(table.id)
    query = query if before is None else query.where(table.id < before)
    return list(tx.core.execute(query.limit(limit)).scalars())


def stats(tx: Transaction, wanted: Filter) -> dict[str, int]:
    """How many tasks stand in each status; zeros too."""
    query = (
        sa.select(schema.task.c.status, sa.func.count()).where(*wanted.where()).group_by(schema.task.c.status)
    )
    counted = {row[0]: row[1] for row in tx.core.execute(query)}
    return {status.value: counted.get(status.value, 0) for status in Status}


def statuses(tx: Transaction, ids: Sequence[str]) -> dict[str, Status]:
    """The status of each task that exists."""
    query = sa.select(schema.task.c.id, schema.task.c.status).where(schema.task.c.id.in_(ids))
    return {row[0]: Status(row[1]) for row in tx.core.execute(query)}


class Mark(NamedTuple):
    """How far a task is: two looks with the same mark saw the same task."""

    status: Status
    seq: int
    touched_at: int
    progress: float | None
    progress_message: str | None


def marks(tx: Transaction, ids: Sequence[str]) -> dict[str, Mark]:
    """How far each task is that exists."""
    columns = [schema.task.c[name] for name in Mark._fields[1:]]
    query = sa.select(schema.task.c.id, schema.task.c.status, *columns).where(schema.task.c.id.in_(ids))
    return {row[0]: Mark(Status(row[1]), *row[2:]) for row in tx.core.execute(query)}


def cancelling(tx: Transaction, ids: Sequence[str]) -> list[str]:
    """Which of these running tasks were asked to stop."""
    table = schema.task.c
    asked = sa.select(table.id).where(table.id.in_(ids), table.cancel_requested_at.is_not(None))
    return list(tx.core.execute(asked).scalars())


def events(tx: Transaction, id_: str, after: int = 0, limit: int = 1000) -> list[Event]:
    """A task's timeline after line `after`, in order."""
    table = schema.event.c
    query = sa.select(table.seq, table.at, table.type, table.data)
    query = query.where(table.task_id == id_, table.seq > after).order_by(table.seq).limit(limit)
    return [
        Event(task_id=id_, seq=row.seq, at=row.at, type=row.type, data=json.loads(row.data))
        for row in tx.core.execute(query)
    ]


def latest(tx: Transaction, id_: str, type_: str) -> list[Event]:
    """The last line of this type in a task's timeline, if there is one."""
    table = schema.event.c
    seq = sa.select(sa.func.max(table.seq)).where(table.task_id == id_, table.type == type_)
    last = tx.core.execute(seq).scalar()
    return [] if last is None else events(tx, id_, last - 1, 1)


def partial(tx: Transaction, id_: str, after: tuple[int, int] = (0, -1)) -> list[tuple[int, int, str]]:
    """Streamed output (attempt, part, text) of the newest attempt, after the given place."""
    table = schema.partial.c
    newest = sa.select(sa.func.max(table.attempt)).where(table.task_id == id_).scalar_subquery()
    query = sa.select(table.attempt, table.part, table.text).where(
        table.task_id == id_, table.attempt == newest
    )
    unseen = sa.tuple_(table.attempt, table.part) > after
    rows = tx.core.execute(query.where(unseen).order_by(table.part))
    return [(row.attempt, row.part, row.text) for row in rows]


def recorded(tx: Transaction, id_: str, name: str) -> str | None:
    """The value of a task's first step of this name, as JSON; None: there is none yet."""
    return bodies.join(tx.run("body", id=id_, kind=value_kind(name, 1)))


def rows_of(tx: Transaction, table: str, id_: str) -> list[dict[str, Any]]:
    """The rows of `attempt`, `step` or `delivery` that belong to one task, for views and tests."""
    chosen = schema.metadata.tables[table]
    query = sa.select(chosen).where(chosen.c.task_id == id_).order_by(*chosen.primary_key.columns)
    return [dict(row) for row in tx.core.execute(query).mappings()]


def inbox(tx: Transaction, tenant: str, owner: str, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """An owner's notifications after number `after`, in order."""
    table = schema.notification
    query = sa.select(table).where(table.c.tenant == tenant, table.c.owner == owner, table.c.id > after)
    return [dict(row) for row in tx.core.execute(query.order_by(table.c.id).limit(limit)).mappings()]


def inbox_end(tx: Transaction, tenant: str, owner: str) -> int:
    """The number of an owner's last notification; 0: there is none."""
    table = schema.notification.c
    last = sa.select(sa.func.max(table.id)).where(table.tenant == tenant, table.owner == owner)
    return int(tx.core.execute(last).scalar() or 0)


def living_workers(tx: Transaction) -> list[dict[str, Any]]:
    """Worker sessions that have not ended, newest first."""
    table = schema.worker
    query = sa.select(table).where(table.c.ended_at.is_(None)).order_by(table.c.started_at.desc())
    return [dict(row) for row in tx.core.execute(query).mappings()]


def ahead_of(tx: Transaction, id_: str, most: int = 1000) -> int:
    """How many pending tasks of the same queue are claimed before this one (counted up to `most`).

    Suspects are claimed apart, and are not counted.
    """
    me = sa.alias(schema.task)
    other = schema.task.c
    place = sa.tuple_(other.rank, other.fair_at, other.id)
    mine = sa.select(me.c.rank, me.c.fair_at, me.c.id).where(me.c.id == id_).scalar_subquery()
    queue = sa.select(me.c.queue).where(me.c.id == id_).scalar_subquery()
    ordinary = (other.status == PENDING, other.queue == queue, other.suspect == 0)
    rows = sa.select(other.id).where(*ordinary, place < mine).limit(most)
    return int(tx.core.execute(sa.select(sa.func.count()).select_from(rows.subquery())).scalar_one())


def front(tx: Transaction, queue: str, most: int = 1000) -> frozenset[str]:
    """What code a worker must have for any of the first pending tasks of a queue; suspects are left out."""
    table = schema.task.c
    query = sa.select(table.task_type, table.code_version)
    query = query.where(table.status == PENDING, table.queue == queue, table.suspect == 0)
    first = query.order_by(table.rank, table.fair_at, table.id).limit(most).subquery()
    return frozenset(code_word(*row) for row in tx.core.execute(sa.select(first).distinct()))


def blocked_before(tx: Transaction, id_: str, most: int = 1000) -> int:
    """How many tasks that wait for the same limit are woken before this one (counted up to `most`)."""
    me, other = sa.alias(schema.task), schema.task.c
    mine = sa.select(me.c.rank, me.c.fair_at, me.c.id).where(me.c.id == id_).scalar_subquery()
    limit = sa.select(me.c.blocked_on).where(me.c.id == id_).scalar_subquery()
    place = sa.tuple_(other.rank, other.fair_at, other.id)
    waits = (other.status == sa.literal_column("'blocked'"), other.blocked_on == limit)
    rows = sa.select(other.id).where(*waits, place < mine).limit(most)
    return int(tx.core.execute(sa.select(sa.func.count()).select_from(rows.subquery())).scalar_one())


def next_due(tx: Transaction) -> int | None:
    """When the clock must act next: the earliest due time of a task, a limit, a delivery or a schedule."""
    table, delivery = schema.task.c, schema.delivery.c
    earliest = [
        sa.select(sa.func.min(table.due_at)).where(table.status == status)
        for status in ("scheduled", "retry", "waiting", "pending", "blocked")
    ]
    earliest.append(sa.select(sa.func.min(delivery.due_at)).where(delivery.status == "pending"))
    earliest.append(sa.select(sa.func.min(schema.schedule.c.next_at)))
    earliest.append(sa.select(sa.func.min(schema.limits.c.wake_at)))
    times = [tx.core.execute(query).scalar() for query in earliest]
    return min((time for time in times if time is not None), default=None)


def _tags(tx: Transaction, ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    table = schema.task_tag.c
    tags: dict[str, tuple[str, ...]] = {}
    for id_, tag in tx.core.execute(sa.select(table.task_id, table.tag).where(table.task_id.in_(list(ids)))):
        tags[id_] = (*tags.get(id_, ()), tag)
    return tags


def _task(row: Any, tags: tuple[str, ...], result: Any) -> Task:
    values = dict(row)
    values |= {
        "status": Status(values["status"]),
        "exhausted": bool(values["exhausted"]),
        "metadata": json.loads(values["metadata"]),
    }
    return Task(**values, tags=tags, result=result)
