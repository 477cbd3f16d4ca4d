"""The audit log: who did what to what, and how it ended. Rows are added and, when they are old, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
import uuid_utils

from duly.store import schema
from duly.store.transaction import Transaction

TABLE = schema.audit
COLUMNS = TABLE.c
#: What one call deletes at most.
MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line; `status` is the HTTP status, 0 where there is none. It never holds a secret."""

    action: str
    object: str = ""
    status: int = 0
    role: str = "admin"
    tenant: str = ""
    owner: str = ""
    credential: str = "cli"
    request_id: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which lines: None leaves a word open; `before` is an id, to read on from."""

    action: str | None = None
    owner: str | None = None
    object: str | None = None
    before: str | None = None


def add(tx: Transaction, items: Sequence[Entry]) -> list[None]:
    """Writes lines, in their order."""
    if items:
        rows = [{"id": str(uuid_utils.uuid7()), "at": tx.now, **asdict(item)} for item in items]
        tx.core.execute(sa.insert(TABLE), rows)
    return [None for _ in items]


def page(tx: Transaction, search: Search, *, limit: int) -> list[dict[str, Any]]:
    """The newest lines first."""
    query = sa.select(TABLE).order_by(COLUMNS.id.desc()).limit(limit)
    for name in ("action", "owner", "object"):
        if (wanted := getattr(search, name)) is not None:
            query = query.where(COLUMNS[name] == wanted)
    if search.before is not None:
        query = query.where(COLUMNS.id < search.before)
    return [dict(row) for row in tx.core.execute(query).mappings()]


def forget(tx: Transaction, items: Sequence[None]) -> list[int]:
    """Deletes lines older than the terms say, at most 1000 a call, and browser sessions that are over."""
    old = sa.select(COLUMNS.id).where(COLUMNS.at <= tx.now - tx.terms.audit_ms).order_by(COLUMNS.at)
    ids = tx.core.execute(old.limit(MOST)).scalars().all()
    if ids:
        tx.core.execute(sa.delete(TABLE).where(COLUMNS.id.in_(ids)))
    over = schema.web_session.c.expires_at <= tx.now
    tx.core.execute(sa.delete(schema.web_session).where(over))
    return [len(ids) for _ in items]
