"""What a server's refusal means: much passes, or is elsewhere or can be mended; a bad value stays one."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pymysql
import pytest
from psycopg import errors

from duly.store.driver import Trouble
from duly.store.mariadb import MariaDB
from duly.store.postgres import Postgres
from duly.store.sqlite import Sqlite

POSTGRES, MARIADB = (
    Postgres("postgresql://nobody@127.0.0.1:1/none"),
    MariaDB("mysql://nobody@127.0.0.1:1/none"),
)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (errors.DiskFull("no space left on device"), Trouble.BUSY),
        (errors.OutOfMemory("out of memory"), Trouble.BUSY),
        (errors.TooManyConnections("too many clients"), Trouble.BUSY),
        (errors.IoError("could not read block"), Trouble.BUSY),
        (errors.ReadOnlySqlTransaction("cannot execute INSERT"), Trouble.LOST),
        (errors.ActiveSqlTransaction("read-write mode must be set before any query"), Trouble.LOST),
        (errors.FeatureNotSupported("cannot set transaction read-write mode"), Trouble.LOST),
        (errors.AdminShutdown("terminating connection"), Trouble.LOST),
        (errors.CrashShutdown("terminating connection"), Trouble.LOST),
        (errors.DeadlockDetected("deadlock"), Trouble.AGAIN),
        (errors.LockNotAvailable("lock timeout"), Trouble.BUSY),
        (errors.UndefinedColumn("no such column"), Trouble.BUSY),
        (errors.InsufficientPrivilege("permission denied"), Trouble.BUSY),
        (errors.CheckViolation("out of its range"), Trouble.REFUSED),
        (errors.UntranslatableCharacter("no such character"), Trouble.REFUSED),
        (errors.ProgramLimitExceeded("too large"), Trouble.REFUSED),
        (psycopg.DataError("U+0000"), Trouble.REFUSED),
        (TypeError("ours"), Trouble.REFUSED),
    ],
)
def test_of_postgresql(error: Exception, trouble: Trouble) -> None:
    """By its SQLSTATE."""
    assert POSTGRES.trouble(error) is trouble


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (1021, Trouble.BUSY),
        (1114, Trouble.BUSY),
        (1040, Trouble.BUSY),
        (1205, Trouble.AGAIN),
        (1142, Trouble.BUSY),
        (1290, Trouble.LOST),
        (1047, Trouble.LOST),
        (1927, Trouble.LOST),
        (2013, Trouble.LOST),
        (1213, Trouble.AGAIN),
        (1054, Trouble.BUSY),
        (1153, Trouble.REFUSED),
        (4025, Trouble.REFUSED),
    ],
)
def test_of_mariadb(number: int, trouble: Trouble) -> None:
    """By its number: full, full, too many connections, a right; not the primary, no cluster, killed,
    gone; a deadlock, a lock; an older schema; too large, out of its range."""
    assert MARIADB.trouble(pymysql.err.OperationalError(number, "")) is trouble


@pytest.mark.parametrize("kind", [pymysql.err.DataError, pymysql.err.IntegrityError])
def test_a_value_that_does_not_fit_mariadb(kind: type[Exception]) -> None:
    """By the driver's own classes."""
    assert MARIADB.trouble(kind(1366, "no such character")) is Trouble.REFUSED


def test_sqlite_without_a_connection(tmp_path: Path) -> None:
    """The old one was closed, and no other could be opened: the next try makes one."""
    lite = Sqlite(f"sqlite:///{tmp_path / 'duly.db'}")
    connection = lite.connect()
    connection.close()
    with pytest.raises(lite.module.Error) as caught:
        lite.begin(connection)
    assert lite.trouble(caught.value) is Trouble.LOST
