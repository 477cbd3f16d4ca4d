"""One connection: transactions begun by hand on the driver's own, with SQLAlchemy Core on the same one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from duly.clock import Clock
from duly.model.errors import DulyError, Moved, NotReady
from duly.store.driver import MOVED, Driver, Trouble, moved
from duly.store.heads import Heads
from duly.store.transaction import Terms, Transaction


class Link:
    """A SQLAlchemy connection in autocommit. After an error that lost it, close it and make another."""

    def __init__(self, driver: Driver, engine: sa.Engine, clock: Clock, terms: Terms, heads: Heads) -> None:
        self._driver = driver
        self._core = engine.connect()
        self._raw: Any = self._core.connection.dbapi_connection
        self._clock = clock
        self._terms = terms
        self._heads = heads

    def begin(self) -> Transaction:
        """Begins to write; `now` is read after a wait for the write lock, for that can be seconds."""
        return self._transaction(read_only=False)

    def snapshot(self) -> Transaction:
        """A consistent view for reading."""
        return self._transaction(read_only=True)

    def _transaction(self, *, read_only: bool) -> Transaction:
        now = self._driver.begin(self._raw, read_only=read_only)
        return Transaction(
            self._raw.cursor(),
            self._clock.told(now),
            terms=self._terms,
            dialect=self._driver.dialect,
            core=self._core,
            heads=self._heads.only_seen() if read_only else self._heads,
            clock=self._time,
        )

    def _time(self) -> int:
        return self._clock.told(self._driver.now(self._raw))

    def commit(self) -> None:
        self._raw.cursor().execute("COMMIT")

    def rollback(self) -> None:
        if self._driver.in_transaction(self._raw):
            self._raw.cursor().execute("ROLLBACK")

    def trouble(self, error: BaseException) -> Trouble:
        """What an error means, SQLAlchemy's wrapping removed."""
        return trouble(self._driver, error)

    def foreign_commits(self) -> int | None:
        """A number that changes when another connection has committed; None where nobody can tell."""
        return self._driver.foreign_commits(self._raw)

    def close(self) -> None:
        """Without a rollback, which the server does by itself and a broken connection cannot do."""
        self._core.invalidate()


def trouble(driver: Driver, error: BaseException) -> Trouble:
    """What an error means, SQLAlchemy's wrapping removed."""
    return driver.trouble(getattr(error, "orig", None) or error)


def spoken(driver: Driver, error: BaseException) -> BaseException:
    """The error for callers: a busy or lost database may be asked again; a refused row may not."""
    cause = getattr(error, "orig", None) or error
    if not isinstance(cause, driver.module.Error):
        return error
    if (place := moved(cause)) is not None:
        return Moved(f"{MOVED}{place}")
    if driver.trouble(cause) is Trouble.REFUSED:
        return DulyError(f"the database refused: {_line(cause)}", code="refused_by_database")
    return NotReady(f"the database cannot do it now: {_line(cause)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
