"""What a server's refusal means: a full disk or a busy server passes, a defect of ours does not."""

from __future__ import annotations

import pymysql
import pytest
from psycopg import errors

from duly.store.driver import Trouble
from duly.store.mariadb import MariaDB
from duly.store.postgres import Postgres

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
        (errors.ReadOnlySqlTransaction("read-only"), Trouble.BUSY),
        (errors.AdminShutdown("terminating connection"), Trouble.LOST),
        (errors.CrashShutdown("terminating connection"), Trouble.LOST),
        (errors.DeadlockDetected("deadlock"), Trouble.AGAIN),
        (errors.UndefinedColumn("no such column"), Trouble.REFUSED),
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
        (1290, Trouble.BUSY),
        (1927, Trouble.LOST),
        (2013, Trouble.LOST),
        (1213, Trouble.AGAIN),
        (1054, Trouble.REFUSED),
    ],
)
def test_of_mariadb(number: int, trouble: Trouble) -> None:
    """By its number: full, full, too many connections, read-only; killed, gone; a deadlock; a defect."""
    assert MARIADB.trouble(pymysql.err.OperationalError(number, "")) is trouble
