"""Uploads, kept by content: parts of 1 MB under their SHA-256, so that the same file is stored once."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from tempfile import SpooledTemporaryFile

import sqlalchemy as sa

from duly.model.errors import InvalidInput, TooLarge
from duly.store import schema, uploads
from duly.store.bodies import PART
from duly.store.database import Database
from duly.store.transaction import Row, Transaction


class DigestDiffers(InvalidInput):
    """The bytes that came are not those that the digest names; send them again."""

    code = "bad_digest"
    http_status = 400


async def put(
    database: Database, stream: AsyncIterator[bytes], *, limit: int, expected: str | None = None
) -> tuple[str, int]:
    """Keeps a stream; answers its SHA-256 (hex) and size in bytes. Memory stays at a few parts.

    Raises:
        DigestDiffers: its SHA-256 is not `expected`; nothing is kept.
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
        if expected not in (None, sha256):
            raise DigestDiffers
        await database.write(uploads.come, sha256)
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


def size(tx: Transaction, sha256: str) -> int | None:
    """How many bytes a complete upload has; None when it is unknown or was cut off."""
    table = schema.blob.c
    query = sa.select(sa.func.max(table.parts), sa.func.count(), sa.func.sum(sa.func.length(table.data)))
    parts, count, length = tx.core.execute(query.where(table.sha256 == sha256)).one()
    return int(length) if count and count == parts else None


def part(tx: Transaction, sha256: str, number: int) -> bytes:
    """One part of an upload; empty when it is not there any more."""
    table = schema.blob.c
    query = sa.select(table.data).where(table.sha256 == sha256, table.part == number)
    return bytes(tx.core.execute(query).scalar() or b"")
