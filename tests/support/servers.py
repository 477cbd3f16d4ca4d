"""PostgreSQL and MariaDB for tests: where they are, and an empty database of our own in each, made once.

`DULY_TEST_POSTGRES` and `DULY_TEST_MARIADB` say where; without them the loopback servers. One that is absent
skips its tests, or fails them when `DULY_REQUIRE_SERVICES=1`.
"""

from __future__ import annotations

import atexit
import functools
import os
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from duly.store import migrate, schema
from duly.store.database import Database
from duly.store.driver import choose

KINDS = ("postgres", "mariadb")
ADMIN = {
    "postgres": os.environ.get("DULY_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres"),
    "mariadb": os.environ.get("DULY_TEST_MARIADB", "mysql://root@127.0.0.1:3306/mysql"),
}
#: Variables with the URL of a database that has our tables already, in place of one of this run.
GIVEN = {kind: f"DULY_TEST_{kind.upper()}_GIVEN" for kind in KINDS}

UNHURRIED = {"postgres": "SET statement_timeout = 0", "mariadb": "SET SESSION max_statement_time = 0"}


def database_url(kind: str) -> str:
    """A migrated database of this run on a server; empty it with `clear`.

    Raises:
        pytest.skip.Exception, pytest.fail.Exception: the server is not there.
    """
    try:
        return _given(kind) or _made(kind, "shared")
    except Unreachable as error:
        message = f"{kind} is not there: {error}; start it, or name it in DULY_TEST_{kind.upper()}"
        if os.environ.get("DULY_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)


def fresh_url(kind: str, name: str) -> str:
    """A database without a table; `name` tells it from others of this run."""
    database_url(kind)
    return _created(kind, name)


def made_url(kind: str, name: str) -> str:
    """Like `database_url`, one more of them."""
    return _made(kind, name)


@functools.cache
def standing(url: str) -> sa.Engine:
    """An engine whose one connection stays: on a new one a server plans as if our tables were new to it."""
    driver = choose(url)

    def connect() -> Any:
        connection = driver.connect()
        connection.be_patient()  # on a busy machine all rows are not read within our time limits
        connection.cursor().execute(UNHURRIED[driver.dialect])
        return connection

    kept: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}
    return sa.create_engine(
        driver.core_url, module=driver.module, creator=connect, isolation_level="AUTOCOMMIT", **kept
    )


def clear(url: str) -> None:
    """Removes every row, in one transaction: a commit waits for the disk."""
    with standing(url).connect() as connection:
        connection.exec_driver_sql("BEGIN")
        for table in schema.metadata.tables.values():
            connection.execute(table.delete())
        connection.exec_driver_sql("COMMIT")


def databases() -> dict[str, str]:
    """URLs of SQLite's peers by kind, for scripts."""
    return {kind: database_url(kind) for kind in KINDS}


class Unreachable(Exception):
    """The server does not answer."""


@functools.cache
def _given(kind: str) -> str | None:
    url = os.environ.get(GIVEN[kind])
    if url:
        clear(url)
    return url


@functools.cache
def _made(kind: str, name: str) -> str:
    url = _created(kind, name)
    migrate.upgrade(Database(url))
    return url


@functools.cache
def _created(kind: str, name: str) -> str:
    database = f"duly_test_{os.getpid()}_{name}"
    _admin(kind, f"DROP DATABASE IF EXISTS {database}")
    _admin(kind, f"CREATE DATABASE {database}")
    atexit.register(_dropped, kind, database)
    return urlsplit(ADMIN[kind])._replace(path=f"/{database}").geturl()


def _dropped(kind: str, database: str) -> None:
    with suppress(Unreachable):
        _admin(kind, f"DROP DATABASE IF EXISTS {database}{' WITH (FORCE)' if kind == 'postgres' else ''}")


def _admin(kind: str, statement: str) -> None:
    driver = choose(ADMIN[kind])
    try:
        connection = driver.connect()
    except driver.module.Error as error:
        raise Unreachable(" ".join(str(error).split())) from error
    with closing(connection):
        connection.be_patient()  # on a busy machine a database is not made within our time limits
        cursor = connection.cursor()
        cursor.execute(UNHURRIED[kind])
        cursor.execute(statement)
