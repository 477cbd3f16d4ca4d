"""What is MariaDB's own: the driver's arguments, settings that lose tasks, packets, ids cut or padded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest

from duly.model.errors import InvalidInput, UnsupportedDatabase
from duly.model.state import Status
from duly.store import claims, journal, mariadb, submissions
from duly.store.database import join_caller
from duly.store.driver import Trouble
from duly.store.mariadb import Connection, MariaDB
from support.stores import Store, lines, request, submission

pytestmark = pytest.mark.only("mariadb")

SOUND = {
    "version": "10.11.6-MariaDB",
    "innodb_flush_log_at_trx_commit": "1",
    "max_allowed_packet": str(mariadb.PACKET),
}


@pytest.fixture
def connection(store: Store) -> Iterator[Any]:
    with closing(store.database.driver.connect()) as one:
        yield one


@pytest.mark.parametrize("more", [" ", "x", "-and-more-than-the-column-of-ids-can-hold"])
def test_an_id_with_something_behind_it_names_no_task(store: Store, more: str) -> None:
    """The server pads and cuts what it compares; a cancel must not reach a task by half of its name."""
    id_ = store.submit()
    assert store.cancel(id_ + more) is None
    assert store.status(id_) is Status.PENDING
    assert store.write(submissions.cancel, id_, id_ + more) == [Status.CANCELLED, None]


def test_a_statement_that_is_too_large_fails_alone(store: Store, connection: Any) -> None:
    """The server would hang up on it, which looks like a lost connection: the driver says no before."""
    driver = store.database.driver
    with connection.cursor() as cursor:
        with pytest.raises(driver.module.Error) as caught:
            cursor.execute("SELECT length(%s)", ("x" * mariadb.PACKET,))
        assert driver.trouble(caught.value) is Trouble.REFUSED
        cursor.execute("SELECT length(%s)", ("x" * (mariadb.PACKET - 100),))
        assert cursor.fetchone() == (mariadb.PACKET - 100,)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes to the server, text by text."""
    texts: list[Any] = []
    ask = Connection.query

    def noted(self: Connection, sql: Any, unbuffered: bool = False) -> Any:
        texts.append(sql)
        return ask(self, sql, unbuffered)

    monkeypatch.setattr(Connection, "query", noted)
    return texts


def test_a_file_of_statements_is_one_round_trip(store: Store, sent: list[Any]) -> None:
    """And so is a beginning with its clock: a submit and a claim are five each, with their commits."""
    store.running()  # what is asked once in a process
    sent.clear()
    store.submit()
    assert len(sent) == 5
    sent.clear()
    [claimed] = store.write(claims.claim, request())
    assert (len(claimed), len(sent)) == (1, 5)


@pytest.mark.parametrize(("limit", "trips"), [(100, 2), (1, 6)])
def test_what_goes_together_answers_as_it_does_apart(
    connection: Any, sent: list[Any], monkeypatch: pytest.MonkeyPatch, limit: int, trips: int
) -> None:
    """The last rows that were selected, whatever comes behind them; large values go in turn."""
    monkeypatch.setattr(mariadb, "TOGETHER", limit)
    sent.clear()
    with connection.cursor() as cursor:
        rows = cursor.run_all(("SET @a = %(a)s", "SELECT @a", "SELECT 2, '%%'", "SET @a = 3"), {"a": ";"})
        assert rows == [(2, "%")]
        assert cursor.run_all(("SET @b = 2", "SELECT @a, %(b)s"), {"b": "; 1"}) == [(3, "; 1")]
    assert len(sent) == trips


def test_an_error_behind_the_first_statement_is_raised_and_ends_the_rest(connection: Any) -> None:
    """And the connection serves on."""
    with connection.cursor() as cursor:
        cursor.execute("SET @a = 1")
        with pytest.raises(pymysql.Error, match="nowhere"):
            cursor.run_all(("SELECT 1", "SELECT * FROM nowhere", "SET @a = 2"), {})
        assert cursor.run_all(("SELECT @a",), {}) == [(1,)]


