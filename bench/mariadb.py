"""A MariaDB database of our own on the server that DULY_TEST_MARIADB names; made, settled, dropped."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from duly.store.driver import choose

DEFAULT = "mysql://root@127.0.0.1:3306/mysql"
#: How many transactions may wait to be purged when nothing is measured, and how long that is waited for.
RESTING, PATIENCE_SECONDS = 500, 60.0


def server_url() -> str:
    """Where the server is; its user must be able to make databases."""
    return os.environ.get("DULY_TEST_MARIADB") or DEFAULT


def url_of(database: str) -> str:
    """The URL of a database on that server."""
    return urlsplit(server_url())._replace(path=f"/{database}").geturl()


def create(database: str) -> None:
    """Makes it anew; one that a broken run left is dropped first."""
    drop(database)
    _run(server_url(), f"CREATE DATABASE {database}")


def drop(database: str) -> None:
    """Drops it."""
    _run(server_url(), f"DROP DATABASE IF EXISTS {database}")


def reach() -> None:
    """Connects once, to see whether it is there."""
    choose(server_url()).connect().close()


def settle() -> None:
    """Waits until what was deleted is purged, so that it does not fall into a measurement."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and _history() > RESTING:
        time.sleep(0.2)


def number(database: str, query: str) -> int:
    """The one number that a query answers."""
    return int(_run(url_of(database), query)[0][-1])


def _history() -> int:
    return int(_run(server_url(), "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'")[0][-1])


def _run(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(choose(url).connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION max_statement_time = 0")
        cursor.execute(statement)
        return list(cursor.fetchall())
