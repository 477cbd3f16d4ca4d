"""One of the two databases of a copy: its rows in the order of their keys, read and written in parts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa

from duly.store import schema
from duly.store.columns import Body, LongText
from duly.store.database import Database
from duly.store.driver import Trouble
from duly.store.link import trouble

#: So many rows, and about so many bytes of long columns, are read at once.
PART_ROWS, PART_BYTES = 2000, 8 * 1024 * 1024
#: Seconds before a statement is tried again that met a lock, a deadlock or a server that restarts.
AGAIN_AFTER = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0)

T = TypeVar("T")
Row = tuple[Any, ...]
Key = tuple[Any, ...]


def tables() -> list[sa.Table]:
    """All of them; a task comes after what belongs to it, so that a copy cut short shows no empty one."""
    named = dict(sorted(schema.metadata.tables.items()))
    return [*(table for name, table in named.items() if name != "task"), named["task"]]


class Side:
    """One connection, outside of transactions but in `writing`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.driver = database.driver
        self._engine = database.engine()
        self._core: sa.Connection | None = None

    @property
    def core(self) -> sa.Connection:
        """The SQLAlchemy connection; a new one after `close`."""
        if self._core is None:
            self._core = self._engine.connect()
        return self._core

    @property
    def raw(self) -> Any:
        """The driver's connection under it."""
        return self.core.connection.dbapi_connection

    def close(self) -> None:
        """Also one that is broken."""
        core, self._core = self._core, None
        if core is not None:
            core.invalidate()
            core.close()

    def part(self, table: sa.Table, after: Key | None) -> tuple[list[Row], bool]:
        """The rows behind a key, as many as are read at once; and whether there may be more."""
        limit = self._fitting(table, after)
        query = sa.select(table).order_by(*table.primary_key).limit(limit)
        rows = self._rows(query if after is None else query.where(self._beyond(table, after)))
        return rows, len(rows) == limit

    def between(self, table: sa.Table, after: Key | None, upto: Key | None) -> list[Row]:
        """The rows behind a key and up to another."""
        query = sa.select(table).order_by(*table.primary_key)
        if after is not None:
            query = query.where(self._beyond(table, after))
        if upto is not None:
            query = query.where(sa.not_(self._beyond(table, upto)), table.c[_names(table)[0]] <= upto[0])
        return self._rows(query)

    def last_key(self, table: sa.Table) -> Key | None:
        """The greatest key; None for an empty table."""
        keys = table.primary_key.columns
        rows = self._rows(sa.select(*keys).order_by(*(one.desc() for one in keys)).limit(1))
        return rows[0] if rows else None

    def is_empty(self, table: sa.Table) -> bool:
        """Whether it has no row."""
        return not self._rows(sa.select(sa.literal(1)).select_from(table).limit(1))

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        return [tuple(row) for row in self.core.execute(query)]

    def _fitting(self, table: sa.Table, after: Key | None) -> int:
        """How many rows behind a key are about one part: bodies have a megabyte each, events a line."""
        long = [column for column in table.columns if column.type in (Body, LongText)]
        if not long:
            return PART_ROWS
        size = sum((sa.func.coalesce(sa.func.length(one), 0) for one in long), sa.literal(0))
        query = sa.select(size).order_by(*table.primary_key).limit(PART_ROWS)
        total = 0
        sizes = self._rows(query if after is None else query.where(self._beyond(table, after)))
        for count, (each,) in enumerate(sizes, start=1):
            total += each
            if total >= PART_BYTES:
                return count
        return PART_ROWS

    def _beyond(self, table: sa.Table, key: Key) -> sa.ColumnElement[bool]:
        """Behind a key. MariaDB finds a row of values by reading all rows; spelt out it takes the index."""
        columns = list(table.primary_key.columns)
        if self.driver.dialect != "mariadb" or len(columns) == 1:
            return sa.tuple_(*columns) > key if len(columns) > 1 else columns[0] > key[0]
        ways = [
            sa.and_(*(columns[n] == key[n] for n in range(length)), columns[length] > key[length])
            for length in range(len(columns))
        ]
        return sa.and_(columns[0] >= key[0], sa.or_(*ways))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, committed at the end."""
        raw = self.raw
        self.driver.begin(raw)
        try:
            yield
            raw.cursor().execute("COMMIT")
        except BaseException:
            with contextlib.suppress(Exception):
                raw.cursor().execute("ROLLBACK")
            raise

    def put(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Inserts rows; on PostgreSQL by COPY, which is several times as quick."""
        if not rows:
            return
        names = [column.name for column in table.columns]
        if self.driver.dialect != "postgres":
            self.core.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
            return
        quoted = ", ".join(f'"{name}"' for name in names)
        with self.raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    def remove(self, table: sa.Table, keys: Sequence[Key]) -> None:
        """Deletes rows by their keys."""
        self._delete(table, _names(table), keys)

    def make_room(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Deletes whatever holds one of these rows' unique values: it is stale, and a later part mends it."""
        place = {column.name: number for number, column in enumerate(table.columns)}
        for names in uniques(table):
            values = [tuple(row[place[name]] for name in names) for row in rows]
            self._delete(table, names, [one for one in values if None not in one])

    def _delete(self, table: sa.Table, names: Sequence[str], values: Sequence[Row]) -> None:
        if values:
            meant = [table.c[name] == sa.bindparam(f"b{number}") for number, name in enumerate(names)]
            each = [{f"b{number}": one for number, one in enumerate(value)} for value in values]
            self.core.execute(table.delete().where(*meant), each)


def key_of(table: sa.Table, row: Row) -> Key:
    """The key of a whole row."""
    return tuple(row[number] for number in _places(table))


@cache
def _places(table: sa.Table) -> tuple[int, ...]:
    names = [column.name for column in table.columns]
    return tuple(names.index(name) for name in _names(table))


@cache
def _names(table: sa.Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)


@cache
def uniques(table: sa.Table) -> tuple[tuple[str, ...], ...]:
    """The columns of each unique index besides the key."""
    found = {tuple(column.name for column in index.columns) for index in table.indexes if index.unique}
    found |= {
        tuple(column.name for column in one.columns)
        for one in table.constraints
        if isinstance(one, sa.UniqueConstraint)
    }
    return tuple(sorted(found))


def persistently(sides: Sequence[Side], work: Callable[[], T]) -> T:
    """What `work()` answers; tried again while a database is locked or away. It must bear repetition."""
    for pause in (*AGAIN_AFTER, None):
        try:
            return work()
        except Exception as error:
            if pause is None or all(trouble(one.driver, error) is Trouble.REFUSED for one in sides):
                raise
            for one in sides:
                one.close()
        time.sleep(pause)
    raise AssertionError("unreachable")
