"""One database of one process: a writer thread, a few reader threads, and hints that something changed.

`await database.write(verb, item)` resolves after the commit; `await database.read(query, …)` runs on a
reader. A caller that is cancelled leaves its call to finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import unquote

import sqlalchemy as sa

from duly.clock import Clock, SystemClock
from duly.model.errors import DulyError, InvalidInput, NotReady, UnsupportedDatabase
from duly.model.events import Emit, silent
from duly.store import sqlite
from duly.store.transaction import Terms, Transaction
from duly.store.writer import Call, Verb, Writer

P = ParamSpec("P")
T = TypeVar("T")

READERS = 3


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///…` URL.

    Raises:
        UnsupportedDatabase: another kind of database, or one in memory.
    """
    scheme, _, rest = url.partition(":///")
    if scheme.split("+")[0] != "sqlite":
        raise UnsupportedDatabase(
            f"DULY_DATABASE_URL: {scheme.split(':')[0]!r} is not supported; use sqlite:///path"
        )
    if not rest or rest.startswith(":memory:"):
        raise UnsupportedDatabase("DULY_DATABASE_URL needs a file: a database in memory promises nothing")
    return Path(unquote(rest)).expanduser()


class SqliteConnection:
    """A SQLAlchemy connection in autocommit whose transactions are begun by hand."""

    def __init__(self, engine: sa.Engine, clock: Clock, terms: Terms) -> None:
        self._core = engine.connect()
        self._raw = self._core.connection.dbapi_connection
        self._clock = clock
        self._terms = terms

    def begin(self) -> Transaction:
        """Takes the write lock; `now` is read after it, for the wait can be seconds."""
        cursor = self._cursor()
        cursor.execute("BEGIN IMMEDIATE")
        return Transaction(cursor, self._clock.now_ms(), terms=self._terms, core=self._core)

    def snapshot(self) -> Transaction:
        """A consistent view for reading."""
        cursor = self._cursor()
        cursor.execute("BEGIN")
        return Transaction(cursor, self._clock.now_ms(), terms=self._terms, core=self._core)

    def commit(self) -> None:
        self._cursor().execute("COMMIT")

    def rollback(self) -> None:
        if self._raw is not None and self._raw.in_transaction:
            self._cursor().execute("ROLLBACK")

    def foreign_commits(self) -> int:
        """A number that changes when another connection has committed."""
        cursor = self._cursor()
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])

    def close(self) -> None:
        self._core.close()

    def _cursor(self) -> Any:
        if self._raw is None:
            raise NotReady("the connection is closed")
        return self._raw.cursor()


