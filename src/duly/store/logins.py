"""Browser sessions: begun, found, ended. One that has ended is over, whatever its cookie says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import sqlalchemy as sa

from duly.store import schema
from duly.store.transaction import Transaction

TABLE = schema.web_session
COLUMNS = TABLE.c


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLogin:
    """Who signs in, and until when (milliseconds UTC)."""

    id: str
    role: str
    scopes: str
    tenant: str
    owner: str
    api_key_id: str | None
    expires_at: int


class Login(NamedTuple):
    """A session that holds."""

    id: str
    role: str
    scopes: str
    tenant: str
    owner: str
    expires_at: int
    api_key_id: str | None


def begin(tx: Transaction, items: Sequence[NewLogin]) -> list[None]:
    """Sessions hold from the commit on."""
    tx.core.execute(sa.insert(TABLE), [{**asdict(item), "created_at": tx.now} for item in items])
    return [None for _ in items]


def find(tx: Transaction, id_: str, at: int) -> Login | None:
    """The session, if it holds at this moment."""
    rows = tx.run("login_find", id=id_, at=at)
    return Login(*rows[0]) if rows else None


def end(tx: Transaction, items: Sequence[str]) -> list[None]:
    """These sessions hold no more."""
    living = sa.update(TABLE).where(COLUMNS.id.in_(sorted(set(items))), COLUMNS.ended_at.is_(None))
    tx.core.execute(living.values(ended_at=tx.now))
    return [None for _ in items]
