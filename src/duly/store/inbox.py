"""The verbs of an inbox: what is unread, and marking it. Plain Core; each asks for one owner's lines only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from duly.store import schema
from duly.store.transaction import Transaction

TABLE, COLUMNS = schema.notification, schema.notification.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which lines of an owner become read, or unread: of these ids, up to a number, or all."""

    tenant: str
    owner: str
    ids: tuple[int, ...] | None = None
    up_to: int | None = None
    read: bool = True


def page(
    tx: Transaction,
    tenant: str,
    owner: str,
    last: int = 0,
    limit: int = 100,
    *,
    unread: bool | None = None,
    newest: bool = False,
) -> list[dict[str, Any]]:
    """Lines behind number `last`: all, only unread ones, or only read ones. They ascend, or with `newest`
    descend; there 0 is the end."""
    query = sa.select(TABLE).where(*_of(tenant, owner))
    if last or not newest:
        query = query.where(COLUMNS.id < last if newest else COLUMNS.id > last)
    if unread is not None:
        query = query.where(COLUMNS.read_at.is_(None) if unread else COLUMNS.read_at.is_not(None))
    query = query.order_by(COLUMNS.id.desc() if newest else COLUMNS.id)
    return [dict(row) for row in tx.core.execute(query.limit(limit)).mappings()]


def stats(tx: Transaction, tenant: str, owner: str) -> dict[str, int]:
    """How many lines are unread, and the number of the latest line (0: there is none)."""
    unread = sa.select(sa.func.count()).where(*_of(tenant, owner), COLUMNS.read_at.is_(None))
    latest = sa.select(sa.func.max(COLUMNS.id)).where(*_of(tenant, owner))
    counted = tx.core.execute(unread.select_from(TABLE)).scalar_one()
    return {"unread": int(counted), "latest": int(tx.core.execute(latest).scalar() or 0)}


def mark(tx: Transaction, items: Sequence[Mark]) -> list[int]:
    """Marks lines; how many were not so before. A line that was read keeps the time when it first was."""
    return [_mark(tx, item) for item in items]


def _mark(tx: Transaction, item: Mark) -> int:
    before = COLUMNS.read_at.is_(None) if item.read else COLUMNS.read_at.is_not(None)
    query = sa.update(TABLE).where(*_of(item.tenant, item.owner), before)
    if item.ids is not None:
        query = query.where(COLUMNS.id.in_(item.ids))
    if item.up_to is not None:
        query = query.where(COLUMNS.id <= item.up_to)
    return int(tx.core.execute(query.values(read_at=tx.now if item.read else None)).rowcount)


def _of(tenant: str, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return COLUMNS.tenant == tenant, COLUMNS.owner == owner