class Database:
    """The store of one process. Open it before use; close it to finish what is queued."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        emit: Emit = silent,
        terms: Terms | None = None,
    ) -> None:
        self.url = url
        self.path = sqlite_path(url)
        self.terms = terms or Terms()
        self.clock = clock or SystemClock()
        self._emit = emit
        self._listeners: list[Callable[[bool], object]] = []
        self._readers: ThreadPoolExecutor | None = None
        self._idle: list[SqliteConnection] = []
        self.footing: sqlite.Footing | None = None

    def open(self) -> None:
        """Opens the file and starts the threads. The schema must be there (`migrate.ensure`)."""
        if not self.path.parent.is_dir():
            raise UnsupportedDatabase(f"there is no folder {self.path.parent} for the database")
        self.footing = sqlite.examine(self.path)
        for warning in self.footing.warnings:
            self._emit("store.warning", message=warning)
        self._write_engine = self.engine()
        self._read_engine = self.engine(read_only=True)
        self._writer = Writer(
            lambda: SqliteConnection(self._write_engine, self.clock, self.terms),
            clock=SystemClock(),
            emit=self._emit,
            committed=self._announce,
        )
        self._writer.start()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="duly-reader")

    def engine(self, *, read_only: bool = False) -> sa.Engine:
        """A SQLAlchemy engine on this file, without a pool; for migrations and our own threads."""
        footing = self.footing or sqlite.examine(self.path)
        return sa.create_engine(
            "sqlite+pysqlite://",
            module=sqlite.driver,
            creator=lambda: sqlite.connect(self.path, footing.journal, read_only=read_only),
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )

    def close(self) -> None:
        """Finishes what is queued and closes all connections."""
        if self._readers is not None:
            self._writer.close()
            self._readers.shutdown()
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            self._readers = None

    @property
    def is_open(self) -> bool:
        """Whether reads and writes are possible."""
        return self._readers is not None

    def subscribe(self, listener: Callable[[bool], object]) -> Callable[[], None]:
        """Calls `listener(foreign)` after commits, on the writer's thread; answers how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _announce(self, foreign: bool) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(foreign)
            except Exception as error:  # noqa: BLE001 - a hint may be lost; the writer's thread may not
                self._emit("store.wake_failed", error=repr(error))

    async def write(self, verb: Verb, item: Any, *, last: bool = False) -> Any:
        """Runs `verb` with one item and answers its one result, after the commit."""
        [answer] = await self.write_many(verb, [item], last=last)
        return answer

    async def write_many(self, verb: Verb, items: Sequence[Any], *, last: bool = False) -> Sequence[Any]:
        """Runs `verb` with a list of items in one transaction; `last` runs it after others of its group."""
        if not items:
            return []
        try:
            return await asyncio.wrap_future(self._call(verb, items, last=last))
        except sqlite.driver.Error as error:
            raise _refused(error) from error

    def write_blocking(self, verb: Verb, items: Sequence[Any]) -> Sequence[Any]:
        """`write_many` for threads without a loop."""
        try:
            return self._call(verb, items, last=False).result()
        except sqlite.driver.Error as error:
            raise _refused(error) from error

    def _call(self, verb: Verb, items: Sequence[Any], *, last: bool) -> Future[Sequence[Any]]:
        if self._readers is None:
            raise NotReady("the database is not open")
        size = sum(len(getattr(item, "input", None) or getattr(item, "result", None) or "") for item in items)
        return self._writer.submit(Call(verb, items, size, last))

    async def read(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs `query(tx, …)` on a reader, in one consistent view."""
        if self._readers is None:
            raise NotReady("the database is not open")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_blocking(query, *args, **kwargs))

    def read_blocking(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """`read` for threads without a loop."""
        try:
            with self._reader() as connection:
                return query(connection.snapshot(), *args, **kwargs)
        except sqlite.driver.Error as error:
            raise _refused(error) from error
        except sa.exc.DBAPIError as error:
            raise _refused(error.orig or error) from error

    @contextlib.contextmanager
    def _reader(self) -> Iterator[SqliteConnection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = SqliteConnection(self._read_engine, self.clock, self.terms)
        try:
            yield connection
        finally:
            connection.rollback()
            self._idle.append(connection)


def join_caller(connection: Any, clock: Clock, terms: Terms) -> Transaction:
    """The caller's own open transaction, as verbs see it.

    Raises:
        InvalidInput: there is no open transaction on the connection, or another SQLite library opened it.
    """
    raw: Any = connection.connection.dbapi_connection if isinstance(connection, sa.Connection) else connection
    if not isinstance(raw, sqlite.driver.Connection):  # its close() would drop our library's locks (POSIX)
        raise InvalidInput(
            f"submit_in needs a connection of {sqlite.driver.__name__}, the SQLite that Duly has open: "
            "two SQLite libraries in one process lose each other's locks"
        )
    if not getattr(raw, "in_transaction", False):
        raise InvalidInput("submit_in needs a connection inside a transaction: execute BEGIN IMMEDIATE first")
    return Transaction(raw.cursor(), clock.now_ms(), terms=terms)


def _refused(error: BaseException) -> DulyError:
    """A busy or full database may be asked again; a refused row may not: that is a defect of ours."""
    if isinstance(error, sqlite.driver.OperationalError):
        return NotReady(f"the database cannot do it now: {error}")
    return DulyError(f"the database refused: {error}", code="refused_by_database")
