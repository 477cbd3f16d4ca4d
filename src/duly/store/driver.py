"""What Duly asks of a database's driver, bare: the supervising parent uses it without SQLAlchemy.

One module per database implements it (`sqlite`, `postgres`, `mariadb`); the URL alone chooses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from duly.clock import Clock
from duly.model.errors import UnsupportedDatabase
from duly.store.limits import settle
from duly.store.transaction import Row, Terms, Transaction

if TYPE_CHECKING:
    import asyncio

#: How the refusal of a sealed database begins (store.copying.seal); where it moved to follows.
MOVED = "this installation has moved to "


class Trouble(Enum):
    """What an error of a driver means for the transaction that met it."""

    AGAIN = "the same transaction may succeed at once: a deadlock's victim"
    LOST = "the connection is gone, or its server is not the primary; whether a commit was kept is unknown"
    WORN = "not now, and not on this connection: it was made while the file could only be read"
    BUSY = "not now: locked, full, sealed, too slow, or until somebody mends a right or a schema"
    REFUSED = "never: a value that does not fit, or no error of the driver at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """How a database is used, and what a user should know about it."""

    engine: str
    journal: str = ""
    file_system: str = ""
    warnings: tuple[str, ...] = ()


class Hints(Protocol):
    """Tells other processes that something was committed, and hears it from them. May lose any of it."""

    def start(self) -> bool:
        """Whether hints can be exchanged here."""
        ...

    def tell(self) -> None:
        """Something was committed; never waits, never raises."""
        ...

    def stop(self) -> None: ...


class Silence:
    """No hints: every process polls."""

    def start(self) -> bool:
        return False

    def tell(self) -> None: ...

    def stop(self) -> None: ...


#: Gets the rows of a statement, or its error.
Told = Callable[[list[Row] | Exception], None]


class Line(Protocol):
    """A connection that an event loop drives by itself, statement after statement: `store.loopline`."""

    #: Statements: the server's clock in milliseconds, and a hint to other processes.
    clock: str
    hint: str

    def attach(
        self, loop: asyncio.AbstractEventLoop, *, heard: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        """From now on the loop drives it; `heard` is called on hints of others, `lost` when it is gone."""
        ...

    @property
    def under_way(self) -> int:
        """How many statements have not been answered."""
        ...

    def run(self, name: str, parameters: Mapping[str, Any], told: Told, /, *, hint: bool = False) -> None:
        """Runs the one statement of an SQL file; with `hint` others hear of its commit."""
        ...

    def say(self, statement: str, told: Told, /) -> None:
        """Runs a statement as it stands."""
        ...

    def plans(self) -> list[str]:
        """Statements that make plans anew."""
        ...

    def wait(self, seconds: float, /) -> None:
        """Without the loop: until the answers under way are here, or until no news came for this long."""
        ...

    def close(self) -> None: ...


class Driver(Protocol):
    """One database: how to reach it, how its transactions begin, what its errors mean."""

    #: The folder of its SQL files, and SQLAlchemy's URL for its dialect.
    dialect: str
    core_url: str
    #: Where it is, for people: no password in it.
    place: str

    @property
    def module(self) -> Any:
        """The DB-API 2.0 module."""
        ...

    def examine(self) -> Footing:
        """Looks whether this database can be used.

        Raises:
            UnsupportedDatabase: it cannot.
        """
        ...

    def exists(self) -> bool:
        """Whether there is anything to connect to."""
        ...

    def connect(self, *, read_only: bool = False, patience: float | None = None) -> Any:
        """A connection in autocommit; `patience` is how long it waits for locks, in seconds."""
        ...

    def begin(self, connection: Any, *, read_only: bool = False) -> int | None:
        """Starts a transaction (a snapshot when read-only); the server's clock in milliseconds, if any."""
        ...

    def in_transaction(self, connection: Any) -> bool: ...

    def now(self, connection: Any, /) -> int | None:
        """The database's clock in milliseconds; None where the host's is its own."""
        ...

    def join(self, connection: Any) -> Any:
        """A cursor on a caller's connection that can carry our verbs: of our library, inside a transaction.

        Raises:
            InvalidInput: it cannot.
        """
        ...

    def trouble(self, error: BaseException) -> Trouble: ...

    def foreign_commits(self, connection: Any, /) -> int | None:
        """A number that changes when another connection has committed; None where nobody can tell."""
        ...

    def hints(self, heard: Callable[[], None], /) -> Hints: ...

    def line(self) -> Callable[[], Line] | None:
        """How a connection is made that a loop drives; None where there is none such."""
        ...

    def lock_schema(self, cursor: Any) -> None:
        """Begins a migration: others that want the same wait."""
        ...


def choose(url: str, *, listen_url: str | None = None) -> Driver:
    """The driver of a database URL. `listen_url`: the way around a pooler for LISTEN, or `none`.

    Raises:
        UnsupportedDatabase: no database that Duly knows, or its library is not installed.
    """
    kind = url.partition(":")[0].split("+")[0]
    if kind in ("postgresql", "postgres"):
        from duly.store.postgres import Postgres

        return Postgres(url, listen_url=listen_url)
    if kind in ("mysql", "mariadb"):
        from duly.store.mariadb import MariaDB

        return MariaDB(url)
    if kind == "sqlite":
        from duly.store.sqlite import Sqlite

        return Sqlite(url)
    raise UnsupportedDatabase(
        f"DULY_DATABASE_URL: {kind!r} is not supported; use sqlite:///path, postgresql://… or mysql://…"
    )


def moved(error: BaseException) -> str | None:
    """Where a database says that it moved to; None: the error is another one."""
    _, mark, place = str(error).partition(MOVED)
    return (place.splitlines() or [""])[0].rstrip("')\" ") if mark else None


@contextlib.contextmanager
def transaction(driver: Driver, connection: Any, clock: Clock, terms: Terms) -> Iterator[Transaction]:
    """One write transaction on a bare connection, committed at the end."""
    cursor = connection.cursor()
    now = driver.begin(connection)
    try:
        tx = Transaction(
            cursor,
            clock.told(now),
            terms=terms,
            dialect=driver.dialect,
            clock=lambda: clock.told(driver.now(connection)),
        )
        yield tx
        settle(tx)
        cursor.execute("COMMIT")
    except BaseException:
        if driver.in_transaction(connection):
            cursor.execute("ROLLBACK")
        raise
