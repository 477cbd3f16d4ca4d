"""`submit_in`: a task that exists when, and only when, the caller's own transaction commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.errors import IdempotencyConflict, InvalidInput, UnknownTaskType
from duly.model.events import silent
from duly.registry import Registry, TaskType
from duly.store import sqlite
from duly.submit.admit import Options
from duly.submit.client import Client
from support.stores import Store

pytestmark = pytest.mark.only("wal", "rollback")


def order(ctx: Any, number: int = 0) -> None:
    """A handler that needs no more than a signature."""


@pytest.fixture
def client(store: Store) -> Client:
    registry = Registry()
    registry.add(TaskType(name="order", handler=order))
    return Client(store.database, registry, emit=silent)


@pytest.fixture
def connection(store: Store) -> Iterator[Any]:
    """The caller's own connection, with a table of the caller's."""
    with closing(sqlite.connect(store.database.driver.path, store.database.footing.journal)) as one:
        one.execute("CREATE TABLE shop (n INTEGER)")
        yield one


def count(store: Store, table: str) -> int:
    return int(store.rows(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - two names of this module


def test_a_task_is_there_after_the_callers_commit(store: Store, client: Client, connection: Any) -> None:
    """Before it nobody sees it; with it the caller's own row and the task appear together."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO shop VALUES (1)")
    id_ = client.submit_in(connection, "order", {"number": 7}, Options(owner="ann"))
    assert (count(store, "shop"), count(store, "task")) == (0, 0)
    connection.execute("COMMIT")
    assert (count(store, "shop"), count(store, "task")) == (1, 1)
    [claimed] = store.claim(types=("order",))
    assert (claimed.id, claimed.input, claimed.owner) == (id_, '{"number":7}', "ann")


def test_a_task_is_gone_after_the_callers_rollback(store: Store, client: Client, connection: Any) -> None:
    """With all its rows: the caller changed its mind."""
    connection.execute("BEGIN IMMEDIATE")
    client.submit_in(connection, "order", {}, Options(deliver=["inbox"], tags=["a"]))
    connection.execute("ROLLBACK")
    tables = ("task", "event", "delivery", "task_tag", "task_data")
    assert [count(store, table) for table in tables] == [0] * 5


def test_a_sqlalchemy_connection_will_do(store: Store, client: Client) -> None:
    """The transaction below it is the same thing."""
    with store.database.engine().connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        client.submit_in(connection, "order", {}, Options())
        connection.exec_driver_sql("COMMIT")
    assert count(store, "task") == 1


def test_a_connection_without_a_transaction_is_refused(store: Store, client: Client, connection: Any) -> None:
    """The task would be committed by itself, which is not what was asked for."""
    with pytest.raises(InvalidInput, match="BEGIN IMMEDIATE"):
        client.submit_in(connection, "order", {}, Options())
    assert count(store, "task") == 0


@pytest.mark.skipif(sqlite.driver.connect is sqlite3.connect, reason="there is one SQLite library here")
def test_a_connection_of_another_sqlite_library_is_refused(client: Client) -> None:
    """Two libraries on one file in one process lose each other's locks: that corrupts databases."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(InvalidInput, match="pysqlite3"):
            client.submit_in(stranger, "order", {}, Options())


def test_a_task_that_is_not_valid_leaves_the_transaction_usable(
    store: Store, client: Client, connection: Any
) -> None:
    """The caller may go on and commit what it has."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO shop VALUES (1)")
    with pytest.raises(UnknownTaskType):
        client.submit_in(connection, "unknown", {}, Options())
    connection.execute("COMMIT")
    assert (count(store, "shop"), count(store, "task")) == (1, 0)


def test_a_key_that_stands_for_another_body_is_told(store: Store, client: Client, connection: Any) -> None:
    """Nothing is accepted under it, and the caller decides what becomes of its own work."""
    connection.execute("BEGIN IMMEDIATE")
    client.submit_in(connection, "order", {"number": 1}, Options(idempotency_key="k"))
    with pytest.raises(IdempotencyConflict):
        client.submit_in(connection, "order", {"number": 2}, Options(idempotency_key="k"))
    connection.execute("COMMIT")
    assert count(store, "task") == 1


def test_a_commit_of_the_caller_wakes_the_workers(store: Store, client: Client, connection: Any) -> None:
    """To the store it is a foreign commit, noticed without anything being sent."""
    heard = threading.Event()
    store.submit()
    forget = store.database.subscribe(lambda foreign: foreign and heard.set())
    connection.execute("BEGIN IMMEDIATE")
    client.submit_in(connection, "order", {}, Options())
    connection.execute("COMMIT")
    assert heard.wait(10)
    forget()


def test_an_engine_of_ones_own_is_on_the_same_library(store: Store) -> None:
    """The engine that Duly offers passes the check of its own driver."""
    with store.database.engine().connect() as connection:
        assert isinstance(connection.connection.dbapi_connection, sqlite.driver.Connection)
        assert isinstance(connection, sa.Connection)
