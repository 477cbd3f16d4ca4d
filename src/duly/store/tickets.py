"""One-time tickets for pages that cannot send a token: a row each, which whoever uses it takes away."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Table

from duly.store.columns import STORAGE, LongText, key, metadata
from duly.store.transaction import Transaction

# The ticket itself is only known to whom it was given: here stands its SHA-256.
ticket = Table(
    "ticket",
    metadata,
    Column("hash", key(64), primary_key=True),
    Column("route", key(64), nullable=False),
    # For whom it opens, as JSON.
    Column("principal", LongText, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ticket_expiry", "expires_at"),
    **STORAGE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket to be kept; `ttl_ms` is how long it may be used."""

    secret: str
    route: str
    principal: str
    ttl_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Somebody shows a ticket at a route."""

    secret: str
    route: str


def issue(tx: Transaction, items: Sequence[Ticket]) -> list[int]:
    """Keeps each, and answers until when; those that nobody used in time go."""
    over = sa.select(ticket.c.hash).where(ticket.c.expires_at <= tx.now).limit(100)
    gone = list(tx.core.execute(over).scalars())
    if gone:
        tx.core.execute(sa.delete(ticket).where(ticket.c.hash.in_(gone)))
    rows = [_row(one, tx.now) for one in items]
    tx.core.execute(sa.insert(ticket), rows)
    return [int(row["expires_at"]) for row in rows]


def _row(one: Ticket, now: int) -> dict[str, Any]:
    more = {"route": one.route, "principal": one.principal, "expires_at": now + one.ttl_ms}
    return {"hash": digest(one.secret), **more}


def use(tx: Transaction, items: Sequence[Use]) -> list[str | None]:
    """For whom each ticket opens this route, once; None: used, over, of another route, or none of ours."""
    return [_taken(tx, one) for one in items]


def _taken(tx: Transaction, one: Use) -> str | None:
    mine = sa.and_(ticket.c.hash == digest(one.secret), ticket.c.route == one.route)
    row = tx.core.execute(sa.select(ticket.c.principal, ticket.c.expires_at).where(mine)).first()
    took = tx.core.execute(sa.delete(ticket).where(mine)).rowcount
    return str(row.principal) if row is not None and took == 1 and row.expires_at > tx.now else None


def digest(secret: str) -> str:
    """Under which name a ticket is kept."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
