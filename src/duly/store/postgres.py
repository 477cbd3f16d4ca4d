"""PostgreSQL through psycopg: READ COMMITTED, short waits for locks, the server's clock, the primary only.

Behind pgbouncer in transaction mode set `DULY_DATABASE_LISTEN_URL`: the way around it for LISTEN, or `none`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from duly.model.errors import InvalidInput, UnsupportedDatabase
from duly.store.driver import Footing, Hints, Line, Silence, Trouble
from duly.store.loopline import LoopLine
from duly.store.network import (
    ANSWER_SECONDS,
    IDLE_SECONDS,
    LIBPQ,
    PROBE_SECONDS,
    PROBES,
    NoAnswer,
    timely,
)
from duly.store.notices import Notices

try:
    import psycopg
except ImportError:
    raise UnsupportedDatabase("PostgreSQL needs psycopg: pip install 'duly[postgres]'") from None

T = TypeVar("T")

OLDEST = 150_000
STATEMENT_MS = 5000
LOCK_MS = 2000
IDLE_MS = 10_000
_CLOCK = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_CLOCK}"
#: A verb looks up its batch row by row, through an index, and takes the first of an order from its end. Its
#: statements are written so that hardly another plan is left (decision 0012), and a plan serves for a second.
PLAN_SECONDS = 1.0
_FOR_ALL = {"enable_seqscan": "off", "jit": "off", "timezone": "UTC"}
_FOR_READING = {"plan_cache_mode": "force_custom_plan"}
_FOR_WRITING = {"plan_cache_mode": "force_generic_plan"} | dict.fromkeys(
    ("enable_mergejoin", "enable_material", "enable_sort"), "off"
)
_SNAPSHOT = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_CLOCK}"
#: SQLSTATEs. The victim of a deadlock or of a serialization failure may try again at once.
_AGAIN = frozenset({"40001", "40P01"})
#: A server that ends connections, and one that is a standby: what it says to our BEGIN, and to a write.
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "0A000", "25001", "25006"})
#: What is wrong with a value, by class: it does not fit, breaks a rule of its table, or is too much.
_UNFIT = ("22", "23", "54")


class _Connection(psycopg.Connection[Any]):
    """One that waits for answers as long as ours may take, and knows until when its plans serve: one made for
    an empty table is no good for a full one."""

    plans_until = 0.0
    answer_seconds: float = ANSWER_SECONDS

    def be_patient(self) -> None:
        """Waits for an answer as long as it takes."""
        self.answer_seconds = float("inf")

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """libpq waits for ever: what answers no more may still acknowledge what it is sent."""
        try:
            return super().wait(timely(gen, self.answer_seconds), *args, **kwargs)
        except NoAnswer as error:
            self.close()
            raise psycopg.OperationalError(str(error)) from error


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
            asked = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
            [fsync, commit] = connection.execute(asked).fetchone()
        if version < OLDEST:
            raise UnsupportedDatabase(
                f"{self.place} is PostgreSQL {version // 10_000}; Duly needs 15 or later"
            )
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
        """To the primary, of all hosts in the URL: only it decides. Behind a pooler nothing is prepared and
        nothing is set for longer than a transaction."""
        lock = LOCK_MS if patience is None else round(patience * 1000)
        settings = {} if self._pooled else _settings(lock, read_only=read_only)
        connection = _Connection.connect(
            self.conninfo,
            autocommit=True,
            application_name="duly",
            target_session_attrs="primary",
            **LIBPQ,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        )
        connection.prepare_threshold = None if self._pooled else 2
        return connection

    def begin(self, connection: Any, *, read_only: bool = False) -> int:
        """One round trip: the transaction, and the clock."""
        begin = _SNAPSHOT if read_only else _BEGIN
        if self._pooled:
            settings = _settings(LOCK_MS, read_only=read_only)
            local = " ".join(f"SET LOCAL {name} = '{value}';" for name, value in settings.items())
            begin = begin.replace("; ", f"; {local} ", 1)
        elif not read_only and time.monotonic() >= connection.plans_until:
            begin = f"DISCARD PLANS; {begin}"
            connection.plans_until = time.monotonic() + PLAN_SECONDS
        cursor = connection.execute(begin)
        while cursor.description is None:
            cursor.nextset()
        return int(cursor.fetchone()[0])

    def in_transaction(self, connection: Any) -> bool:
        status = connection.info.transaction_status
        return not connection.closed and status is not psycopg.pq.TransactionStatus.IDLE

    def now(self, connection: Any) -> int:
        return int(connection.execute(_CLOCK).fetchone()[0])

    def join(self, connection: Any) -> Any:
        if not isinstance(connection, psycopg.Connection):
            raise InvalidInput("submit_in needs a psycopg (version 3, not async) or SQLAlchemy connection")
        if connection.autocommit and not self.in_transaction(connection):
            raise InvalidInput("submit_in needs a connection inside a transaction: turn autocommit off")
        return connection.cursor(row_factory=psycopg.rows.tuple_row)

    def trouble(self, error: BaseException) -> Trouble:
        if not isinstance(error, psycopg.Error):
            return Trouble.REFUSED
        state = error.sqlstate
        if state in _AGAIN:
            return Trouble.AGAIN
        if state is None:  # the client's own
            lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            return Trouble.LOST if lost else Trouble.REFUSED
        if state in _LOST or state.startswith("08"):
            return Trouble.LOST
        return Trouble.REFUSED if state.startswith(_UNFIT) else Trouble.BUSY

    def foreign_commits(self, _connection: Any) -> None:
        return None

    def hints(self, heard: Callable[[], None]) -> Hints:
        return Silence() if self._listen is None else Notices(self._listen, heard)

    def line(self) -> Callable[[], Line] | None:
        """Behind a pooler nothing is prepared and nobody listens."""
        return None if self._pooled else self._line

    def _line(self) -> Line:
        return LoopLine(self.connect(), clock=_CLOCK)

    def lock_schema(self, cursor: Any) -> None:
        cursor.connection.be_patient()
        cursor.execute("BEGIN")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(4447)")


def _settings(lock_ms: int, *, read_only: bool) -> dict[str, str]:
    """What a session of ours is set to."""
    waits = {"statement_timeout": STATEMENT_MS, "lock_timeout": lock_ms}
    waits["idle_in_transaction_session_timeout"] = IDLE_MS
    # The server too finds out that we are gone, and has its connection back.
    waits |= {"tcp_keepalives_idle": IDLE_SECONDS, "tcp_keepalives_interval": PROBE_SECONDS}
    waits |= {"tcp_keepalives_count": PROBES, "tcp_user_timeout": ANSWER_SECONDS * 1000}
    ours = _FOR_ALL | (_FOR_READING if read_only else _FOR_WRITING)
    return {**{name: str(value) for name, value in waits.items()}, **ours}


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
