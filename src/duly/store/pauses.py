"""Pause and resume. A pause is exact: it stands in each worker session's row, which every claim locks anyway.

So a claim that has begun makes the pause wait for its commit, and one that comes later waits for the pause's
and reads the row as it is then; neither costs it a statement. A session that starts meanwhile meets the pause
at the queue's own row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from duly.model.task import check_name, check_text
from duly.store import schema
from duly.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Whose word it is that a queue rests, and why; both for people."""

    queue: str
    by: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        check_name(self.queue, "queue")
        check_text(self.by or "", "by", 64)
        check_text(self.reason or "", "reason", 500)


def pause(tx: Transaction, items: Sequence[Pause]) -> list[bool]:
    """From the commit on no claim starts a task of these queues; what runs goes on.

    The answers say which were open until now; a second pause only renews the words that it has.
    """
    were_open = _locked(tx, [item.queue for item in items], paused=False)
    for item in items:
        said: dict[str, Any] = {"paused_by": item.by, "reason": item.reason}
        if item.queue in were_open:
            said["paused_at"] = tx.now
        else:
            said = {word: value for word, value in said.items() if value is not None}
        tx.core.execute(_row(item.queue).values(**said, updated_at=tx.now))
    _tell(tx, were_open, paused=True)
    return [item.queue in were_open for item in items]


def resume(tx: Transaction, names: Sequence[str]) -> list[bool]:
    """Opens these queues again; the answers say which were paused until now."""
    were_paused = _locked(tx, names, paused=True)
    for name in were_paused:
        nothing = dict.fromkeys(("paused_at", "paused_by", "reason"))
        tx.core.execute(_row(name).values(**nothing, updated_at=tx.now))
    _tell(tx, were_paused, paused=False)
    return [name in were_paused for name in names]


def _locked(tx: Transaction, names: Sequence[str], *, paused: bool) -> list[str]:
    """Locks the rows of these queues; those of them that are paused, or else those that are open."""
    tx.run("queue_known", dict.fromkeys(names))
    table = schema.queue.c
    state = table.paused_at.is_not(None) if paused else table.paused_at.is_(None)
    query = sa.select(table.name).where(table.name.in_(names), state).order_by(table.name)
    return list(tx.core.execute(query).scalars())


def _row(name: str) -> sa.Update:
    return sa.update(schema.queue).where(schema.queue.c.name == name)


def _tell(tx: Transaction, names: Sequence[str], *, paused: bool) -> None:
    """Writes it into the row of each living session; this waits for the claims that hold one."""
    table = schema.worker.c
    living = sa.select(table.id).where(table.ended_at.is_(None)).order_by(table.id)
    ids = list(tx.core.execute(living.with_for_update()).scalars()) if names else []
    for name in names if ids else ():
        value: sa.ColumnElement[str] = (
            sa.func.coalesce(table.paused, ",").concat(f"{name},")
            if paused
            else sa.func.replace(table.paused, f",{name},", ",")
        )
        tx.core.execute(sa.update(schema.worker).where(table.id.in_(ids)).values(paused=value))
