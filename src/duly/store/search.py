"""Tasks whose type, id or metadata hold a text. No index serves that, so each look is bounded: it reads at
most `LOOKED_AT` tasks that fit otherwise, and says where the next look goes on.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from duly.model.task import Task
from duly.store import lists, schema
from duly.store.lists import Filter
from duly.store.transaction import Transaction

LOOKED_AT = 10_000
#: Where a text stands in another, byte by byte and without patterns: `%` and `_` are letters like others.
_PLACE = {"sqlite": "instr", "postgres": "strpos", "mariadb": "instr"}


def search(
    tx: Transaction, wanted: Filter, text: str, *, limit: int, before: str | None = None
) -> tuple[list[Task], str | None]:
    """The newest such tasks before `before` (an id), without results; and before which id to go on."""
    table = schema.task.c
    seen = sa.select(table.id).where(*wanted.where()).order_by(table.id.desc())
    if before is not None:
        seen = seen.where(table.id < before)
    window = seen.limit(LOOKED_AT).subquery()
    query = sa.select(table.id).join(window, window.c.id == table.id).where(_holds(tx, text))
    ids = list(tx.core.execute(query.order_by(table.id.desc()).limit(limit)).scalars())
    found = lists.page(tx, Filter(ids=tuple(ids)), limit=limit) if ids else []
    if len(ids) == limit:
        return found, ids[-1]
    return found, tx.core.execute(seen.offset(LOOKED_AT - 1).limit(1)).scalar()


def _holds(tx: Transaction, text: str) -> sa.ColumnElement[bool]:
    """In metadata a text stands as JSON writes it."""
    table = schema.task.c
    place: Any = getattr(sa.func, _PLACE[tx.dialect])
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    starts = sa.func.substr(table.id, 1, len(text)) == text
    return sa.or_(starts, place(table.task_type, text) > 0, place(table.metadata, written) > 0)
