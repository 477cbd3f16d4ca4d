"""The feed of many tasks' lines: whose, in which order, and from where nothing is ever lost."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from duly.store import feed, journal
from duly.store.feed import Scope
from support.stores import Store, lines

ALL = [Scope()]


def told(store: Store, scopes: list[Scope], since: int = 0, **more: Any) -> list[tuple[str, int]]:
    """Which lines a look finds."""
    return [(line.task_id, line.seq) for line in store.read(feed.lines, scopes, since, **more)]


def test_lines_come_in_the_order_of_their_positions(store: Store) -> None:
    """Those of a task in the order of their numbers; a page goes on where the last one ended."""
    first, second = store.submit(), store.submit()
    store.session()
    [claimed] = store.claim()
    store.finish(claimed)
    found = store.read(feed.lines, ALL, 0)
    assert sorted((line.task_id, line.seq) for line in found) == sorted(
        [(first, 1), (first, 2), (first, 3), (second, 1)]
    )
    assert [line.seq for line in found if line.task_id == first] == [1, 2, 3]
    assert [line.position for line in found] == sorted(line.position for line in found)
    page = store.read(feed.lines, ALL, 0, limit=2)
    rest = store.read(feed.lines, ALL, 0, after=page[-1][:3])
    assert page + rest == found


def test_a_scope_is_an_owner_a_tenant_or_a_batch(store: Store) -> None:
    """And a line is in it in the database as in the process."""
    anns = store.submit(owner="ann")
    bobs = store.submit(owner="bob", tenant="x")
    assert told(store, [Scope(tenant="", owner="ann")]) == [(anns, 1)]
    assert told(store, [Scope(tenant="x")]) == [(bobs, 1)]
    assert told(store, [Scope(batch=bobs)]) == [(bobs, 1)]
    assert told(store, [Scope(owner="ann"), Scope(owner="bob")]) == [(anns, 1), (bobs, 1)]
    assert told(store, []) == []
    [line, other] = store.read(feed.lines, ALL, 0)
    for scope in (Scope(owner="ann"), Scope(tenant=""), Scope(batch=anns), Scope()):
        assert scope.holds(line)
    for scope in (Scope(owner="ann"), Scope(tenant=""), Scope(batch=anns)):
        assert not scope.holds(other)


def test_what_stands_is_what_lives(store: Store) -> None:
    """Newest first, with the number of the last line."""
    first, second = store.submit(), store.submit()
    store.session()
    [claimed] = store.claim()
    store.finish(claimed)
    tasks, complete = store.read(feed.standing, Scope())
    assert ([(one.task_id, one.seq, one.status) for one in tasks], complete) == (
        [(second, 1, "pending")],
        True,
    )
    assert first not in {one.task_id for one in tasks}


def test_a_head_changes_with_each_line_and_each_part(store: Store) -> None:
    """Or the followers of a task would not be told."""
    id_ = store.submit()
    store.session()
    [claimed] = store.claim()
    heads = [store.read(feed.heads, [id_, "nobody"])]
    store.write(journal.append, lines(claimed, "x"))
    heads.append(store.read(feed.heads, [id_]))
    for part in range(2):
        store.write(journal.stream, journal.Part(id=id_, attempt=1, part=part, text="x"))
        heads.append(store.read(feed.heads, [id_]))
    assert len({one[id_] for one in heads}) == 4
    assert "nobody" not in heads[0]


@pytest.mark.only("postgres")
def test_nothing_is_told_to_be_over_while_a_transaction_is_under_way(store: Store) -> None:
    """Its line has an earlier time than one that another has committed, and is found behind the horizon."""
    late, early = store.submit(), store.submit()
    driver = store.database.driver
    with closing(driver.connect()) as slow, closing(driver.connect()) as quick:
        cursor = slow.cursor()
        cursor.execute("BEGIN")
        cursor.execute(ADD + " floor(extract(epoch FROM clock_timestamp()) * 1000) RETURNING at", (late,))
        [[at]] = cursor.fetchall()
        quick.cursor().execute(ADD + " %s", (early, at + 5))
        quick.cursor().execute("SELECT pg_sleep(0.02)")
        horizon = store.read(feed.horizon)
        assert ninth(store, at) == [early]
        cursor.execute("COMMIT")
        found = ninth(store, horizon)
        quick.cursor().execute("DELETE FROM event WHERE seq = 9")
    assert horizon <= at - feed.LATE_MS
    assert found == [late, early]


ADD = "INSERT INTO event (task_id, seq, type, data, at) SELECT %s, 9, 'log', '{}',"


def ninth(store: Store, since: int) -> list[str]:
    """Whose ninth line a look finds."""
    return [task_id for task_id, seq in told(store, ALL, since) if seq == 9]


@pytest.mark.only("wal", "rollback", "postgres")
def test_the_horizon_goes_on_when_nothing_is_under_way(store: Store) -> None:
    """Or followers would read the same lines for ever."""
    before = store.read(feed.horizon)
    store.submit()
    after = store.read(feed.horizon)
    assert after > before or store.database.driver.dialect == "postgres"
    assert after >= before


@pytest.mark.only("wal")
def test_a_look_reads_no_more_than_what_is_new(store: Store) -> None:
    """By rowid, whatever the table holds."""
    plan = store.rows("EXPLAIN QUERY PLAN SELECT 1 FROM event JOIN task ON task.id = event.task_id"
                      " WHERE event.rowid >= 5 ORDER BY event.rowid LIMIT 9")  # fmt: skip
    assert any("INTEGER PRIMARY KEY (rowid>?)" in row[3] for row in plan)
