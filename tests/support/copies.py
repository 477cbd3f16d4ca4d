"""Databases to copy from and to: rows for every table, fresh places, and what two of them differ in."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from duly.store import migrate, schema
from duly.store.columns import Body
from duly.store.copying import marker, seal
from duly.store.copying.side import Side, tables
from duly.store.database import Database
from support import blank, servers

_fresh = itertools.count()
#: What the constraints ask; all else is made from the column's type.
ASKED: dict[str, dict[str, Any]] = {
    "task": {"status": "pending", "rank": 5, "worker_id": None, "completed_at": None, "suspect": 0},
    "item": {"status": "retry", "result": None},
    "delivery": {"status": "pending", "worker_id": None},
    "queue": {"paused_at": 7},
    "limits": {"rate": None, "per_ms": None},
    "api_key": {"role": "operator"},
    "share": {"weight": 3},
    "endpoint": {"format": "cloudevents", "enabled": 0},
    "worker": {"ended_at": 5},
    "schedule": {"every_ms": None, "cron": "0 8 * * *", "zone": "UTC", "catch_up": "one", "paused_at": None}
    | {"next_at": 9},
}


class Rooms:
    """Databases of one test. On servers they are used again and again: to make one takes seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def fresh(self, kind: str) -> str:
        """The URL of a database that nothing was ever in."""
        if kind == "sqlite":
            return f"sqlite:///{self._folder}/fresh{next(self._numbers)}.duly"
        return servers.fresh_url(kind, f"fresh{next(_fresh)}")

    def made(self, kind: str) -> Database:
        """A database with tables and without a row. (Its name is none that the invariants are checked of.)"""
        number = next(self._numbers)
        if kind == "sqlite":
            database = Database(f"sqlite:///{self._folder}/room{number}.duly")
            blank.ensure(database)
            return database
        servers.database_url(kind)
        database = Database(servers.made_url(kind, f"room{number}"))
        _cleaned(database)
        return database

    def place(self, kind: str) -> str:
        """The URL of such a one."""
        return self.made(kind).url


def _cleaned(database: Database) -> None:
    side = Side(database)
    if seal.destination_of(side) is not None:
        seal.unseal(side)
    marker.table.drop(side.core, checkfirst=True)
    side.close()
    if migrate.current(database) != migrate.HEAD:
        migrate.upgrade(database)
    servers.clear(database.url)


def fill(database: Database, count: int) -> None:
    """So many rows in every table, of every type, with and without what may be NULL."""
    side = Side(database)
    with side.writing():
        for table in tables():
            side.put(table, [_row(table, number) for number in range(count)])
    side.close()


def _row(table: sa.Table, number: int) -> tuple[Any, ...]:
    asked = ASKED.get(table.name, {})
    values = {column.name: _value(column, number) for column in table.columns} | asked
    return tuple(values[column.name] for column in table.columns)


def _value(column: sa.Column[Any], number: int) -> Any:
    if column.nullable and number % 3 == 0:
        return None
    if column.type is Body:
        return bytes(range(256)) * (number % 7 + 1)
    kind = column.type.python_type
    if kind is str:
        length = getattr(column.type, "length", None) or 200
        return f"{number:06} '\"\\ é 中 🦉"[:length].rstrip()
    return kind(number % 100 + 1 + (0.1 if kind is float else 0)) if not column.primary_key else number + 1


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, in the order of their keys."""
    side = Side(database)
    found = {table.name: side.between(table, None, None) for table in tables()}
    side.close()
    return found


def unlike(one: Database, other: Database, *but: str) -> list[str]:
    """The tables that are not the same on both sides."""
    ours, theirs = rows(one), rows(other)
    return [name for name in schema.metadata.tables if name not in but and ours[name] != theirs[name]]
