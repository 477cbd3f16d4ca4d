"""What is kept of rounds that ended in a wait: no attempt row, and of many rounds the lines of the last ones.

A task may be suspended a thousand times; what that leaves behind must not grow with it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from duly.model.events import EventType
from duly.store import schema
from duly.store.transaction import Transaction, compact

#: The lines of so many rounds stay; a marker stands for those before.
KEPT = 20

_EVENT = schema.event.c
_TOLD = (EventType.STARTED, EventType.WAITING, EventType.DUE, EventType.WOKEN, EventType.COMPACTED)
#: How the lines of a round follow each other; the last is of the round that has just begun to wait.
_ROUNDS = (
    (EventType.STARTED, EventType.WAITING, EventType.DUE),
    (EventType.STARTED, EventType.WAITING, EventType.WOKEN),
    (EventType.STARTED, EventType.WOKEN),
    (EventType.STARTED, EventType.WAITING),
)


class _Line(NamedTuple):
    seq: int
    type: str
    data: str


def shorten(tx: Transaction, waiting: Sequence[tuple[str, int]]) -> None:
    """Drops the lines that the old rounds of these (task, attempt) need not leave behind. They are locked."""
    for id_, attempt in waiting:
        if attempt > KEPT:
            _compact(tx, id_)


def _compact(tx: Transaction, id_: str) -> None:
    query = sa.select(_EVENT.seq, _EVENT.type, _EVENT.data).where(_EVENT.task_id == id_)
    lines = [_Line(*row) for row in tx.core.execute(query.where(_EVENT.type.in_(_TOLD)).order_by(_EVENT.seq))]
    old = _rounds(lines)[:-KEPT]
    if not old:
        return
    marker = [line for line in lines if line.type == EventType.COMPACTED]
    before = sum(json.loads(line.data)["rounds"] for line in marker)
    last = old[-1][-1]
    gone = [line.seq for line in itertools.chain(marker, *old) if line != last]
    tx.core.execute(sa.delete(schema.event).where(_EVENT.task_id == id_, _EVENT.seq.in_(gone)))
    data = compact({"rounds": before + len(old), "attempt": json.loads(old[-1][0].data)["attempt"]})
    stands = sa.update(schema.event).where(_EVENT.task_id == id_, _EVENT.seq == last.seq)
    tx.core.execute(stands.values(type=EventType.COMPACTED, data=data))


def _rounds(lines: Sequence[_Line]) -> list[Sequence[_Line]]:
    """The lines of each round that ended in a wait; others may stand between, but not within one."""
    begins = [place for place, line in enumerate(lines) if line.type == EventType.STARTED]
    parts = (lines[begin:end] for begin, end in itertools.pairwise([*begins, len(lines)]))
    return [part for part in map(_trimmed, parts) if tuple(line.type for line in part) in _ROUNDS]


def _trimmed(part: Sequence[_Line]) -> Sequence[_Line]:
    """Without what came after its wake: the clock may have moved the task again, after a retry."""
    ends = (number for number, line in enumerate(part) if line.type in (EventType.DUE, EventType.WOKEN))
    return part[: next(ends, len(part)) + 1]
