"""MariaDB (and MySQL 8) through PyMySQL: READ COMMITTED, short waits for locks, the server's clock, polling.

Keys are compared byte by byte (utf8mb4_bin). Other processes' commits are seen by the poll alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from duly.model.errors import InvalidInput, NotReady, UnsupportedDatabase
from duly.store.driver import Footing, Hints, Silence, Trouble, moved
from duly.store.network import ANSWER_SECONDS, CONNECT_SECONDS, keep_in_touch

try:
    import pymysql
    from pymysql.constants import CLIENT, SERVER_STATUS
except ImportError:
    raise UnsupportedDatabase("MariaDB and MySQL need PyMySQL: pip install 'duly[mysql]'") from None

STATEMENT_SECONDS = 5
LOCK_SECONDS = 2
IDLE_SECONDS = 10
#: For a whole statement, 16 MB perhaps, over a slow network; one that takes nothing is found out sooner.
WRITE_SECONDS = 15
#: What the server accepts in one statement, at least; a part of a body is 1 MB, twice that when escaped.
PACKET = 16 * 1024 * 1024
#: Characters of values up to which a file's statements go to the server together.
TOGETHER = 256 * 1024
#: Independent of the session's time zone: a local time comes twice in autumn.
_CLOCK = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000"
#: The clock, and whether this server is the primary, which an account that may do all is not stopped by.
_CLOCK_OF_PRIMARY = f"{_CLOCK}, @@GLOBAL.read_only"
#: Error numbers. 1205: a lock waited for too long, 1213: a deadlock's victim, 1020: changed since read.
_AGAIN = frozenset({1020, 1205, 1213})
#: The connection, or a server that does not decide: read-only, or a node that its cluster left (1047).
_LOST = frozenset(
    {0, 1047, 1053, 1080, 1158, 1159, 1160, 1161, 1184, 1290, 1836, 1927}
    | {2002, 2003, 2006, 2013, 2014, 2055, 4031}
)
_READ_ONLY, _TOO_LARGE = 1290, 1153
#: How servers write that `read_only` is off.
_OFF = (0, "OFF")
#: What is wrong with a value, besides DataError and IntegrityError: too large, malformed, against a rule.
_UNFIT = frozenset({_TOO_LARGE, 1292, 1411, 1690, 3819, 4025, *range(3140, 3160), *range(4035, 4043)})
_OPTIONS = frozenset(
    {"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"}
)
_SETTINGS = (
    *("version", "read_only", "innodb_flush_log_at_trx_commit", "max_allowed_packet"),
    *("log_bin", "binlog_format", "sync_binlog", "wsrep_on"),
)


class Connection(pymysql.connections.Connection):  # type: ignore[misc]
    """Refuses what the server would answer by hanging up, so that only the call that is too large fails; and
    finds out when the server is gone."""

    _unasked: ClassVar[Any] = None

    def connect(self, sock: Any = None) -> None:
        super().connect(sock)
        keep_in_touch(self._sock)

    def query(self, sql: Any, unbuffered: bool = False) -> Any:
        if len(sql) > PACKET // 4:  # characters may take four bytes each
            size = len(sql if isinstance(sql, bytes) else sql.encode("utf-8", "surrogateescape"))
            if size >= PACKET:
                raise pymysql.err.DataError(_TOO_LARGE, f"a statement of {size} bytes is over {PACKET}")
        return super().query(sql, unbuffered)

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        """One for all connections that ask for nothing: a new one reads all authorities, for 20 ms."""
        if sslp:
            return super()._create_ssl_ctx(sslp)
        if Connection._unasked is None:
            Connection._unasked = super()._create_ssl_ctx(sslp)
        return Connection._unasked

    def be_patient(self) -> None:
        """Waits for an answer as long as it takes."""
        self._read_timeout = None


class Cursor(pymysql.cursors.Cursor):  # type: ignore[misc]
    """Sends the statements of a file together: each would be a round trip."""

    def run_all(self, statements: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
        """The last rows that were selected. What is large goes by itself: its statements repeat it."""
        size = sum(len(one) for one in values.values() if isinstance(one, str | bytes))
        groups = [";".join(statements)] if size < TOGETHER else statements
        rows: list[Any] = []
        for group in groups:
            self.execute(group, values)
            more: bool | None = True
            while more:
                if self.description is not None:
                    rows = list(self.fetchall())
                more = self.nextset()
        return rows


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
        self._arguments: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 3306,
            "user": unquote(parts.username or "root"),
            "password": unquote(parts.password or ""),
            "database": unquote(parts.path.strip("/")),
            **_options(parts.query),
        }

    def examine(self) -> Footing:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN %s", (_SETTINGS,))
            found = dict(cursor.fetchall())
        version = found["version"]
        maria = "mariadb" in version.lower()
        numbers = tuple(int(one) for one in version.split("-")[0].split(".")[:2])
        if numbers < ((10, 6) if maria else (8, 0)):
            raise UnsupportedDatabase(f"{self.place} is {version}; Duly needs MariaDB 10.6 or MySQL 8")
        if found["read_only"] != "OFF":
            raise NotReady(f"{self.place} is read-only; Duly waits for the primary: only it decides")
        if found.get("log_bin") == "ON" and found.get("binlog_format") == "STATEMENT":
            raise UnsupportedDatabase(
                f"{self.place} has binlog_format = STATEMENT, which forbids READ COMMITTED; set MIXED or ROW"
            )
        name = "MariaDB" if maria else "MySQL"
        return Footing(engine=f"{name} {version}", warnings=tuple(_warnings(found)))

    def exists(self) -> bool:
        return True

    def connect(self, *, read_only: bool = False, patience: float | None = None) -> Any:
        connection = Connection(
            charset="utf8mb4",
            collation="utf8mb4_bin",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            cursorclass=Cursor,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=WRITE_SECONDS,
            **self._arguments,
        )
        isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        lock = LOCK_SECONDS if patience is None else max(1, round(patience))
        maria = "mariadb" in connection.get_server_info().lower()
        limit = (
            f"max_statement_time = {STATEMENT_SECONDS}, idle_transaction_timeout = {IDLE_SECONDS}"
            if maria  # MySQL cannot end the transaction of a host that stands still
            else f"max_execution_time = {STATEMENT_SECONDS * 1000}"
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
            cursor.execute(
                "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
                f" innodb_lock_wait_timeout = {lock}, group_concat_max_len = {PACKET}, {limit}"
            )
        return connection

    def begin(self, connection: Any, *, read_only: bool = False) -> int:
        """One round trip: the transaction, the clock, and whether the server still is the primary."""
        begin = "START TRANSACTION" + (" WITH CONSISTENT SNAPSHOT, READ ONLY" if read_only else "")
        with connection.cursor() as cursor:
            [[now, standby]] = cursor.run_all((begin, _CLOCK_OF_PRIMARY), {})
        if standby not in _OFF:
            raise pymysql.err.OperationalError(_READ_ONLY, f"{self.place} is read-only, not the primary")
        return int(now)

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.open and connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def now(self, connection: Any) -> int:
        with connection.cursor(pymysql.cursors.Cursor) as cursor:
            cursor.execute(_CLOCK)
            return int(cursor.fetchone()[0])

    def join(self, connection: Any) -> Any:
        if not isinstance(connection, pymysql.connections.Connection):
            raise InvalidInput("submit_in needs a PyMySQL or SQLAlchemy connection")
        if connection.get_autocommit() and not self.in_transaction(connection):
            raise InvalidInput("submit_in needs a connection inside a transaction: turn autocommit off")
        raw = connection.server_status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES
        if raw or connection.charset != "utf8mb4":
            raise InvalidInput("submit_in needs charset utf8mb4, and no NO_BACKSLASH_ESCAPES in sql_mode")
        return connection.cursor(pymysql.cursors.Cursor)

    def trouble(self, error: BaseException) -> Trouble:
        if not isinstance(error, pymysql.Error):
            return Trouble.REFUSED
        number = error.args[0] if error.args else None
        if moved(error) is not None:
            return Trouble.BUSY
        if number in _AGAIN:
            return Trouble.AGAIN
        if number in _LOST:
            return Trouble.LOST
        ours = not isinstance(number, int) or isinstance(error, pymysql.DataError | pymysql.IntegrityError)
        return Trouble.REFUSED if ours or number in _UNFIT else Trouble.BUSY

    def foreign_commits(self, _connection: Any) -> None:
        return None

    def hints(self, _heard: Callable[[], None]) -> Hints:
        return Silence()

    def line(self) -> None:
        return None

    def lock_schema(self, cursor: Any) -> None:
        """A statement that changes a table ends its transaction here, so a named lock holds others off."""
        cursor.connection.be_patient()
        cursor.execute("SET SESSION lock_wait_timeout = 60 /*M! , SESSION max_statement_time = 0 */")
        cursor.execute("SELECT GET_LOCK(CONCAT('duly ', SHA1(DATABASE())), 60)")
        if cursor.fetchone() != (1,):
            raise NotReady("another process is changing the schema; try again")


def _options(query: str) -> dict[str, Any]:
    """PyMySQL's arguments from the end of a URL."""
    given = {name: values[-1] for name, values in parse_qs(query).items() if name != "charset"}
    unknown = sorted(set(given) - _OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise UnsupportedDatabase(f"DULY_DATABASE_URL: unknown {', '.join(unknown)}; there are {known}")
    words: dict[str, Any] = {"true": True, "false": False}
    return {name: words.get(value.lower(), value) for name, value in given.items()}


def _warnings(found: dict[str, str]) -> list[str]:
    """What can cost accepted tasks, by the server's settings."""
    crash = "a crash of the server can lose accepted tasks"
    flush = found["innodb_flush_log_at_trx_commit"]
    warnings = [] if flush in ("1", "3") else [f"innodb_flush_log_at_trx_commit = {flush}: {crash}"]
    if found.get("log_bin") == "ON" and found.get("sync_binlog") != "1":
        warnings.append(f"sync_binlog = {found.get('sync_binlog')} with a binary log: {crash}")
    if found.get("wsrep_on") == "ON":
        warnings.append("Galera: let all processes of Duly write to one and the same node")
    if int(found["max_allowed_packet"]) < PACKET:
        warnings.append(f"max_allowed_packet = {found['max_allowed_packet']}: set at least {PACKET}")
    return warnings
