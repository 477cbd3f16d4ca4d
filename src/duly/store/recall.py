"""What earlier rounds of a task remember: its steps and waits with their values, always in three reads."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from duly.model.task import Remembered, Step
from duly.store import bodies, schema
from duly.store.journal import value_kind
from duly.store.transaction import Transaction

#: Between these are the kinds of all bodies that steps have.
_FIRST_KIND, _PAST_KINDS = "step/", "step0"


def steps(tx: Transaction, id_: str) -> list[Step]:
    """The remembered steps and waits of a task, in the order they were recorded. A sleep whose time has come
    is over."""
    return _steps(tx, id_, [text for _, text in tx.run("recalled", id=id_, apart=0)])


def remembered(tx: Transaction, id_: str) -> Remembered:
    """The same for the task's next round: of the sleeps that are over only the numbers."""
    texts: list[str] = []
    slept: defaultdict[str, set[int]] = defaultdict(set)
    for name, text in tx.run("recalled", id=id_, apart=1):
        if name is None:
            texts.append(text)
        else:
            slept[name].update(json.loads(text))
    return Remembered(_steps(tx, id_, texts), dict(slept))


def _steps(tx: Transaction, id_: str, texts: list[str]) -> list[Step]:
    rows = sorted(row for text in texts for row in json.loads(text))
    values = _values(tx, id_) if any(not _plain_wait(row) for row in rows) else {}
    signals = _signals(tx, id_) if any(row[8] for row in rows) else {}
    return [_step(row, tx.now, values, signals) for row in rows]


def _plain_wait(row: list[Any]) -> bool:
    """For a signal or a time: it has no body of its own."""
    return row[6] is not None and row[9] is None


def _step(row: list[Any], now: int, values: dict[str, str], signals: dict[int, str]) -> Step:
    _, name, n, digest, attempt, duration_ms, waits_for, due_at, taken, children, eager = row
    if waits_for is not None and children is None:
        value = signals.get(taken, "null") if taken else "null"
        if waits_for == "" and due_at is not None and due_at <= now:
            taken = 0
    else:  # a gather whose answer is not remembered yet has none
        value = values.get(value_kind(name, n)) or ("null" if children is None else "")
    return Step(name, n, digest, value, attempt, duration_ms, waits_for, due_at, taken, children, eager)


def _values(tx: Transaction, id_: str) -> dict[str, str]:
    table = schema.task_data.c
    query = sa.select(table.kind, table.text, table.data).where(
        table.task_id == id_, table.kind >= _FIRST_KIND, table.kind < _PAST_KINDS
    )
    parts = tx.core.execute(query.order_by(table.kind, table.part)).all()
    found: dict[str, str] = {}
    for kind, its in groupby(parts, itemgetter(0)):
        found[kind] = bodies.join((text, data) for _, text, data in its) or ""
    return found


def _signals(tx: Transaction, id_: str) -> dict[int, str]:
    """The data of the signals that a task's waits took."""
    table = schema.signal.c
    taken = sa.select(table.n, table.data).where(table.task_id == id_, table.taken_at.is_not(None))
    return {row.n: row.data for row in tx.core.execute(taken)}
