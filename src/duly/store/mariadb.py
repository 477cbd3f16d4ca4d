"""MariaDB (and MySQL 8) through PyMySQL: READ COMMITTED, short waits for locks, the server's clock, polling.

Keys are compared byte by byte (utf8mb4_bin). Other processes' commits are seen by the poll alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from duly.model.errors import InvalidInput, UnsupportedDatabase
from duly.store.driver import Footing, Hints, Silence, Trouble

try:
    import pymysql
except ImportError:
    raise UnsupportedDatabase("MariaDB and MySQL need PyMySQL: pip install 'duly[mysql]'") from None

STATEMENT_SECONDS = 5
LOCK_SECONDS = 2
IN_TRANSACTION = 1
_CLOCK = "SELECT CAST(ROUND(UNIX_TIMESTAMP(SYSDATE(3)) * 1000) AS UNSIGNED)"
#: Error numbers. 1205: a lock waited for too long, 1213: a deadlock's victim.
_AGAIN = frozenset({1205, 1213})
_LOST = frozenset(
    {0, 1053, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031}
)
_BUSY = frozenset({1021, 1036, 1040, 1114, 1203, 1290, 1792, 1836, 1969, 3024})


class MariaDB:
    """One MariaDB or MySQL database, as `store.driver` asks."""

    dialect = "mariadb"
    core_url = "mysql+pymysql://"
    module = pymysql

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if not parts.path.strip("/"):
            raise UnsupportedDatabase("DULY_DATABASE_URL: write mysql://user:password@host:3306/database")
        self.place = f"mysql://{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        options.pop("charset", None)
        self._arguments: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 3306,
            "user": unquote(parts.username or "root"),
            "password": unquote(parts.password or ""),
            "database": unquote(parts.path.strip("/")),
            **options,
        }

    def examine(self) -> Footing:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version(), @@read_only, @@innodb_flush_log_at_trx_commit")
            version, read_only, flush = cursor.fetchone()
        maria = "mariadb" in version.lower()
        numbers = tuple(int(one) for one in version.split("-")[0].split(".")[:2])
        if numbers < ((10, 6) if maria else (8, 0)):
            raise UnsupportedDatabase(f"{self.place} is {version}; Duly needs MariaDB 10.6 or MySQL 8")
        if read_only:
            raise UnsupportedDatabase(f"{self.place} is read-only; Duly needs the primary: only it decides")
        lax = f"innodb_flush_log_at_trx_commit = {flush}: a crash of the server can lose accepted tasks"
        name = "MariaDB" if maria else "MySQL"
        return Footing(engine=f"{name} {version}", warnings=() if flush == 1 else (lax,))

    def exists(self) -> bool:
        return True

    def connect(self, *, read_only: bool = False, patience: float | None = None) -> Any:
        connection = pymysql.connect(
            charset="utf8mb4",
            collation="utf8mb4_bin",
            autocommit=True,
            connect_timeout=5,
            read_timeout=15,
            write_timeout=15,
            **self._arguments,
        )
        isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        lock = LOCK_SECONDS if patience is None else max(1, round(patience))
        maria = "mariadb" in connection.get_server_info().lower()
        limit = f"max_statement_time = {STATEMENT_SECONDS}"
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
            cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {lock}")
            cursor.execute(
                f"SET SESSION {limit if maria else f'max_execution_time = {STATEMENT_SECONDS * 1000}'}"
            )
        return connection

    def begin(self, connection: Any, *, read_only: bool = False) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "START TRANSACTION" + (" WITH CONSISTENT SNAPSHOT, READ ONLY" if read_only else "")
            )
        return self.now(connection)

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.open and connection.server_status & IN_TRANSACTION)

    def now(self, connection: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_CLOCK)
            return int(cursor.fetchone()[0])

    def join(self, connection: Any) -> None:
        if not isinstance(connection, pymysql.connections.Connection):
            raise InvalidInput("submit_in needs a PyMySQL or SQLAlchemy connection")
        if connection.get_autocommit() and not self.in_transaction(connection):
            raise InvalidInput("submit_in needs a connection inside a transaction: turn autocommit off")

    def trouble(self, error: BaseException) -> Trouble:
        if not isinstance(error, pymysql.Error):
            return Trouble.REFUSED
        number = error.args[0] if error.args else None
        if number in _AGAIN:
            return Trouble.AGAIN
        if number in _LOST:
            return Trouble.LOST
        return Trouble.BUSY if number in _BUSY else Trouble.REFUSED

    def foreign_commits(self, _connection: Any) -> None:
        return None

    def hints(self, _heard: Callable[[], None]) -> Hints:
        return Silence()

    def lock_schema(self, cursor: Any) -> None:
        """A statement that changes a table ends its transaction here, so a named lock holds others off."""
        cursor.execute("SET SESSION lock_wait_timeout = 60 /*M! , SESSION max_statement_time = 0 */")
        cursor.execute("SELECT GET_LOCK('duly schema', 60)")
        cursor.fetchall()
