"""PostgreSQL through psycopg: READ COMMITTED, short waits for locks, the server's clock, the primary only.

Behind pgbouncer in transaction mode set `DULY_DATABASE_LISTEN_URL`: the way around it for LISTEN, or `none`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from duly.model.errors import InvalidInput, UnsupportedDatabase
from duly.store.driver import Footing, Hints, Silence, Trouble
from duly.store.notices import Notices

try:
    import psycopg
except ImportError:
    raise UnsupportedDatabase("PostgreSQL needs psycopg: pip install 'duly[postgres]'") from None

OLDEST = 150_000
STATEMENT_MS = 5000
LOCK_MS = 2000
CONNECT_SECONDS = 5
_CLOCK = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_CLOCK}"
_SNAPSHOT = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_CLOCK}"
_WAITS = (
    f"SET LOCAL statement_timeout = {STATEMENT_MS}; SET LOCAL lock_timeout = {LOCK_MS};"
    " SET LOCAL idle_in_transaction_session_timeout = 10000;"
)
#: SQLSTATEs. The victim of a deadlock or of a serialization failure may try again at once.
_AGAIN = frozenset({"40001", "40P01"})
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
_BUSY = frozenset({"55P03", "57014", "25006", "55006"})


class Postgres:
    """One PostgreSQL database, as `store.driver` asks."""

    dialect = "postgres"
    core_url = "postgresql+psycopg://"
    module = psycopg

    def __init__(self, url: str, *, listen_url: str | None = None) -> None:
        self.conninfo = _plain(url)
        self._pooled = listen_url is not None
        self._listen = None if listen_url == "none" else _plain(listen_url or url)
        self.place = _place(self.conninfo)

    def examine(self) -> Footing:
        with self.connect() as connection:
            version = connection.info.server_version
            asked = (
                "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('synchronous_commit')"
            )
            [standby, fsync, commit] = connection.execute(asked).fetchone()
        if version < OLDEST:
            raise UnsupportedDatabase(
                f"{self.place} is PostgreSQL {version // 10_000}; Duly needs 15 or later"
            )
        if standby:
            raise UnsupportedDatabase(f"{self.place} is a standby; Duly needs the primary: only it decides")
        lax = [
            f"{name} = off"
            for name, value in (("fsync", fsync), ("synchronous_commit", commit))
            if value == "off"
        ]
        warnings = tuple(f"{one}: a crash of the server can lose accepted tasks" for one in lax)
        return Footing(engine=f"PostgreSQL {version // 10_000}.{version % 10_000}", warnings=warnings)

    def exists(self) -> bool:
        return True

    def connect(self, *, read_only: bool = False, patience: float | None = None) -> Any:
        """Behind a pooler nothing is prepared and nothing is set for longer than a transaction."""
        lock = LOCK_MS if patience is None else round(patience * 1000)
        settings: dict[str, Any] = {} if self._pooled else {"options": _options(lock, read_only)}
        connection = psycopg.connect(
            self.conninfo,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="duly",
            tcp_user_timeout=10_000,
            **settings,
        )
        connection.prepare_threshold = None if self._pooled else 2
        return connection

    def begin(self, connection: Any, *, read_only: bool = False) -> int:
        """One round trip: the transaction, and the clock."""
        begin = _SNAPSHOT if read_only else _BEGIN
        if self._pooled:
            begin = begin.replace("; ", f"; {_WAITS} ", 1)
        cursor = connection.execute(begin)
        while cursor.description is None:
            cursor.nextset()
        return int(cursor.fetchone()[0])

    def in_transaction(self, connection: Any) -> bool:
        status = connection.info.transaction_status
        return not connection.closed and status is not psycopg.pq.TransactionStatus.IDLE

    def now(self, connection: Any) -> int:
        return int(connection.execute(_CLOCK).fetchone()[0])

    def join(self, connection: Any) -> None:
        if not isinstance(connection, psycopg.Connection):
            raise InvalidInput("submit_in needs a psycopg (version 3, not async) or SQLAlchemy connection")
        if connection.autocommit and not self.in_transaction(connection):
            raise InvalidInput("submit_in needs a connection inside a transaction: turn autocommit off")

    def trouble(self, error: BaseException) -> Trouble:
        if not isinstance(error, psycopg.Error):
            return Trouble.REFUSED
        state = error.sqlstate
        if state in _AGAIN:
            return Trouble.AGAIN
        if state in _LOST or (state or "").startswith("08"):
            return Trouble.LOST
        if state in _BUSY or (state or "").startswith("53"):
            return Trouble.BUSY
        lost = state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return Trouble.LOST if lost else Trouble.REFUSED

    def foreign_commits(self, _connection: Any) -> None:
        return None

    def hints(self, heard: Callable[[], None]) -> Hints:
        return Silence() if self._listen is None else Notices(self._listen, heard)

    def lock_schema(self, cursor: Any) -> None:
        cursor.execute("BEGIN")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(4447)")


def _options(lock_ms: int, read_only: bool) -> str:
    return (
        f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={lock_ms}"
        " -c idle_in_transaction_session_timeout=10000 -c jit=off -c TimeZone=UTC"
        f" -c default_transaction_read_only={'on' if read_only else 'off'}"
    )


def _plain(url: str) -> str:
    """libpq's own form: `postgresql+psycopg://` is SQLAlchemy's."""
    scheme, _, rest = url.partition("://")
    if not rest:
        raise UnsupportedDatabase("DULY_DATABASE_URL: write postgresql://user:password@host:5432/database")
    return f"{scheme.split('+')[0]}://{rest}"


def _place(url: str) -> str:
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2] or "localhost"
    return f"postgresql://{where}{parts.path}"
