"""Suspension: a running attempt's waits, the signals that end them, and how a task goes to wait.

Suspend and signal decide about each other: both lock the task's row first and read what they decide on in
later statements. In READ COMMITTED a statement keeps its old snapshot while it waits for the lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from duly.model.events import EventType
from duly.model.job import is_job
from duly.model.state import Status
from duly.model.task import Step
from duly.store import schema
from duly.store.journal import fence, write
from duly.store.transaction import Transaction
from duly.store.transitions import Change, Facts

if TYPE_CHECKING:
    from duly.store.claims import Finish

_STEP, _SIGNAL = schema.step.c, schema.signal.c


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRecord:
    """A wait that a handler of this version has come to; `delay_ms` counts from the transaction's `now`."""

    id: str
    attempt: int
    step: Step
    delay_ms: int | None = None
    version: str | None = None


def wait(tx: Transaction, items: Sequence[WaitRecord]) -> list[Step | None]:
    """Remembers each wait once and answers how it stands: over, with what it took, or open.

    The first recorded end stands. A signal that came before is taken, the oldest of its name. None means
    *lease lost*.
    """
    timelines, owned = fence(tx, items)
    keys = [(item.id, item.step.name, item.step.n) for item in items]
    mine = {key: item for key, item, is_mine in zip(keys, items, owned, strict=True) if is_mine}
    if mine:
        for id_, name, n in tx.run("steps", [_row(tx, item) for item in mine.values()]):
            timelines[id_].version = mine[id_, name, n].version
        write(tx, timelines.values())
    stand = {key: _standing(tx, item) for key, item in mine.items()}
    return [stand[key] if is_mine else None for key, is_mine in zip(keys, owned, strict=True)]


def _row(tx: Transaction, item: WaitRecord) -> dict[str, Any]:
    step = item.step
    due_at = step.due_at if item.delay_ms is None else tx.now + item.delay_ms
    row = {"id": item.id, "attempt": item.attempt, "name": step.name, "n": step.n, "digest": step.digest}
    return {**row, "duration_ms": 0, "waits_for": step.waits_for, "due_at": due_at}


def _standing(tx: Transaction, item: WaitRecord) -> Step:
    here = (_STEP.task_id == item.id, _STEP.name == item.step.name, _STEP.n == item.step.n)
    due_at, taken = tx.core.execute(sa.select(_STEP.due_at, _STEP.taken).where(*here)).one()
    if taken is None:
        taken = _taken(tx, item, due_at)
        if taken is not None:
            tx.core.execute(sa.update(schema.step).where(*here).values(taken=taken))
    value = _data(tx, item.id, taken) if taken else "null"
    return item.step._replace(due_at=due_at, taken=taken, value=value)


def _taken(tx: Transaction, item: WaitRecord, due_at: int | None) -> int | None:
    """What an open wait gets now: the oldest signal of its name, or 0 if its time is over."""
    if item.step.waits_for:
        theirs = (_SIGNAL.task_id == item.id, _SIGNAL.name == item.step.waits_for)
        oldest = sa.select(sa.func.min(_SIGNAL.n)).where(*theirs, _SIGNAL.taken_at.is_(None))
        n: int | None = tx.core.execute(oldest).scalar()
        if n is not None:
            it = (_SIGNAL.task_id == item.id, _SIGNAL.n == n)
            tx.core.execute(sa.update(schema.signal).where(*it).values(taken_at=tx.now))
            return n
    return 0 if due_at is not None and due_at <= tx.now else None


def _data(tx: Transaction, id_: str, n: int) -> str:
    query = sa.select(_SIGNAL.data).where(_SIGNAL.task_id == id_, _SIGNAL.n == n)
    return str(tx.core.execute(query).scalar_one())


def arrived(tx: Transaction, items: Collection[Finish]) -> dict[str, str]:
    """Of these suspensions, whose tasks are locked: for which something has come meanwhile, and its name: a
    signal, or the end of the last child that a gather waits for."""
    return _gathered(tx, items) | _signalled(tx, items)


def _gathered(tx: Transaction, items: Iterable[Finish]) -> dict[str, str]:
    wanted = {
        (item.id, step.name, step.n) for item in items for step in item.waits if step.children is not None
    }
    if not wanted:
        return {}
    over = sa.select(_STEP.task_id, _STEP.name, _STEP.n).where(_STEP.children.is_not(None))
    over = over.where(_STEP.task_id.in_({id_ for id_, *_ in wanted}), _STEP.taken.is_not(None))
    return {row.task_id: row.name for row in tx.core.execute(over) if tuple(row) in wanted}


def _signalled(tx: Transaction, items: Iterable[Finish]) -> dict[str, str]:
    wanted = {item.id: {step.waits_for for step in item.waits if step.waits_for} for item in items}
    names = {name for some in wanted.values() for name in some}
    if not names:
        return {}
    ids = [id_ for id_, some in wanted.items() if some]
    untaken = (_SIGNAL.task_id.in_(ids), _SIGNAL.name.in_(names), _SIGNAL.taken_at.is_(None))
    rows = tx.core.execute(
        sa.select(_SIGNAL.task_id, _SIGNAL.name).where(*untaken).order_by(_SIGNAL.n.desc())
    )
    return {id_: name for id_, name in rows if name in wanted[id_]}


def suspension(item: Finish, one: Facts, signal: str | None) -> Change:
    """How the task goes to wait; back to the queue at once if what it waits for has come meanwhile."""
    if signal is not None:
        return _woken(item, one, signal)
    ends = [step.due_at for step in item.waits if step.due_at is not None]
    clock = ends if one.deadline_at is None else [*ends, one.deadline_at]
    return Change(
        facts=one,
        target=Status.WAITING,
        event=EventType.WAITING,
        data=_told(item, one, min(ends, default=None)),
        outcome=item.outcome,
        due_at=min(clock, default=None),
        wait_kind=item.wait_kind,
    )


def _woken(item: Finish, one: Facts, signal: str) -> Change:
    """Also this is a round that ended by itself: it has killed nothing."""
    return Change(
        facts=one,
        target=Status.PENDING,
        event=EventType.WOKEN,
        data={"attempt": one.attempt, "name": signal},
        outcome=item.outcome,
        suspect=0,
        death=-one.deaths,
    )


def _told(item: Finish, one: Facts, due_at: int | None) -> dict[str, Any]:
    """What the timeline says: the first few waits by name."""
    some = item.waits[:5]
    data: dict[str, Any] = {"attempt": one.attempt, "kind": item.wait_kind, "due_at": due_at}
    data["name"] = ", ".join(step.name for step in some)
    signals = [step.waits_for for step in some if step.waits_for and not is_job(step.waits_for)]
    data["signal"] = ", ".join(signals)
    return {key: value for key, value in data.items() if value not in (None, "")}