async def test_a_group_too_large_for_one_statement_is_written_call_by_call(store: Store) -> None:
    """Eight callers at the same time, each of whom fits; together they do not."""
    claimed = store.running()
    calls = [store.database.write(journal.append, lines(claimed, "x" * 3_000_000)) for _ in range(8)]
    assert await asyncio.gather(*calls) == [True] * 8
    assert store.events(claimed.id).count("log") == 8


def test_the_clock_does_not_depend_on_the_time_zone(store: Store, connection: Any) -> None:
    """A caller's session may have one, and its local time comes twice in autumn."""
    driver = store.database.driver
    before = driver.now(connection)
    connection.cursor().execute("SET SESSION time_zone = '-11:00'")
    assert 0 <= driver.now(connection) - before < 60_000


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "charset"])
def test_a_connection_that_would_garble_text_is_refused(store: Store, connection: Any, mode: str) -> None:
    """Bytes are escaped with backslashes, and text is UTF-8."""
    if mode == "charset":
        connection.set_character_set("latin1")
    else:
        connection.cursor().execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
    connection.begin()
    with pytest.raises(InvalidInput, match="utf8mb4"):
        store.database.driver.join(connection)


def test_a_connection_that_answers_dictionaries_will_do(store: Store) -> None:
    """Our cursor on it answers tuples all the same."""
    with closing(store.database.driver.connect()) as one:
        one.cursorclass = pymysql.cursors.DictCursor
        one.begin()
        cursor = store.database.driver.join(one)
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == ((1,),)


def test_a_caller_with_an_older_snapshot_finds_what_stands_for_its_key(store: Store, connection: Any) -> None:
    """REPEATABLE READ is the server's default: a plain read would miss what came since the caller began."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    id_ = store.submit(idempotency_key="k")
    tx = join_caller(store.database, connection)
    [accepted] = submissions.submit(tx, [submission(idempotency_key="k")])
    assert (accepted.id, accepted.created) == (id_, False)


def test_the_url_gives_the_arguments() -> None:
    """With a password that a URL must escape, a socket and TLS; no password is shown."""
    driver = MariaDB("mysql://ann:p%40ss@db:3307/work?charset=latin1&unix_socket=/run/s&ssl_verify_cert=true")
    told = driver._arguments
    assert (told["user"], told["password"], told["port"]) == ("ann", "p@ss", 3307)
    assert (told["unix_socket"], told["ssl_verify_cert"], "charset" in told) == ("/run/s", True, False)
    assert driver.place == "mysql://db:3307/work"


def test_connections_that_ask_for_no_tls_share_what_is_dear_to_make() -> None:
    """The authorities of the machine are read once; one that asks for proof has its own."""
    one, other, own = (Connection(defer_connect=True, **told) for told in ({}, {}, {"ssl_verify_cert": True}))
    assert one.ctx is other.ctx
    assert own.ctx is not one.ctx


@pytest.mark.parametrize("url", ["mysql://localhost", "mysql://localhost/work?speed=high"])
def test_a_url_that_says_too_little_or_too_much_is_refused(url: str) -> None:
    """With what could be written instead."""
    with pytest.raises(UnsupportedDatabase, match="DULY_DATABASE_URL"):
        MariaDB(url)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"innodb_flush_log_at_trx_commit": "2"}, "innodb_flush_log_at_trx_commit"),
        ({"log_bin": "ON", "sync_binlog": "0"}, "sync_binlog"),
        ({"wsrep_on": "ON"}, "Galera"),
        ({"max_allowed_packet": "1048576"}, "max_allowed_packet"),
    ],
)
def test_settings_that_can_lose_tasks_are_told(changed: dict[str, str], word: str) -> None:
    """One warning each; a sound server has none."""
    assert mariadb._warnings(SOUND) == []
    [warning] = mariadb._warnings(SOUND | changed)
    assert word in warning
