"""Which uploads are wanted: those that came lately, and those that a task or a schedule names.

A task names an upload by its SHA-256 anywhere in its input, or in what was said to it. Uploads from before
they were counted have no row, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from duly.store import schema
from duly.store.transaction import Transaction

_NAME = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])")
_UPLOAD, _REF, _BLOB = schema.upload.c, schema.upload_ref.c, schema.blob.c


def named(text: str) -> list[str]:
    """The uploads that a text may name; a digest of something else among them does no harm."""
    return sorted(set(_NAME.findall(text))) if len(text) >= 64 else []


def refer(tx: Transaction, texts: Iterable[tuple[str, str]]) -> None:
    """Remembers, within the caller's transaction, which uploads the texts (task id, text) name."""
    rows = [{"id": id_, "sha256": sha256} for id_, text in texts for sha256 in named(text)]
    if rows:
        tx.run("refer", rows)


def come(tx: Transaction, items: Sequence[str]) -> list[None]:
    """These uploads (SHA-256) are about to be kept, or kept again: nobody deletes them for a while."""
    wanted = set(items)
    there = set(tx.core.execute(sa.select(_BLOB.sha256).where(_BLOB.sha256.in_(wanted))).scalars())
    counted = set(tx.core.execute(sa.select(_UPLOAD.sha256).where(_UPLOAD.sha256.in_(wanted))).scalars())
    if new := sorted(wanted - (there - counted)):
        tx.run("upload", [{"sha256": sha256} for sha256 in new])
    return [None for _ in items]


def old(tx: Transaction, limit: int) -> list[str]:
    """Uploads that nobody has sent or named for the time that the installation keeps them, oldest first."""
    query = sa.select(_UPLOAD.sha256).where(_UPLOAD.touched_at <= tx.now - tx.terms.upload_ms)
    return list(tx.core.execute(query.order_by(_UPLOAD.touched_at, _UPLOAD.sha256).limit(limit)).scalars())


def forget(tx: Transaction, items: Sequence[str]) -> list[bool]:
    """Deletes those of these that are still old and that no task and no schedule names; others are looked at
    again when as much time has passed."""
    query = sa.select(_UPLOAD.sha256).where(
        _UPLOAD.sha256.in_(sorted(set(items))), _UPLOAD.touched_at <= tx.now - tx.terms.upload_ms
    )
    ripe = set(tx.core.execute(query.order_by(_UPLOAD.sha256).with_for_update(skip_locked=True)).scalars())
    # In a later statement than the lock: whoever named one before is seen.
    wanted = set(tx.core.execute(sa.select(_REF.sha256).where(_REF.sha256.in_(ripe))).scalars())
    wanted |= {sha256 for sha256 in ripe - wanted if _scheduled(tx, sha256)}
    if wanted:
        update = sa.update(schema.upload).where(_UPLOAD.sha256.in_(wanted))
        tx.core.execute(update.values(touched_at=tx.now))
    if gone := ripe - wanted:
        tx.core.execute(sa.delete(schema.blob).where(_BLOB.sha256.in_(gone)))
        tx.core.execute(sa.delete(schema.upload).where(_UPLOAD.sha256.in_(gone)))
    return [item in gone for item in items]


def _scheduled(tx: Transaction, sha256: str) -> bool:
    """Whether a schedule names it: there are few, and a digest holds no pattern."""
    query = sa.select(schema.schedule.c.name).where(schema.schedule.c.input.like(f"%{sha256}%"))
    return tx.core.execute(query.limit(1)).first() is not None
