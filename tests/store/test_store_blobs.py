"""Uploads: kept by content, in parts, complete or not there."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from duly.model.errors import InvalidInput, TooLarge
from duly.store import blobs, schema
from duly.store.bodies import PART
from support.stores import Store


async def chunks(data: bytes, size: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def parts(store: Store) -> int:
    """How many are kept; `blob` is a reserved word on MariaDB, so Core writes it."""
    query = sa.select(sa.func.count()).select_from(schema.blob)
    return int(store.read(lambda tx: tx.core.execute(query).scalar_one()))


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART + 7])
async def test_an_upload_comes_back_as_it_was(store: Store, size: int) -> None:
    """Whatever its size in parts, under the SHA-256 of its bytes."""
    data = bytes(number * 31 % 251 for number in range(1_000)) * (size // 1_000 + 1)
    data = data[:size]
    sha256, kept = await blobs.put(store.database, chunks(data), limit=size)
    assert (sha256, kept) == (hashlib.sha256(data).hexdigest(), size)
    assert store.read(blobs.get, sha256) == data


async def test_the_same_bytes_are_kept_once(store: Store) -> None:
    """A second upload of the same file adds no row."""
    for size in (1_000, 17):
        await blobs.put(store.database, chunks(b"same" * 5_000, size), limit=10**6)
    assert parts(store) == 1


async def test_an_upload_over_the_limit_is_refused_and_not_kept(store: Store) -> None:
    """One byte is enough; nothing is left behind."""
    with pytest.raises(TooLarge):
        await blobs.put(store.database, chunks(b"x" * 1_001), limit=1_000)
    assert parts(store) == 0


async def test_an_empty_upload_is_refused(store: Store) -> None:
    """Not a single byte is a mistake of the sender."""
    with pytest.raises(InvalidInput):
        await blobs.put(store.database, chunks(b""), limit=10)


async def test_an_upload_that_was_cut_off_is_not_there(store: Store) -> None:
    """With a part missing there is no upload; sent again, it is completed."""
    data = b"ab" * PART
    sha256 = hashlib.sha256(data).hexdigest()
    store.write(blobs._put, (sha256, 0, 2, data[:PART]))
    assert store.read(blobs.get, sha256) is None
    await blobs.put(store.database, chunks(data), limit=len(data))
    assert store.read(blobs.get, sha256) == data


def test_an_unknown_upload_is_not_there(store: Store) -> None:
    """Asking for it is no error."""
    assert store.read(blobs.get, "0" * 64) is None
