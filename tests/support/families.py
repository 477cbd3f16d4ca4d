"""Parents and children in a `Store`: what an attempt spawns, and how its gathers stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from duly.model.task import Claimed, Step
from duly.store import children, retention, schema
from duly.store.transaction import Transaction
from support.stores import Store, submission


def spawning(claimed: Claimed, n: int = 1, **overrides: Any) -> children.Spawn:
    """A child that the attempt wants."""
    child = submission(**overrides)
    one = Step(name="child", n=n, digest="d", value=f'"{child.id}"', attempt=claimed.attempt)
    return children.Spawn(id=claimed.id, attempt=claimed.attempt, step=one, children=(child,))


def gathering(claimed: Claimed, *ids: str, eager: int = 0, n: int = 1) -> children.Gather:
    """A wait of the attempt for these children."""
    one = Step(name="gather", n=n, digest="d", value="", attempt=claimed.attempt, waits_for="", eager=eager)
    return children.Gather(id=claimed.id, attempt=claimed.attempt, step=one, children=ids)


def spawn(store: Store, claimed: Claimed, count: int = 1, **overrides: Any) -> list[str]:
    """Children of the attempt's task; their ids."""
    items = [spawning(claimed, n, **overrides) for n in range(1, count + 1)]
    assert store.write(children.spawn, *items) == [True] * count
    return [item.children[0].id for item in items]


def gather(store: Store, claimed: Claimed, *ids: str, **more: Any) -> Step | None:
    """How a gather of the attempt stands; None means lease lost."""
    return store.write(children.gather, gathering(claimed, *ids, **more))[0]  # type: ignore[no-any-return]


def take(tx: Transaction, ids: Sequence[str]) -> list[None]:
    """Deletes these tasks with all that belongs to them, whoever may ask for them."""
    for table in retention.PARTS:
        tx.core.execute(sa.delete(table).where(table.c.task_id.in_(ids)))
    tx.core.execute(sa.delete(schema.task).where(schema.task.c.id.in_(ids)))
    return [None for _ in ids]
