"""What a server is told not to wait for: a statement, a lock, a transaction that nobody goes on with.

On each way to a server: straight, and as behind a pooler, where each transaction says so for itself.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from duly.store import mariadb, postgres
from duly.store.driver import Driver, Trouble, choose
from support import servers

pytestmark = pytest.mark.services

#: Seconds that a server is told to wait, and that a test waits for it.
PATIENCE, HANGING = 1, 4.0
#: Where statements go: the kind of server, and whether as through a pooler.
WAYS = {"postgres": ("postgres", None), "pooled": ("postgres", "none"), "mariadb": ("mariadb", None)}
SLEEP = {"postgres": "SELECT pg_sleep(60)", "mariadb": "SELECT SLEEP(60)"}
HELD = "INSERT INTO queue (name, updated_at) VALUES ('held', 0)"
#: A statement took too long, and a lock did: SQLSTATEs and numbers of errors.
SLOW, LOCKED = ("57014", 1969), ("55P03", 1205)


@pytest.fixture(params=WAYS)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Of an empty database."""
    kind, listen = WAYS[request.param]
    servers.clear(servers.database_url(kind))
    return choose(servers.database_url(kind), listen_url=listen)


def hurry(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Servers are told from now on to wait for this so long, and no longer."""
    monkeypatch.setattr(postgres, f"{what}_MS", 1000 * PATIENCE)
    monkeypatch.setattr(mariadb, f"{what}_SECONDS", PATIENCE)


@contextmanager
def begun(driver: Driver) -> Iterator[Any]:
    """A writer's connection, in a transaction."""
    with closing(driver.connect()) as one:
        driver.begin(one)
        yield one


def refused(driver: Driver, connection: Any, statement: str) -> tuple[str | int | None, Trouble]:
    """With what error a statement ends, and what that means."""
    with pytest.raises(driver.module.Error) as caught:
        connection.cursor().execute(statement)
    error = caught.value
    return error.sqlstate if isinstance(error, psycopg.Error) else error.args[0], driver.trouble(error)


def test_a_slow_statement_is_ended_by_the_server(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the client that hangs up: the statement would go on and hold its locks."""
    hurry(monkeypatch, "STATEMENT")
    with begun(driver) as connection:
        error, trouble = refused(driver, connection, SLEEP[driver.dialect])
    assert error in SLOW
    assert trouble is Trouble.BUSY


def test_a_lock_is_not_waited_for_as_long_as_a_statement_may_take(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for another's row holds rows of its own: it gives them back, and tries again or says so."""
    hurry(monkeypatch, "LOCK")
    with begun(driver) as one, begun(driver) as other:
        one.cursor().execute(HELD)
        error, trouble = refused(driver, other, HELD)
    assert error in LOCKED
    assert trouble in (Trouble.BUSY, Trouble.AGAIN)


def test_a_transaction_that_nobody_goes_on_with_is_ended(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that stands still gives back what it has locked: the server hangs up, and says so."""
    hurry(monkeypatch, "IDLE")
    with begun(driver) as connection:
        line = connection._sock if driver.dialect == "mariadb" else connection
        assert select.select([line], [], [], HANGING)[0]
        assert refused(driver, connection, "SELECT 1")[1] is Trouble.LOST


@pytest.mark.parametrize("read_only", [False, True], ids=["writes", "reads"])
def test_behind_a_pooler_each_transaction_is_set_as_a_session_elsewhere(read_only: bool) -> None:
    """With all that makes its plans and its waits, and nothing of it is left behind."""
    url = servers.database_url("postgres")
    straight, behind = choose(url), choose(url, listen_url="none")
    names = list(postgres._settings(postgres.LOCK_MS, read_only=read_only))
    with closing(straight.connect(read_only=read_only)) as one, closing(behind.connect()) as other:
        plain = shown(other, names)
        wanted = shown(one, names)
        behind.begin(other, read_only=read_only)
        assert shown(other, names) == wanted != plain
        other.execute("COMMIT")
        assert shown(other, names) == plain


def shown(connection: Any, names: list[str]) -> dict[str, str]:
    return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}


def test_behind_a_pooler_nothing_is_prepared() -> None:
    """The next transaction may be another connection's, which knows no statement of ours."""
    url = servers.database_url("postgres")
    prepared = []
    for listen_url in (None, "none"):
        with closing(choose(url, listen_url=listen_url).connect()) as one:
            for number in range(5):
                one.execute("SELECT %s::int", (number,))
            query = "SELECT count(*) FROM pg_prepared_statements"
            prepared.append(one.execute(query).fetchone()[0] > 0)
    assert prepared == [True, False]


def test_behind_a_pooler_no_loop_drives_a_connection() -> None:
    """It would prepare statements, and listen on a connection that is not its own."""
    url = servers.database_url("postgres")
    without = [choose(url, listen_url=listen_url).line() is None for listen_url in (None, "none", url)]
    assert without == [False, True, True]
