"""`submit_in` on PostgreSQL and MariaDB: with the driver's connection or SQLAlchemy's, in a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.events import silent
from duly.model.state import Status
from duly.registry import Registry, TaskType
from duly.submit.admit import Options
from duly.submit.client import Client
from support.stores import Store

pytestmark = pytest.mark.only("postgres", "mariadb")


def order(ctx: Any, number: int = 0) -> None:
    """A handler that needs no more than a signature."""


@pytest.fixture
def client(store: Store) -> Client:
    registry = Registry()
    registry.add(TaskType(name="order", handler=order))
    return Client(store.database, registry, emit=silent)


@pytest.fixture
def connection(store: Store) -> Iterator[Any]:
    """The caller's own connection, in autocommit."""
    with closing(store.database.driver.connect()) as one:
        yield one


def transactional(driver: Any) -> Any:
    """A connection out of autocommit, as SQLAlchemy expects one."""
    connection = driver.connect()
    switch = connection.autocommit if callable(connection.autocommit) else connection.set_autocommit
    switch(False)
    return connection


def test_a_task_is_there_after_the_callers_commit(store: Store, client: Client, connection: Any) -> None:
    """Before it nobody sees it."""
    connection.cursor().execute("BEGIN")
    id_ = client.submit_in(connection, "order", {"number": 7}, Options(owner="ann"))
    assert store.read(lambda tx: tx.core.execute(sa.text("SELECT count(*) FROM task")).scalar()) == 0
    connection.cursor().execute("COMMIT")
    assert store.status(id_) is Status.PENDING


def test_a_task_is_gone_after_the_callers_rollback(store: Store, client: Client, connection: Any) -> None:
    """With all its rows: the caller changed its mind."""
    connection.cursor().execute("BEGIN")
    client.submit_in(connection, "order", {}, Options(deliver=["inbox"], tags=["a"]))
    connection.cursor().execute("ROLLBACK")
    for table in ("task", "event", "delivery", "task_tag", "task_data"):
        assert store.rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608 - names of this test


def test_a_sqlalchemy_transaction_will_do(store: Store, client: Client) -> None:
    """As a program that uses SQLAlchemy writes it."""
    driver = store.database.driver
    engine = sa.create_engine(driver.core_url, module=driver.module, creator=lambda: transactional(driver))
    with engine.begin() as connection:
        id_ = client.submit_in(connection, "order", {}, Options())
    engine.dispose()
    assert store.status(id_) is Status.PENDING


def test_a_connection_without_a_transaction_is_refused(client: Client, connection: Any) -> None:
    """The task would be committed by itself, which is not what was asked for."""
    with pytest.raises(InvalidInput, match="inside a transaction"):
        client.submit_in(connection, "order", {}, Options())


def test_another_library_is_refused(client: Client) -> None:
    """Verbs speak to the driver that Duly has open."""
    with pytest.raises(InvalidInput, match="submit_in needs"):
        client.submit_in(object(), "order", {}, Options())
