"""Rows that processes share are locked in the order of their keys, whatever the order of a batch.

Two that lock the same rows in different orders wait for each other, and the server ends one of them. The rows
of tasks are in `test_store_contention`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from duly.store import gates, limit_desk, limits
from duly.store.buckets import Lease, lease
from duly.store.limit_desk import Setting
from duly.store.transaction import Transaction
from support.stores import Store

pytestmark = pytest.mark.only("postgres", "mariadb")

FIRST, MIDDLE, LAST = "queue/a", "queue/b", "queue/c"
Locking = Callable[[Transaction, Sequence[str]], object]


def lock_buckets(tx: Transaction, names: Sequence[str]) -> object:
    return lease(tx, [Lease(name, 1, 10, 1000) for name in names])


def lock_inboxes(tx: Transaction, names: Sequence[str]) -> object:
    return tx.run("inboxes", [{"tenant": "", "owner": name} for name in names])


#: Who locks rows, and how another one does that.
LOCKED: dict[str, tuple[Locking, str]] = {
    "limits": (limits.locked, "SELECT name FROM limits WHERE name IN (%s, %s) FOR UPDATE"),
    "gates": (gates._locked, "SELECT name FROM gate WHERE name IN (%s, %s) FOR UPDATE"),
    "buckets": (lock_buckets, "SELECT name FROM bucket WHERE name IN (%s, %s) FOR UPDATE"),
    "inboxes": (
        lock_inboxes,
        "SELECT owner FROM inbox WHERE tenant = '' AND owner IN (%s, %s) FOR UPDATE",
    ),
}


@pytest.mark.parametrize("what", LOCKED)
def test_shared_rows_are_locked_in_the_order_of_their_keys(store: Store, what: str) -> None:
    """While the middle one is another's, the first is ours and the last one nobody's."""
    locking, query = LOCKED[what]

    def verb(tx: Transaction, names: Sequence[str]) -> Sequence[str]:
        locking(tx, names)
        return names

    store.write(limit_desk.put, *[Setting(name=name, concurrency=1) for name in (FIRST, MIDDLE, LAST)])
    store.write(verb, FIRST, MIDDLE, LAST)  # all rows are there
    driver = store.database.driver
    with closing(driver.connect()) as holder, closing(driver.connect()) as looker:
        _begin(holder, query, MIDDLE, MIDDLE)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(store.write, verb, LAST, MIDDLE, FIRST)
            free = next(found for _ in range(5_000) if len(found := _free(looker, query)) < 2)
            holder.cursor().execute("ROLLBACK")
            assert len(answer.result()) == 3
    assert free == {LAST}


def _begin(connection: Any, query: str, *names: str) -> set[str]:
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute(query, names)
    return {row[0] for row in cursor.fetchall()}


def _free(connection: Any, query: str) -> set[str]:
    """Which of the first and the last row nobody has locked."""
    found = _begin(connection, f"{query} SKIP LOCKED", FIRST, LAST)
    connection.cursor().execute("ROLLBACK")
    return found
