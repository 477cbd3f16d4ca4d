"""Deliveries, as people look for them: by owner, task, endpoint, status; newest first. Plain Core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from duly.store import schema
from duly.store.transaction import Transaction

_TASK, _DELIVERY = schema.task.c, schema.delivery.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries; None leaves a word open. `owner` is (tenant, owner); `before` an id."""

    id: str | None = None
    status: str | None = None
    endpoint: str | None = None
    task: str | None = None
    owner: tuple[str, str] | None = None
    before: str | None = None
    limit: int = 100


def page(tx: Transaction, wanted: Wanted) -> list[dict[str, Any]]:
    """Rows of the delivery table, newest first."""
    words = {
        _DELIVERY.id: wanted.id,
        _DELIVERY.status: wanted.status,
        _DELIVERY.endpoint_id: wanted.endpoint,
        _DELIVERY.task_id: wanted.task,
    }
    query = sa.select(schema.delivery).where(
        *(one == value for one, value in words.items() if value is not None)
    )
    if wanted.before is not None:
        query = query.where(_DELIVERY.id < wanted.before)
    if wanted.owner is not None:
        tenant, owner = wanted.owner
        mine = (_TASK.id == _DELIVERY.task_id) & (_TASK.tenant == tenant) & (_TASK.owner == owner)
        query = query.join(schema.task, mine)
    found = tx.core.execute(query.order_by(_DELIVERY.id.desc()).limit(wanted.limit)).mappings()
    return [dict(row) for row in found]
