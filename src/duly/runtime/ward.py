"""What the supervising parent does to the database, through the bare driver: renew a lease, bury a child.

No SQLAlchemy here: the parent must stay small, and must work while the child's interpreter is stuck.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from duly.clock import Clock
from duly.model.events import EventType
from duly.model.state import Status
from duly.store import sessions
from duly.store.claims import Finish, GivenBack, finish, give_back
from duly.store.driver import Driver, Trouble, moved, transaction
from duly.store.transaction import Terms, Transaction

T = TypeVar("T")
#: How long one try waits for the write lock, in seconds: short, for the child must be watched meanwhile.
PATIENCE = 1.0


class Unreachable(Exception):
    """The database could not do it; it may be tried again."""


class Sealed(Unreachable):
    """The installation has moved to another database: nothing can be written here, by nobody."""


class Ward:
    """One small connection, opened on first use and again after an error."""

    def __init__(self, driver: Driver, terms: Terms, clock: Clock) -> None:
        self._driver = driver
        self._terms = terms
        self._clock = clock
        self._connection: Any = None

    def renew(self, session: str) -> bool:
        """Extends the lease; False: the session was ended by others."""
        return self._run(lambda tx: sessions.renew(tx, [session])[0])

    def bury(
        self, ended: Sequence[str], last_words: Sequence[dict[str, Any]], *, orderly: bool = False
    ) -> GivenBack:
        """After a child's end: records what it asked for, ends its sessions, gives its tasks back.

        `orderly`: no task can have been the cause of its end, so none comes under suspicion.
        """

        def first(tx: Transaction) -> GivenBack:
            finish(tx, [_finish(one) for one in last_words])
            if orderly:
                sessions.leave(tx, ended)
            return give_back(tx, ended)

        total = more = self._run(first)
        while more.tasks:
            more = self._run(lambda tx: give_back(tx, ()))
            total += more
        return total

    def _run(self, work: Callable[[Transaction], T]) -> T:
        """One transaction. A connection that broke while it was idle is replaced, once: after a restart of
        the server every kept one has, and a pause before the next try would keep a dead child's tasks."""
        was_idle = self._connection is not None
        try:
            return self._transact(work)
        except self._driver.module.Error as error:
            if not was_idle or self._driver.trouble(error) is not Trouble.LOST:
                raise _unreachable(error) from error
        try:
            return self._transact(work)
        except self._driver.module.Error as error:
            raise _unreachable(error) from error

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._driver.connect(patience=PATIENCE)
            with transaction(self._driver, self._connection, self._clock, self._terms) as tx:
                return work(tx)
        except self._driver.module.Error as error:
            self._drop_unless_busy(error)
            raise
        except BaseException:
            self._drop()
            raise

    def _drop_unless_busy(self, error: BaseException) -> None:
        """A connection that only found the database busy is kept: opening another one waits longer."""
        kept = self._driver.trouble(error) in (Trouble.BUSY, Trouble.AGAIN)
        if not kept or self._connection is None or self._driver.in_transaction(self._connection):
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


def _unreachable(error: BaseException) -> Unreachable:
    kind = Unreachable if moved(error) is None else Sealed
    return kind(" ".join(str(error).split()))


def _finish(values: dict[str, Any]) -> Finish:
    return Finish(**{**values, "target": Status(values["target"]), "event": EventType(values["event"])})
