"""A MariaDB database of our own on the server that DULY_TEST_MARIADB names; made, settled, dropped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from duly.store.driver import choose

DEFAULT = "mysql://root@127.0.0.1:3306/mysql"
#: How many transactions may wait to be purged when nothing is measured, and how long that is waited for.
RESTING, PATIENCE_SECONDS = 500, 60.0
#: A million tasks and their indexes; MariaDB's default, 128 MiB, is made for none.
POOL_BYTES = 1 << 30


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
    _while(lambda: _history() > RESTING)


def pool(size: int = POOL_BYTES) -> int:
    """Gives the server a buffer pool of that many bytes; answers how many it had."""
    before = int(_run(server_url(), "SELECT @@innodb_buffer_pool_size")[0][0])
    if size != before:
        _run(server_url(), f"SET GLOBAL innodb_buffer_pool_size = {size}")
    _while(lambda: _status("buffer_pool_resize_status").startswith("Resizing"))
    return before


def number(database: str, query: str) -> int:
    """The one number that a query answers."""
    return int(_run(url_of(database), query)[0][-1])


def _while(busy: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and busy():
        time.sleep(0.2)


def _history() -> int:
    return int(_status("history_list_length"))


def _status(name: str) -> str:
    return str(_run(server_url(), f"SHOW GLOBAL STATUS LIKE 'Innodb_{name}'")[0][-1])


def _run(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(choose(url).connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION max_statement_time = 0")
        cursor.execute(statement)
        return list(cursor.fetchall())
