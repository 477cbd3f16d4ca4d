"""Buckets of permits: so many requests in a time, however many processes answer them.

A process takes some permits at once and hands them out itself, so that most requests write nothing. What it
takes is gone from the bucket: together the processes never hand out more than there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from duly.store import schema
from duly.store.transaction import Transaction


class Lease(NamedTuple):
    """`want` permits out of the bucket `name`, which holds `most` and refills within `per_ms`."""

    name: str
    want: int
    most: int
    per_ms: int


class Granted(NamedTuple):
    """How many there were, how many are left, in how many milliseconds there is the next, and are all."""

    permits: int
    left: float
    next_ms: int
    full_ms: int


def lease(tx: Transaction, items: Sequence[Lease]) -> list[Granted]:
    """Takes permits, at most as many as there are."""
    table = schema.bucket.c
    names = sorted({item.name for item in items})
    counts = {item.name: item.most for item in items}
    tx.run("buckets_make", [{"name": name, "tokens": counts[name]} for name in names])
    query = sa.select(schema.bucket).where(table.name.in_(names)).order_by(table.name).with_for_update()
    tokens = {row.name: (row.tokens, row.refilled_at) for row in tx.core.execute(query)}
    answers, rows = [], {}
    for item in items:
        left, at = tokens[item.name]
        left = min(item.most, left + max(0, tx.now - at) * item.most / item.per_ms)
        permits = min(item.want, math.floor(left))
        left -= permits
        tokens[item.name] = (left, tx.now)
        each = item.per_ms / item.most
        full_ms = math.ceil((item.most - left) * each)
        answers.append(Granted(permits, left, math.ceil(max(0, 1 - left) * each), full_ms))
        rows[item.name] = {"of": item.name, "left": left, "full": tx.now + full_ms}
    tx.core.execute(_update(tx.now), list(rows.values()))
    return answers


def _update(now: int) -> sa.Update:
    table = schema.bucket.c
    return (
        sa.update(schema.bucket)
        .where(table.name == sa.bindparam("of"))
        .values(tokens=sa.bindparam("left"), refilled_at=now, full_at=sa.bindparam("full"))
    )


def forget(tx: Transaction, items: Sequence[None]) -> list[None]:
    """Deletes buckets that are full again: as good as none."""
    tx.core.execute(sa.delete(schema.bucket).where(schema.bucket.c.full_at <= tx.now))
    return [None for _ in items]
