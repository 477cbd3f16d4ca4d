"""The verbs of an operator on many tasks at once: purge, cancel, retry, move.

Whoever calls has read the ids before, some at a time. What is done to a task is decided under its lock: by
then it may run, or may have left the filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.events import EventType
from duly.model.state import IDLE, RETRYABLE, Status
from duly.model.task import check_name
from duly.store import schema, submissions, weights
from duly.store.lists import PENDING, Filter
from duly.store.transaction import Transaction, compact
from duly.store.transitions import Change, Facts, apply, facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Tasks by id, and what must hold of each when it is acted on."""

    ids: tuple[str, ...]
    wanted: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """Where chosen tasks go: another queue, another priority (1..10), or both."""

    chosen: Chosen
    queue: str | None = None
    priority: int | None = None

    def __post_init__(self) -> None:
        if self.queue is None and self.priority is None:
            raise InvalidInput("say where to: a queue, a priority, or both")
        if self.queue is not None:
            check_name(self.queue, "queue")
        if self.priority is not None and (isinstance(self.priority, bool) or not 1 <= self.priority <= 10):
            raise InvalidInput(f"priority must be 1..10, not {self.priority}")


def _locked(tx: Transaction, item: Chosen) -> dict[str, Facts]:
    """The chosen tasks that still fit, locked; asked in a later statement than the lock (DESIGN 4.6)."""
    known = facts(tx, item.ids)
    table = schema.task.c
    fit = sa.select(table.id).where(table.id.in_(list(known)), *item.wanted.where()).order_by(table.id)
    return {id_: known[id_] for id_ in tx.core.execute(fit).scalars()}


def purge(tx: Transaction, items: Sequence[Chosen]) -> list[int]:
    """Cancels those that neither run nor have ended; the answers count them. Their history is kept."""
    return [_purge(tx, item) for item in items]


def _purge(tx: Transaction, item: Chosen) -> int:
    idle = [one for one in _locked(tx, item).values() if one.status in IDLE]
    purged = {"reason": "purged"}
    apply(
        tx,
        [Change(facts=one, target=Status.CANCELLED, event=EventType.CANCELLED, data=purged) for one in idle],
    )
    return len(idle)


def cancel(tx: Transaction, items: Sequence[Chosen]) -> list[int]:
    """Cancels those that have not ended, and asks those that run to stop, as `submissions.cancel` does one;
    the answers count those that nobody had asked before."""
    return [_cancel(tx, item) for item in items]


def _cancel(tx: Transaction, item: Chosen) -> int:
    living = [
        id_
        for id_, one in _locked(tx, item).items()
        if not one.status.terminal and one.cancel_requested_at is None
    ]
    submissions.cancel(tx, living)
    return len(living)


def retry(tx: Transaction, items: Sequence[Chosen]) -> list[int]:
    """Gives the failed and cancelled ones among them another run, as `submissions.retry` does one;
    the answers count them, without those whose unique key another living task holds."""
    return [_retry(tx, item) for item in items]


def _retry(tx: Transaction, item: Chosen) -> int:
    ended = [one for one in _locked(tx, item).values() if one.status in RETRYABLE]
    return len(ended) - len(submissions.run_again(tx, ended))


def move(tx: Transaction, items: Sequence[Moving]) -> list[int]:
    """Puts those that neither run nor have ended elsewhere, with tickets as if they came there now.

    The answers count those that were not there already.
    """
    return [_move(tx, item) for item in items]


def _move(tx: Transaction, item: Moving) -> int:
    idle = {id_: one for id_, one in _locked(tx, item.chosen).items() if one.status in IDLE}
    if item.queue is not None:
        idle |= _unblocked(tx, [id_ for id_, one in idle.items() if one.status is Status.BLOCKED])
    moved = [there for row in _places(tx, idle) if (there := _there(row, item)) != row]
    if moved:
        told = [_told(idle[one.id], one) for one in moved]
        tx.run("events", [{**one, "type": EventType.MOVED} for one in told])
        tx.core.execute(_update(tx), _ticketed(tx, moved))
    return len(moved)


def _unblocked(tx: Transaction, ids: Sequence[str]) -> dict[str, Facts]:
    """Limits that had no room for these may have nothing to say where they go: they stand in line again."""
    if ids:
        tx.run("unblock", ids, places=tx.heads.known(tx))
    return facts(tx, ids) if ids else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a task stands in line."""

    id: str
    status: str
    queue: str
    rank: int
    tenant: str
    owner: str

    @property
    def line(self) -> tuple[Any, ...]:
        """What tickets are counted within."""
        return (self.queue, self.rank, self.tenant, self.owner)


def _places(tx: Transaction, ids: Sequence[str] | dict[str, Facts]) -> list[_Place]:
    """In the order in which they stand, which they keep among themselves."""
    table = schema.task.c
    columns = [table[name] for name in _Place.__dataclass_fields__]
    query = sa.select(*columns).where(table.id.in_(list(ids))).order_by(table.rank, table.fair_at, table.id)
    return [_Place(**row) for row in tx.core.execute(query).mappings()]


def _there(row: _Place, item: Moving) -> _Place:
    rank = row.rank if item.priority is None else 11 - item.priority
    return replace(row, queue=item.queue or row.queue, rank=rank)


def _told(one: Facts, there: _Place) -> dict[str, Any]:
    data = compact({"queue": there.queue, "priority": 11 - there.rank})
    return {"id": one.id, "seq": one.seq + 1, "data": data}


def _ticketed(tx: Transaction, moved: Sequence[_Place]) -> list[dict[str, Any]]:
    """Pending ones stand behind the line's head and their owner's last; others get a ticket when due."""
    last: dict[tuple[Any, ...], int] = {}
    rows = []
    for one in moved:
        ticket = None
        if one.status == Status.PENDING:
            step = weights.STRIDE // weights.weight(tx, one.tenant, one.owner)
            ticket = last[one.line] = (last[one.line] if one.line in last else _last(tx, one)) + step
        rows.append({"moved": one.id, "to": one.queue, "as": one.rank, "ticket": ticket})
    return rows


def _last(tx: Transaction, one: _Place) -> int:
    table = schema.task.c
    line = (table.status == PENDING, table.queue == one.queue, table.rank == one.rank)
    own = (table.tenant == one.tenant, table.owner == one.owner)
    head = sa.select(sa.func.min(table.fair_at)).where(*line, table.suspect == 0)
    latest = sa.select(sa.func.max(table.fair_at)).where(*line, *own)
    return max(tx.core.execute(query).scalar() or 0 for query in (head, latest))


def _update(tx: Transaction) -> sa.Update:
    table = schema.task.c
    return (
        sa.update(schema.task)
        .where(table.id == sa.bindparam("moved"))
        .values(
            queue=sa.bindparam("to"),
            rank=sa.bindparam("as"),
            fair_at=sa.func.coalesce(sa.bindparam("ticket", type_=sa.BigInteger), table.fair_at),
            seq=table.seq + 1,
            touched_at=sa.case((table.touched_at < tx.now, tx.now), else_=table.touched_at),
        )
    )
