"""How a writing transaction begins: with the lock, and only then with the time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from duly.store import schema, sqlite, submissions, transaction
from duly.store.database import Database
from duly.store.transaction import Transaction
from support.stores import Store, submission

pytestmark = pytest.mark.writer


@pytest.mark.only("wal", "rollback")
def test_the_lock_is_taken_at_the_beginning(store: Store) -> None:
    """Before the first statement: one that began by reading could not get the lock later."""
    database, refused = store.database, []

    def look(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        with closing(sqlite.connect(database.driver.path, database.footing.journal, patience=0)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite.driver.OperationalError as error:
                refused.append(str(error))
        return items

    store.write(look, 0)
    assert refused == ["database is locked"]


def test_the_time_is_read_behind_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for the lock can be seconds: rows are dated after it."""
    begin = store.database.driver.begin

    def waiting(connection: Any, **options: Any) -> int | None:
        now = begin(connection, **options)
        store.clock.advance(4)
        return now

    before = store.clock.now_ms()
    monkeypatch.setattr(store.database.driver, "begin", waiting)
    id_ = store.submit()
    monkeypatch.undo()
    assert store.task(id_).created_at == before + 4_000


def test_no_statement_is_read_from_its_file_later(store: Store) -> None:
    """A process that has no descriptor left for a while can still finish what it has begun."""
    transaction.script.cache_clear()
    transaction.read_ahead.cache_clear()
    other = Store(Database(store.database.url, clock=store.clock), store.clock)
    other.database.open()
    before = transaction.script.cache_info().misses
    try:
        other.submit()
        [claimed] = other.claim(other.session("w9"))
        other.finish(claimed)
    finally:
        other.database.close()
    assert transaction.script.cache_info().misses == before > 0


@pytest.mark.only("postgres", "mariadb")
def test_a_writing_transaction_reads_what_is_committed_by_now(store: Store) -> None:
    """Statement by statement (READ COMMITTED): what it decides on behind a lock is how things stand then."""
    seen = []

    def look(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        seen.append(count(tx))
        submit_elsewhere(store)
        seen.append(count(tx))
        return items

    store.write(look, 0)
    assert seen == [0, 1]


@pytest.mark.only("wal", "postgres", "mariadb")  # a reader holds up a writer of the rollback journal
def test_a_reading_transaction_is_one_view(store: Store) -> None:
    """What others commit meanwhile is not in it: a task and its timeline are of the same moment."""

    def look(tx: Transaction) -> list[int]:
        before = count(tx)
        submit_elsewhere(store)
        return [before, count(tx)]

    assert store.read(look) == [0, 0]


def count(tx: Transaction) -> int:
    """How many tasks there are."""
    return int(tx.core.execute(sa.select(sa.func.count()).select_from(schema.task)).scalar_one())


def submit_elsewhere(store: Store) -> None:
    """Another process has a task accepted."""
    database = Database(store.database.url, clock=store.clock)
    database.open()
    database.write_blocking(submissions.submit, [submission()])
    database.close()
