"""What the supervising parent does to the database, through the bare driver: renew a lease, bury a child.

No SQLAlchemy here: the parent must stay small, and must work while the child's interpreter is stuck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from duly.clock import Clock
from duly.model.events import EventType
from duly.model.state import Status
from duly.store import sessions, sqlite
from duly.store.claims import Finish, finish, rescue
from duly.store.transaction import Terms, Transaction

T = TypeVar("T")
DatabaseError: type[Exception] = sqlite.driver.Error
#: How long one try waits for the write lock, in seconds: short, for the child must be watched meanwhile.
PATIENCE = 1.0


class Ward:
    """One small connection, opened on first use and again after an error."""

    def __init__(self, path: Path, terms: Terms, clock: Clock) -> None:
        self._path = path
        self._terms = terms
        self._clock = clock
        self._connection: Any = None
        self._journal = ""

    def renew(self, session: str) -> bool:
        """Extends the lease; False: the session was ended by others."""
        with self._transaction() as tx:
            return sessions.renew(tx, [session])[0]

    def bury(self, ended: Sequence[str], last_words: Sequence[dict[str, Any]]) -> int:
        """After a child's death: records what it asked for, ends its sessions, gives its tasks back."""
        total = 0
        with self._transaction() as tx:
            finish(tx, [_finish(one) for one in last_words])
            count = rescue(tx, [tuple(ended)])[0]
        while count:
            total += count
            with self._transaction() as tx:
                count = rescue(tx, [()])[0]
        return total

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        cursor = self._open().cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            yield Transaction(cursor, self._clock.now_ms(), terms=self._terms)
            cursor.execute("COMMIT")
        except BaseException as error:
            self._drop_unless_busy(error)
            raise

    def _open(self) -> Any:
        if self._connection is None:
            self._journal = self._journal or sqlite.examine(self._path).journal
            self._connection = sqlite.connect(self._path, self._journal)
            self._connection.execute("PRAGMA busy_timeout = 1000")
        return self._connection

    def _drop_unless_busy(self, error: BaseException) -> None:
        """A connection that only found the database busy is kept: opening another one waits longer."""
        if self._connection.in_transaction or "locked" not in str(error):
            self._connection.close()
            self._connection = None


def _finish(values: dict[str, Any]) -> Finish:
    return Finish(**{**values, "target": Status(values["target"]), "event": EventType(values["event"])})


def patiently(work: Callable[[], T], tries: int, failed: Callable[[Exception], None]) -> T | None:
    """Tries `work` a few times: a locked database is busy for seconds. None: it never worked."""
    for _ in range(tries):
        try:
            return work()
        except DatabaseError as error:
            failed(error)
    return None
