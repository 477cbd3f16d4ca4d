"""The verbs of a map: what is known of its items, recorded in batches, fenced; the progress only grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from duly.model.events import EventType
from duly.store import schema
from duly.store.journal import fence, write
from duly.store.transaction import Transaction

_ITEM, _TASK = schema.item.c, schema.task.c
#: Items that one read answers.
PAGE = 1000
#: How many lines the timeline has of a task's maps at the most.
LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is known of item `n` of a map: it completed, failed for good, or is to be tried again.

    `result` is JSON text; `digest` says of which value.
    """

    n: int
    status: str
    tries: int
    digest: str
    result: str | None = None
    error_code: str | None = None
    error: str | None = None


_COLUMNS = [_ITEM[name] for name in Item.__dataclass_fields__]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """What an attempt, by a handler of this version, has learned of items of the map `name`, each once;
    `progress` of the task, 0..1."""

    id: str
    attempt: int
    name: str
    items: tuple[Item, ...]
    progress: float
    version: str | None = None


def items(tx: Transaction, id_: str, name: str, after: int = -1) -> list[Item]:
    """The next known items of a task's map behind number `after`, at most a thousand."""
    query = sa.select(*_COLUMNS).where(_ITEM.task_id == id_, _ITEM.name == name, _ITEM.n > after)
    return [Item(**row) for row in tx.core.execute(query.order_by(_ITEM.n).limit(PAGE)).mappings()]


def record_items(tx: Transaction, batches: Sequence[Items]) -> list[bool]:
    """Records what became of items; what completed stays as it is, and each tenth of the progress is a line
    of the timeline. False means *lease lost*: nothing was written."""
    timelines, owned = fence(tx, batches)
    for batch, is_mine in zip(batches, owned, strict=True):
        if is_mine:
            if _record(tx, batch):
                timelines[batch.id].version = batch.version
            if _advance(tx, batch):
                timelines[batch.id].add(EventType.PROGRESS, {"progress": batch.progress, "message": None})
    write(tx, timelines.values())
    return owned


def _record(tx: Transaction, batch: Items) -> bool:
    """Whether any of them is new."""
    numbers = [one.n for one in batch.items]
    here = (_ITEM.task_id == batch.id, _ITEM.name == batch.name)
    query = sa.select(_ITEM.n, _ITEM.status).where(*here, _ITEM.n.in_(numbers))
    standing = {row.n: row.status for row in tx.core.execute(query)}
    place = {"task_id": batch.id, "name": batch.name}
    if new := [{**place, **asdict(one)} for one in batch.items if one.n not in standing]:
        tx.core.execute(sa.insert(schema.item), new)
    again = [one for one in batch.items if standing.get(one.n, "completed") != "completed"]
    if again:
        tx.core.execute(_UPDATE, [_update(batch, one) for one in again])
    return bool(new)


def _update(batch: Items, one: Item) -> dict[str, Any]:
    values = {f"now_{name}": value for name, value in asdict(one).items()}
    return {**values, "of": batch.id, "by": batch.name}


_UPDATE = (
    sa.update(schema.item)
    .where(_ITEM.task_id == sa.bindparam("of"), _ITEM.name == sa.bindparam("by"))
    .where(_ITEM.n == sa.bindparam("now_n"))
    .values({name: sa.bindparam(f"now_{name}") for name in Item.__dataclass_fields__ if name != "n"})
)


def _advance(tx: Transaction, batch: Items) -> bool:
    """The task's progress never goes back; whether it has come to a further tenth. The task is locked."""
    here = _TASK.id == batch.id
    before = tx.core.execute(sa.select(_TASK.progress).where(here)).scalar() or 0.0
    if before >= batch.progress:
        return False
    tx.core.execute(sa.update(schema.task).where(here).values(progress=batch.progress))
    return int(batch.progress * LINES) > int(before * LINES)


def counts(tx: Transaction, id_: str) -> list[dict[str, Any]]:
    """How many items of each of a task's maps stand in each status, by name."""
    number = sa.func.count().label("number")
    query = sa.select(_ITEM.name, _ITEM.status, number).where(_ITEM.task_id == id_)
    query = query.group_by(_ITEM.name, _ITEM.status).order_by(_ITEM.name, _ITEM.status)
    return [dict(row) for row in tx.core.execute(query).mappings()]
