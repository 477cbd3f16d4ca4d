"""Every hot statement on a busy MariaDB: no scan, the index meant for it, few rows read, no lock beside it.

What is read is counted by the server: the session's `Handler_read%`, one for each row or index entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from duly.store import migrate, schema
from duly.store.database import Database
from duly.store.driver import choose
from duly.store.transaction import _pyformat, script
from support import crowd, servers
from support.calls import file, on, pruning, spoken, values
from support.looks import LOOKS, WALKED

pytestmark = pytest.mark.services

#: Rows that a call with a batch of 20 may read; a scan of a table reads at least 10,000.
READS = 500
#: Calls that read more than their batch, and why they may.
KNOWN_WORK = {
    "candidates": 3_100,  # 1,000 places in the index, put down and then looked at: SQL has no lazy LIMIT here
    "startable": 3_100,
    "suspects": 4_000,  # sorts all suspects of the queue: the largest groups come first
    "startable_suspects": 4_000,
    "delivery_due": 6_000,  # orders up to 500 due deliveries by target
    "complete": 600,  # six statements join the same fence
    "held_by": 600,  # answers 500 tasks
}
KNOWN_LOOKS = {
    "limit_care.look": 20_000,  # verifies each limit against all that runs
    "limit_care.forget": 5_000,  # looks at each key
    "lists.front": 3_000,  # a thousand tasks, each with an entry of the index
}
#: What the statements that make a crowd are written for.
STANDARD = (
    "SET SESSION sql_mode = 'PIPES_AS_CONCAT,ANSI_QUOTES,STRICT_ALL_TABLES',"
    " max_recursive_iterations = 100000, max_statement_time = 60"
)
RUN = [name for name in on("mariadb") if name not in ("blob", "data")]
#: The index of each statement's tables is named in the file, so what is tested here is that it is obeyed.
CLAIM = ("candidates", "suspects", "startable", "startable_suspects")


@pytest.fixture(scope="module")
def url() -> str:
    """The busy database; the statistics are of the time when it was empty, and stay so."""
    address = servers.fresh_url("mariadb", "crowd")
    migrate.upgrade(Database(address))
    with closing(choose(address).connect()) as connection, connection.cursor() as cursor:
        for table in schema.metadata.tables:
            cursor.execute(f"ALTER TABLE `{table}` STATS_AUTO_RECALC = 0")
            cursor.execute(f"ANALYZE TABLE `{table}`")
        cursor.execute(STANDARD)
        crowd.populate(cursor, _pyformat)
    return address


@pytest.fixture(scope="module")
def few() -> Iterator[Any]:
    """A session of a database with three tasks of each kind: here a planner likes to begin with the table."""
    address = servers.fresh_url("mariadb", "few")
    migrate.upgrade(Database(address))
    with closing(choose(address).connect()) as connection, connection.cursor() as one:
        one.execute(STANDARD)
        crowd.populate_shape(one, _pyformat, (dict.fromkeys(crowd.SIZES, 3), crowd.REST))
    with closing(choose(address).connect()) as connection, connection.cursor() as one:
        yield one


@pytest.fixture(scope="module", params=["empty", "analysed"])
def cursor(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    """A session with statistics of an empty database (as after the first rush), and with true ones."""
    with closing(choose(url).connect()) as connection, connection.cursor() as one:
        if request.param == "analysed":
            for table in schema.metadata.tables:
                one.execute(f"ANALYZE TABLE `{table}`")
        yield one


def run(cursor: Any, name: str, prefix: str = "") -> list[list[Any]]:
    """The rows of each statement of a call; with a prefix, those of the prefixed statement run before it."""
    found = []
    for statement in script("mariadb", file(name)):
        if prefix:
            cursor.execute(prefix + statement, values(name))
            found.append(list(cursor.fetchall()))
        cursor.execute(statement, values(name))
        if not prefix:
            found.append(list(cursor.fetchall()))
    return found


def reads(cursor: Any) -> int:
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(count) for _, count in cursor.fetchall())


@pytest.mark.parametrize("name", RUN)
def test_the_work_is_that_of_the_batch(cursor: Any, name: str) -> None:
    """With 50,000 tasks beside it, a call reads no more than its batch asks for."""
    cursor.execute("BEGIN")
    before = reads(cursor)
    run(cursor, name)
    after = reads(cursor)
    cursor.execute("ROLLBACK")
    assert after - before <= KNOWN_WORK.get(file(name), READS)


@pytest.mark.parametrize("name", RUN)
def test_no_statement_scans_a_table(cursor: Any, name: str) -> None:
    """Only what a batch or an inner select made is read whole."""
    assert not read_whole(cursor, name)


@pytest.mark.parametrize("name", RUN)
def test_no_statement_scans_a_small_table(few: Any, name: str) -> None:
    """It would be quick, but it would lock all its rows, and wait for everybody who has locked one."""
    assert not read_whole(few, name)


def read_whole(cursor: Any, name: str) -> list[Any]:
    """The lines of a call's plan by which a table is read from one end to the other."""
    cursor.execute("BEGIN")
    plans = [line for plan in run(cursor, name, "EXPLAIN ") for line in plan]
    cursor.execute("ROLLBACK")
    return [line for line in plans if line[3] in ("ALL", "index") and not _made(line)]


