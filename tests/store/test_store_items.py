"""The items of a map in the store: each result recorded once, by the attempt that owns the task."""

from __future__ import annotations

from typing import Any

import pytest

from duly.model.task import Claimed
from duly.store import items, retention
from duly.store.items import Item, Items
from support.stores import Store


def known(n: int, status: str = "completed", **more: Any) -> Item:
    """What an attempt has learned of item `n`."""
    more.setdefault("result", str(n) if status == "completed" else None)
    return Item(**{"n": n, "status": status, "tries": 1, "digest": "d", **more})


def record(store: Store, claimed: Claimed, *some: Item, progress: float = 0.5) -> bool:
    """Whether it was recorded."""
    batch = Items(id=claimed.id, attempt=claimed.attempt, name="pages", items=some, progress=progress)
    return bool(store.write(items.record_items, batch)[0])


def results(store: Store, claimed: Claimed) -> list[str | None]:
    """The results as they are remembered."""
    return [one.result for one in store.read(items.items, claimed.id, "pages")]


def test_an_item_is_tried_until_it_is_done(store: Store) -> None:
    """What it failed with before is forgotten then; others come and go in the same call."""
    claimed = store.running()
    assert record(store, claimed, known(0), known(1, "retry", error_code="x", error="not yet"))
    assert record(store, claimed, known(1, tries=2), known(2, "failed", error_code="x"))
    found = store.read(items.items, claimed.id, "pages")
    assert [(one.status, one.tries, one.error_code) for one in found] == [
        ("completed", 1, None),
        ("completed", 2, None),
        ("failed", 1, "x"),
    ]
    assert [row["number"] for row in store.read(items.counts, claimed.id)] == [2, 1]


def test_a_recorded_result_stands(store: Store) -> None:
    """Whatever is sent later, also the same again after an answer that was lost."""
    claimed = store.running()
    assert record(store, claimed, known(0))
    assert record(store, claimed, known(0, result='"other"'), known(1))
    assert record(store, claimed, known(0, "failed", error_code="x"))
    assert results(store, claimed) == ["0", "1"]


def test_a_lost_attempt_records_no_item(store: Store) -> None:
    """Neither new ones nor over what the next attempt has learned, and it moves no progress."""
    late = store.running()
    record(store, late, known(0, "retry"), progress=0.1)
    store.rescue("w1")
    store.session("w2")
    [claimed] = store.claim("w2")
    assert record(store, claimed, known(0, result='"new"'), progress=0.2)
    assert not record(store, late, known(0, result='"old"'), known(1), progress=0.9)
    assert results(store, claimed) == ['"new"']
    assert store.task(claimed.id).progress == pytest.approx(0.2)


def test_progress_never_goes_back(store: Store) -> None:
    """A later attempt begins to count anew; what was reached stays."""
    claimed = store.running()
    record(store, claimed, known(0), progress=0.7)
    record(store, claimed, known(1), progress=0.3)
    assert store.task(claimed.id).progress == pytest.approx(0.7)


def test_items_are_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the last one, in order, of one map."""
    monkeypatch.setattr(items, "PAGE", 2)
    claimed = store.running()
    record(store, claimed, *[known(n) for n in (2, 0, 1)])
    assert [one.n for one in store.read(items.items, claimed.id, "pages")] == [0, 1]
    assert [one.n for one in store.read(items.items, claimed.id, "pages", 1)] == [2]
    assert store.read(items.items, claimed.id, "others") == []


def test_items_go_with_their_task(store: Store) -> None:
    """When it has been kept long enough."""
    claimed = store.running(result_ttl_ms=60_000)
    record(store, claimed, known(0))
    store.finish(claimed)
    store.clock.advance(61)
    assert store.write(retention.prune, *store.read(retention.expired, None, limit=10)) == [True]
    assert store.rows("SELECT count(*) FROM item") == [(0,)]
