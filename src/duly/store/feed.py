"""What followers read: lines of many tasks in the order of a position, what stands now, what has moved.

A position is SQLite's rowid (one writer: the order of commits) and elsewhere the line's time in milliseconds,
which a slow transaction commits late: `horizon` tells before which position nothing can appear any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model.state import TERMINAL
from duly.store import schema
from duly.store.transaction import Transaction

event, task, partial = schema.event, schema.task, schema.partial
#: How long after its line's time one of our transactions may begin (a process knows PostgreSQL's clock from a
#: second ago, and statements wait in its pipeline) or commit (MariaDB tells nobody what is under way), in ms.
LATE_MS = 15_000
#: Tasks that a statement asks for at most, and tasks of a snapshot.
MANY, MOST = 500, 500
_UNDER_WAY = (
    "SELECT least(floor(extract(epoch FROM clock_timestamp()) * 1000),"
    " (SELECT floor(min(extract(epoch FROM xact_start)) * 1000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()))::bigint"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose lines: of one owner, of a batch with its members, or all. None leaves a word open."""

    tenant: str | None = None
    owner: str | None = None
    batch: str | None = None

    def holds(self, line: Line) -> bool:
        """Whether the line is one of these."""
        if self.batch is not None:
            return self.batch in (line.parent_id, line.task_id)
        return self.tenant in (None, line.tenant) and self.owner in (None, line.owner)

    def where(self) -> sa.ColumnElement[bool]:
        """The same as a condition on the task table."""
        if self.batch is not None:
            return sa.or_(task.c.parent_id == self.batch, task.c.id == self.batch)
        named = [(task.c.tenant, self.tenant), (task.c.owner, self.owner)]
        return sa.and_(sa.true(), *(column == one for column, one in named if one is not None))


class Line(NamedTuple):
    """A line of some task's timeline, and where in the feed it stands."""

    position: int
    task_id: str
    seq: int
    at: int
    type: str
    data: dict[str, Any]
    tenant: str
    owner: str
    parent_id: str | None


class Standing(NamedTuple):
    """How a task stands; lines up to `seq` are in it."""

    task_id: str
    task_type: str
    status: str
    progress: float | None
    seq: int


def horizon(tx: Transaction) -> int:
    """The position before which no line can appear any more. Ask in a transaction before the one that
    reads: what commits between the two is then seen."""
    if tx.dialect == "sqlite":
        return int(tx.core.execute(sa.text("SELECT coalesce(max(rowid), 0) FROM event")).scalar_one()) + 1
    if tx.dialect == "postgres":
        return int(tx.core.execute(sa.text(_UNDER_WAY)).scalar_one()) - LATE_MS
    return tx.now - LATE_MS


def kind(tx: Transaction) -> str:
    """What positions count here: r(ows) or t(ime)."""
    return "r" if tx.dialect == "sqlite" else "t"


def _position(tx: Transaction) -> sa.ColumnElement[int]:
    return sa.literal_column("event.rowid", sa.Integer) if tx.dialect == "sqlite" else event.c.at


def lines(
    tx: Transaction,
    scopes: Sequence[Scope],
    since: int,
    *,
    after: tuple[int, str, int] | None = None,
    limit: int = 1000,
) -> list[Line]:
    """Lines at position `since` or behind it, in order; `after` (position, task, seq) pages."""
    position = _position(tx)
    query = sa.select(position, event, task.c.tenant, task.c.owner, task.c.parent_id).join_from(
        event, task, task.c.id == event.c.task_id
    )
    query = query.where(position >= since, sa.or_(sa.false(), *(one.where() for one in scopes)))
    if after is not None:
        query = query.where(sa.tuple_(position, event.c.task_id, event.c.seq) > after)
    rows = tx.core.execute(query.order_by(position, event.c.task_id, event.c.seq).limit(limit))
    return [Line._make((*row[:5], json.loads(row[5]), *row[6:])) for row in rows]


def at(tx: Transaction, row: int) -> int:
    """When the line in this row of SQLite's was written; 0: there is none. Rowids are given again after the
    last ones were deleted, times with them are not."""
    found = tx.core.execute(sa.select(event.c.at).where(_position(tx) == row)).scalar()
    return int(found or 0)


def behind(tx: Transaction, since: int, most: int) -> bool:
    """Whether more than so many lines stand at this position or behind it."""
    position = _position(tx)
    some = sa.select(position).select_from(event).where(position >= since).limit(most + 1).subquery()
    return int(tx.core.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()) > most


def standing(tx: Transaction, scope: Scope) -> tuple[list[Standing], bool]:
    """The living tasks, newest first, at most MOST; and whether these are all."""
    query = sa.select(task.c.id, task.c.task_type, task.c.status, task.c.progress, task.c.seq)
    query = query.where(scope.where(), task.c.status.not_in(sorted(TERMINAL))).order_by(task.c.id.desc())
    found = [Standing(*row) for row in tx.core.execute(query.limit(MOST + 1))]
    return found[:MOST], len(found) <= MOST


def heads(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Something of each task that exists, which changes with each line and each part of its output."""
    found: dict[str, tuple[Any, ...]] = {}
    for some in _chunks(ids):
        query = sa.select(task.c.id, task.c.seq, task.c.status).where(task.c.id.in_(some))
        found |= {row[0]: tuple(row[1:]) for row in tx.core.execute(query)}
        parts = sa.select(partial.c.task_id, partial.c.attempt, sa.func.max(partial.c.part))
        parts = parts.where(partial.c.task_id.in_(some)).group_by(partial.c.task_id, partial.c.attempt)
        for row in tx.core.execute(parts.order_by(partial.c.attempt)):
            found[row[0]] = (*found.get(row[0], ()), *row[1:])
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + MANY] for start in range(0, len(ids), MANY))
