"""Uploads go when nobody uses them, and never one that a task or a schedule names; on each database."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from duly.model.state import Status
from duly.store import blobs, retention, schema, uploads
from duly.store.bodies import PART
from support.stores import Store

DAY = 86_400


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


def upload(store: Store, data: bytes = b"file") -> str:
    kept, _ = asyncio.run(blobs.put(store.database, chunks(data), limit=10 * PART))
    return kept


def swept(store: Store) -> int:
    """What one pass deletes."""
    return sum(store.write(uploads.forget, *store.read(uploads.old, 100)) or [])


def there(store: Store, sha256: str) -> bool:
    return store.read(blobs.get, sha256) is not None


def test_an_upload_that_nobody_uses_goes_after_its_day(store: Store) -> None:
    """Not a moment before; with all its parts."""
    sha256 = upload(store, b"x" * (PART + 1))
    store.clock.advance(DAY - 1)
    assert (swept(store), there(store, sha256)) == (0, True)
    store.clock.advance(1)
    assert (swept(store), there(store, sha256)) == (1, False)


@pytest.mark.parametrize("size", [10, 100_000])
def test_an_upload_that_a_task_names_stays_as_long_as_the_task(store: Store, size: int) -> None:
    """Small inputs and large ones, while it lives and while it is kept; then it goes."""
    sha256 = upload(store)
    text = json.dumps({"file": {"blob": sha256}, "more": "x" * size})
    id_ = store.ended(Status.COMPLETED, input=text, result_ttl_ms=3 * DAY * 1000)
    store.clock.advance(2 * DAY)
    assert (swept(store), there(store, sha256)) == (0, True)
    store.clock.advance(2 * DAY)
    store.write(retention.prune, *store.read(retention.expired, None, limit=10))
    assert store.read(blobs.get, sha256) is not None
    assert (swept(store), there(store, sha256)) == (1, False)
    assert id_


def test_an_upload_that_is_said_to_a_task_stays(store: Store) -> None:
    """A signal's data name files too."""
    from duly.store import signals

    sha256, id_ = upload(store), store.submit()
    store.write(signals.signal, signals.Signal.of(id_, "file", {"blob": sha256}, key="k"))
    store.clock.advance(2 * DAY)
    assert (swept(store), there(store, sha256)) == (0, True)


def test_an_upload_that_a_schedule_names_stays(store: Store) -> None:
    """Its next tick comes perhaps in a month."""
    sha256 = upload(store)
    row = {"tenant": "", "name": "s", "owner": "", "task_type": "demo", "conditions": "{}", "every_ms": 1}
    row |= {"input": json.dumps({"blob": sha256}), "anchor_at": 0, "catch_up": "one", "catch_up_most": 1}
    row |= {"source": "", "next_at": 1, "version": 1, "created_at": 1, "updated_at": 1}
    store.write(lambda tx, items: [tx.core.execute(schema.schedule.insert(), row) and None], None)
    store.clock.advance(2 * DAY)
    assert (swept(store), there(store, sha256)) == (0, True)


def test_an_upload_that_comes_again_has_its_day_again(store: Store) -> None:
    """The same bytes are one upload."""
    sha256 = upload(store)
    store.clock.advance(DAY)
    assert upload(store) == sha256
    assert (swept(store), there(store, sha256)) == (0, True)


def test_a_task_that_comes_between_look_and_deletion_keeps_its_file(store: Store) -> None:
    """What was old when it was seen is asked again under its lock."""
    sha256 = upload(store)
    store.clock.advance(2 * DAY)
    seen = store.read(uploads.old, 100)
    store.submit(input=json.dumps({"blob": sha256}))
    assert seen == [sha256]
    assert store.write(uploads.forget, *seen) == [False]
    assert there(store, sha256)


def test_uploads_from_before_they_were_counted_stay(store: Store) -> None:
    """Nobody knows who names them; sent again, they still do not begin to count."""
    data = b"old"
    sha256 = hashlib.sha256(data).hexdigest()
    row = {"sha256": sha256, "part": 0, "parts": 1, "data": data}
    store.write(lambda tx, items: [tx.core.execute(schema.blob.insert(), row) and None], None)
    assert upload(store, data) == sha256
    store.clock.advance(9 * DAY)
    assert (swept(store), there(store, sha256)) == (0, True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a" * 64, 1),
        ("a" * 65, 0),
        ("A" * 64, 0),
        (json.dumps(["a" * 64, "b" * 64, "a" * 64]), 2),
        ("g" * 64, 0),
    ],
)
def test_names_are_found_in_any_text(text: str, count: int) -> None:
    """Sixty-four hexadecimal digits that stand alone."""
    assert len(uploads.named(text)) == count
