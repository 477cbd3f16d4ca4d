"""Uploads, kept by content: parts of 1 MB under their SHA-256, so that the same file is stored once."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from tempfile import SpooledTemporaryFile

import sqlalchemy as sa

from duly.model.errors import InvalidInput, TooLarge
from duly.store import schema
from duly.store.bodies import PART
from duly.store.database import Database
from duly.store.transaction import Row, Transaction


async def put(database: Database, stream: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
    """Keeps a stream; answers its SHA-256 (hex) and size in bytes. Memory stays at a few parts.

    Raises:
        TooLarge: more than `limit` bytes; nothing is kept.
        InvalidInput: not a single byte.
    """
    digest, size = hashlib.sha256(), 0
    with SpooledTemporaryFile(max_size=2 * PART) as spool:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"the upload is larger than {limit} bytes")
            digest.update(chunk)
            spool.write(chunk)
        if not size:
            raise InvalidInput("the upload is empty", code="empty_upload")
        spool.seek(0)
        sha256, parts = digest.hexdigest(), -(-size // PART)
        for part in range(parts):
            await database.write(_put, (sha256, part, parts, spool.read(PART)))
    return sha256, size


def _put(tx: Transaction, rows: Sequence[Row]) -> list[None]:
    tx.run_many("blob", rows)
    return [None for _ in rows]


def get(tx: Transaction, sha256: str) -> bytes | None:
    """The bytes of a complete upload; None when it is unknown or was cut off."""
    table = schema.blob.c
    query = sa.select(table.parts, table.data).where(table.sha256 == sha256).order_by(table.part)
    rows = tx.core.execute(query).all()
    if not rows or len(rows) != rows[0].parts:
        return None
    return b"".join(row.data for row in rows)
