"""What lists read of 10,000 tasks, on each database: a page costs a page, and a text costs its window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.state import Status
from duly.store import lists, schema, search
from duly.store.lists import Filter
from support.stores import Store

TASKS = 10_000
OWNERS = 100
#: The index that a selection is read by, on each database, or the indexes: statistics that are new see that
#: nothing has failed.
SELECTIONS = {
    "an owner's": (Filter(tenant="", owner="owner7"), {"task_owner"}),
    "an owner's failed ones": (
        Filter(tenant="", owner="owner7", status=Status.FAILED),
        {"task_owner", "task_clock"},
    ),
    "an owner's since a moment": (Filter(tenant="", owner="owner7", created_since=1), {"task_owner"}),
    "a batch's": (Filter(parent="parent3"), {"task_parent"}),
    "a rare tag's": (Filter(tag="rare"), {"task_tag_tag"}),
}


@pytest.fixture
def full(store: Store) -> Iterator[Store]:
    """10,000 tasks of a hundred owners, in twenty batches; ten have a tag."""
    row = {
        "task_type": "demo",
        "queue": "default",
        "tenant": "",
        "status": "pending",
        "rank": 6,
        "fair_at": 1,
    }
    row |= {"max_retries": 3, "timeout_ms": 1000, "body_hash": "h", "touched_at": 1, "created_at": 1}
    rows = [
        {**row, "id": f"task-{n:06}", "owner": f"owner{n % OWNERS}", "parent_id": f"parent{n % 20}"}
        | {"metadata": f'{{"n":{n}}}'}
        for n in range(TASKS)
    ]
    tags = [{"task_id": f"task-{n:06}", "tag": "rare"} for n in range(0, TASKS, 1000)]

    def fill(tx: Any, items: Any) -> list[None]:
        for start in range(0, TASKS, 1000):
            tx.core.execute(sa.insert(schema.task), rows[start : start + 1000])
        tx.core.execute(sa.insert(schema.task_tag), tags)
        return [None for _ in items]

    def empty(tx: Any, items: Any) -> list[None]:
        for table in (schema.task_tag, schema.task):
            tx.core.execute(sa.delete(table))
        return [None for _ in items]

    store.write(fill, None)
    yield store
    store.write(empty, None)  # they have neither parents nor timelines


def plan(store: Store, wanted: Filter) -> str:
    """The plan of a page, as the database tells it."""
    query = sa.select(schema.task.c.id).where(*wanted.where()).order_by(schema.task.c.id.desc()).limit(21)

    def explained(tx: Any) -> str:
        word = "EXPLAIN QUERY PLAN" if tx.dialect == "sqlite" else "EXPLAIN"
        text = query.compile(tx.core.engine, compile_kwargs={"literal_binds": True})
        return "\n".join(map(str, tx.core.exec_driver_sql(f"{word} {text}".replace("%", "%%"))))

    return str(store.read(explained))


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_page_is_read_by_its_index(full: Store, name: str) -> None:
    """Not by a walk along all tasks."""
    wanted, indexes = SELECTIONS[name]
    found = plan(full, wanted)
    assert any(one in found for one in indexes), found
    assert len(full.read(lists.page, wanted, limit=21)) > 0 or wanted.status is Status.FAILED


def test_a_text_is_looked_for_in_a_window(full: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look reads so many tasks, and says where the next goes on; together they find all, once."""
    monkeypatch.setattr(search, "LOOKED_AT", 3_000)
    places: list[Any] = [None]
    found = []
    while len(places) == 1 or places[-1] is not None:
        tasks, place = full.read(search.search, Filter(), "77", limit=500, before=places[-1])
        found += [task.id for task in tasks]
        places.append(place)
    assert found == [f"task-{n:06}" for n in reversed(range(TASKS)) if "77" in str(n)]
    assert places == [None, "task-007000", "task-004000", "task-001000", None]


def test_signs_of_patterns_are_letters(full: Store) -> None:
    """Neither `%` nor `_` nor a backslash means anything but itself."""
    for text in ("%", "_", "\\", "dem_", "d%o"):
        assert full.read(search.search, Filter(owner="owner1"), text, limit=5) == ([], None)
