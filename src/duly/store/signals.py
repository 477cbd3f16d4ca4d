"""The verb with which a task is told something from outside: a signal is kept until a wait takes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model import wire
from duly.model.errors import InvalidInput, TooLarge
from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import check_name, check_text
from duly.store import schema, uploads
from duly.store.transaction import Transaction, compact
from duly.store.transitions import Change, Facts, apply, facts

#: As long as a step's name, for a wait is one.
NAME_LIMIT = 60
DATA_LIMIT = 65_536

_STEP, _SIGNAL, _TASK = schema.step.c, schema.signal.c, schema.task.c


class Signal(NamedTuple):
    """What is said to a task; `data` is JSON text. The same id again is the same signal."""

    task_id: str
    name: str
    id: str
    data: str

    @classmethod
    def of(cls, task_id: str, name: str, data: Any, *, key: str) -> Signal:
        """One whose words are fit to be kept.

        Raises:
            InvalidInput: they are not.
        """
        check_name(name, "a signal's name", NAME_LIMIT)
        if not check_text(key, "a signal's id", 200):
            raise InvalidInput("a signal's id must not be empty")
        text = wire.dumps(data, what="a signal's data")
        if len(text.encode()) > DATA_LIMIT:
            raise TooLarge(f"a signal's data may hold {DATA_LIMIT} bytes; upload more, and send its SHA-256")
        return cls(task_id, name, key, text)


class Signalled(NamedTuple):
    """The task's status before (None: no such task), and whether the signal is kept, now or before.

    `conflict`: another signal has this id.
    """

    status: Status | None
    kept: bool = False
    conflict: bool = False


def signal(tx: Transaction, items: Sequence[Signal]) -> list[Signalled]:
    """Keeps each signal once, in order, and wakes the tasks that wait for one of its name.

    A task that has ended takes none.
    """
    known = facts(tx, [item.task_id for item in items])
    standing, last = _standing(tx, known, {item.id for item in items}), _last(tx, known)
    new: list[dict[str, Any]] = []
    answers = []
    for item in items:
        one = known.get(item.task_id)
        before = standing.get((item.task_id, item.id))
        if before is None and one is not None and not one.status.terminal:
            last[one.id] += 1
            row = {"task_id": one.id, "n": last[one.id], "name": item.name, "id": item.id, "data": item.data}
            new.append({**row, "created_at": tx.now})
            before = standing[item.task_id, item.id] = item
        answers.append(_answer(item, one, before))
    if new:
        tx.core.execute(sa.insert(schema.signal), new)
        uploads.refer(tx, [(row["task_id"], row["data"]) for row in new])
        _tell(tx, known, new)
    return answers


def _answer(item: Signal, one: Facts | None, kept: Signal | None) -> Signalled:
    return Signalled(None if one is None else one.status, kept == item, kept not in (None, item))


def _standing(tx: Transaction, tasks: Iterable[str], ids: Iterable[str]) -> dict[tuple[str, str], Signal]:
    """Those of these signals that the tasks have already."""
    query = sa.select(_SIGNAL.task_id, _SIGNAL.name, _SIGNAL.id, _SIGNAL.data)
    query = query.where(_SIGNAL.task_id.in_(list(tasks)), _SIGNAL.id.in_(list(ids)))
    return {(row.task_id, row.id): Signal(*row) for row in tx.core.execute(query)}


def _last(tx: Transaction, tasks: Iterable[str]) -> dict[str, int]:
    """The number of each task's last signal."""
    query = sa.select(_SIGNAL.task_id, sa.func.max(_SIGNAL.n)).where(_SIGNAL.task_id.in_(list(tasks)))
    rows = tx.core.execute(query.group_by(_SIGNAL.task_id))
    return defaultdict(int, [(id_, n) for id_, n in rows])


def _tell(tx: Transaction, known: dict[str, Facts], new: Sequence[dict[str, Any]]) -> None:
    """Writes a line for each; of those for which a task waits, the first one's line says that it wakes it."""
    awaited = _awaited(tx, [one.id for one in known.values() if one.status is Status.WAITING])
    wakes: dict[str, Change] = {}
    lines: list[dict[str, Any]] = []
    seqs = {one.id: one.seq for one in known.values()}
    for row in new:
        id_, data = row["task_id"], {"name": row["name"], "id": row["id"]}
        if (id_, row["name"]) in awaited and id_ not in wakes:
            wakes[id_] = Change(facts=known[id_], target=Status.PENDING, event=EventType.WOKEN, data=data)
            continue
        seqs[id_] += 1
        lines.append({"id": id_, "seq": seqs[id_], "type": EventType.SIGNALLED, "data": compact(data)})
    if lines:
        tx.run("events", lines)
        _advance(tx, {line["id"]: line["seq"] for line in lines})
    apply(tx, [wake._replace(facts=known[id_]._replace(seq=seqs[id_])) for id_, wake in wakes.items()])


def _awaited(tx: Transaction, ids: Sequence[str]) -> set[tuple[str, str]]:
    """(task, signal's name) of the open waits of those of these tasks that wait for a signal."""
    if not ids:
        return set()
    query = sa.select(_STEP.task_id, _STEP.waits_for).join(schema.task, _TASK.id == _STEP.task_id)
    kinds = ("signal", "job", "children")
    query = query.where(_TASK.id.in_(ids), _TASK.wait_kind.in_(kinds), _STEP.taken.is_(None))
    return {(id_, name) for id_, name in tx.core.execute(query.where(_STEP.waits_for != ""))}


def _advance(tx: Transaction, seqs: dict[str, int]) -> None:
    """Moves the numbers of locked tasks on, whatever their state."""
    later = sa.case((_TASK.touched_at < tx.now, tx.now), else_=_TASK.touched_at)
    moved = sa.update(schema.task).where(_TASK.id == sa.bindparam("task"))
    moved = moved.values(seq=sa.bindparam("last"), touched_at=later)
    tx.core.execute(moved, [{"task": id_, "last": seq} for id_, seq in seqs.items()])