def test_a_deletion_searches_every_table(cursor: Any, url: str) -> None:
    """Of a batch of ended tasks and all that belongs to them nothing is looked for by a scan."""
    found = []
    for statement, given in pruning(url):
        cursor.execute(f"EXPLAIN {statement}", given)
        found += cursor.fetchall()
    assert not [line for line in found if line[3] in ("ALL", "index")]


@pytest.mark.parametrize("name", LOOKS)
def test_no_look_scans_a_table(cursor: Any, url: str, name: str) -> None:
    """What Core asks, now and then or of each task, is searched for too, and is little work."""
    said, found = spoken(url, LOOKS[name]), []
    cursor.execute("BEGIN")
    for statement, given in said:
        cursor.execute(f"EXPLAIN {statement}", given)
        found += cursor.fetchall()
    before = reads(cursor)
    for statement, given in said:
        cursor.execute(statement, given)
    after = reads(cursor)
    cursor.execute("ROLLBACK")
    whole = {line[2] for line in found if line[3] in ("ALL", "index") and not _made(line)}
    assert said
    assert not whole - {WALKED.get(name)}
    assert after - before <= KNOWN_LOOKS.get(name, READS)


def _made(line: tuple[Any, ...]) -> bool:
    """Whether a line of a plan is about rows that the statement itself made, or was given."""
    table, notes = line[2], line[-1] or "VALUES"
    return "json_table" in notes or notes == "VALUES" or table.startswith("<")


@pytest.mark.parametrize("name", CLAIM)
def test_a_claim_reads_its_own_index_in_its_order(cursor: Any, name: str) -> None:
    """Pending tasks come in the order of the index; only suspects are sorted, by the size of their groups."""
    [plan] = run(cursor, name, "EXPLAIN ")
    [inner] = [line for line in plan if line[2] == "task"]
    assert inner[5] == "task_claim"
    assert "Using index" in inner[-1]
    assert ("filesort" in inner[-1]) == ("suspects" in name)
    assert not [line for line in plan if line is not inner and "filesort" in line[-1]]


@pytest.mark.parametrize("name", [name for name in RUN if "#from their places" in name])
def test_a_look_begins_at_its_place(cursor: Any, name: str) -> None:
    """Of the index of claims it reads ranges, with the ticket in their bounds (416 bytes of its key)."""
    [plan] = run(cursor, name, "EXPLAIN ")
    looks = [line for line in plan if line[2] == "task"]
    assert {(line[3], line[5], line[6]) for line in looks} == {("range", "task_claim", "416")}


@pytest.mark.parametrize("name", ["candidates", "suspects"])
def test_a_claim_locks_what_it_takes_and_no_more(cursor: Any, url: str, name: str) -> None:
    """Another session finds every other pending task unlocked."""
    every = "SELECT id FROM task WHERE status = 'pending' FOR UPDATE SKIP LOCKED"
    with closing(choose(url).connect()) as connection, connection.cursor() as other:
        cursor.execute("BEGIN")
        [taken] = run(cursor, name)
        other.execute("BEGIN")
        other.execute(every)
        free = {row[0] for row in other.fetchall()}
        other.execute("ROLLBACK")
        cursor.execute("ROLLBACK")
    assert len(taken) == 64
    assert len(free) == crowd.SIZES["pending"] - 64
    assert not free & {row[0] for row in taken}


def test_the_measure_sees_a_scan(cursor: Any) -> None:
    """A join with a key of another charset, which no index serves, is far over the bound."""
    cursor.execute("BEGIN")
    before = reads(cursor)
    cursor.execute("SELECT count(*) FROM task WHERE CONVERT(id USING latin1) = 'running-000001'")
    after = reads(cursor)
    cursor.execute("ROLLBACK")
    assert after - before > 5 * max(KNOWN_WORK.values())
