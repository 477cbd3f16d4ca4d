"""API keys: made, found, rotated, revoked. What is kept of a secret is its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model.access import Role
from duly.store import audit, schema
from duly.store.audit import Entry
from duly.store.transaction import Transaction

TABLE = schema.api_key
COLUMNS = TABLE.c
#: All that may be shown of a key.
SHOWN = tuple(column for column in COLUMNS if column.name not in ("secret_hash", "old_hash"))
#: When a key was last used is known to so much, in milliseconds.
USED_EVERY = 60_000


class Known(NamedTuple):
    """What a call with a key is checked against; times in milliseconds UTC."""

    id: str
    secret_hash: str
    old_hash: str | None
    old_until: int | None
    role: str
    scopes: str
    tenant: str
    owner: str
    expires_at: int | None
    used_at: int | None
    revoked_at: int | None

    def hashes(self, now: int) -> list[str]:
        """The hashes of the secrets that are good now: none of a key that is revoked or over."""
        if self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now):
            return []
        rotated = self.old_hash is not None and self.old_until is not None and now < self.old_until
        return [self.secret_hash, *([str(self.old_hash)] if rotated else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to be kept; `expires_at` is milliseconds UTC, None never."""

    id: str
    secret_hash: str
    name: str
    role: Role
    scopes: str
    tenant: str
    owner: str
    by: str
    expires_at: int | None
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A key's next secret; the present one stays good for `overlap_ms`."""

    id: str
    secret_hash: str
    overlap_ms: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The end of a key, and of the browser sessions that were begun with it."""

    id: str
    entry: Entry


def find(tx: Transaction, id_: str) -> Known | None:
    """What is kept of a key."""
    rows = tx.run("key_find", id=id_)
    return Known(*rows[0]) if rows else None


def make(tx: Transaction, items: Sequence[NewKey]) -> list[dict[str, Any]]:
    """Keeps new keys; each is good from the commit on."""
    for item in items:
        words = {name: getattr(item, name) for name in ("id", "secret_hash", "name", "role", "scopes")}
        whose = {"tenant": item.tenant, "owner": item.owner, "created_by": item.by}
        times = {"created_at": tx.now, "expires_at": item.expires_at}
        tx.core.execute(sa.insert(TABLE).values(**words, **whose, **times))
    audit.add(tx, [item.entry for item in items])
    return [_shown(tx, item.id) for item in items]


def rotate(tx: Transaction, items: Sequence[Rotation]) -> list[dict[str, Any] | None]:
    """Gives keys their next secrets; None: there is no such key, or it is revoked."""
    return [_rotate(tx, item) for item in items]


def _rotate(tx: Transaction, item: Rotation) -> dict[str, Any] | None:
    old = {"old_hash": COLUMNS.secret_hash, "old_until": tx.now + item.overlap_ms, "rotated_at": tx.now}
    query = sa.update(TABLE).where(COLUMNS.id == item.id, COLUMNS.revoked_at.is_(None))
    # MariaDB assigns from left to right: the old one first.
    ordered = [(COLUMNS[name], value) for name, value in old.items()]
    done = tx.core.execute(query.ordered_values(*ordered, (COLUMNS.secret_hash, item.secret_hash)))
    if not done.rowcount:
        return None
    audit.add(tx, [item.entry])
    return _shown(tx, item.id)


def revoke(tx: Transaction, items: Sequence[Revocation]) -> list[dict[str, Any] | None]:
    """Ends keys, from the commit on; one that was revoked stays so. None: there is no such key."""
    return [_revoke(tx, item) for item in items]


def _revoke(tx: Transaction, item: Revocation) -> dict[str, Any] | None:
    living = sa.update(TABLE).where(COLUMNS.id == item.id, COLUMNS.revoked_at.is_(None))
    if tx.core.execute(living.values(revoked_at=tx.now)).rowcount:
        audit.add(tx, [item.entry])
    found = tx.core.execute(sa.select(*SHOWN).where(COLUMNS.id == item.id)).mappings().first()
    return dict(found) if found else None


def touch(tx: Transaction, items: Sequence[str]) -> list[None]:
    """Keys were used now."""
    tx.core.execute(sa.update(TABLE).where(COLUMNS.id.in_(sorted(set(items)))).values(used_at=tx.now))
    return [None for _ in items]


def page(tx: Transaction, *, after: str, limit: int) -> list[dict[str, Any]]:
    """Keys by id, behind `after`."""
    query = sa.select(*SHOWN).where(COLUMNS.id > after).order_by(COLUMNS.id).limit(limit)
    return [dict(row) for row in tx.core.execute(query).mappings()]


def _shown(tx: Transaction, id_: str) -> dict[str, Any]:
    return dict(tx.core.execute(sa.select(*SHOWN).where(COLUMNS.id == id_)).mappings().one())
