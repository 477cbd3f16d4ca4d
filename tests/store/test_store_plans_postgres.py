"""Every hot statement on a busy PostgreSQL: no scan of a large table, and few pages touched.

What is touched is counted by the server: shared blocks hit and read, one for each page of a table or index.
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
from support.calls import CALLS, file, values

pytestmark = pytest.mark.services

#: Pages that a call with a batch of 20 may touch; a walk along the tasks' primary key touches 2,000.
PAGES = 1_500
#: Calls that touch more than their batch, and why they may.
KNOWN_WORK = {
    "candidates": 5_500,  # 1,000 tasks at most, each with a page of its own and four of its key
    "suspects": 5_500,
    "startable_suspects": 2_000,  # sorts all suspects of the queue: the largest groups come first
    "orphans": 25_000,  # reads what runs, and each row's session
}
RUN = [name for name in CALLS if name not in ("blob", "data")]
#: Read whole where the planner likes: a few pages.
SMALL = {"worker"}


@pytest.fixture(scope="module")
def url() -> str:
    """The busy database, of which nobody gathers statistics."""
    address = servers.fresh_url("postgres", "crowd")
    migrate.upgrade(Database(address))
    driver = choose(address)
    with closing(driver.connect()) as connection:
        connection.execute("SET statement_timeout = 0")
        for table in schema.metadata.tables:
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        with driver.module.ClientCursor(connection) as cursor:
            crowd.populate(cursor, _pyformat)
    return address


@pytest.fixture(scope="module", params=["custom", "analysed", "generic"])
def connection(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    """A connection without statistics (as after the first rush), with, and with plans for any parameter."""
    with closing(choose(url).connect()) as one:
        if request.param != "custom":
            one.execute("SET statement_timeout = 0")
            one.execute("VACUUM ANALYZE")
        if request.param == "generic":
            one.execute("SET plan_cache_mode = force_generic_plan")
        yield one


def plans(connection: Any, name: str) -> list[dict[str, Any]]:
    """The plans of a call's statements as they were run; what they wrote is taken back."""
    found = []
    connection.execute("BEGIN")
    for statement in script("postgres", file(name)):
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        found.append(connection.execute(explained, values(name)).fetchone()[0][0]["Plan"])
    connection.execute("ROLLBACK")
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def pages(plan: dict[str, Any]) -> int:
    """A writing CTE that nobody reads runs after the rest, and is not in the sum at the top."""
    late = [one for one in nodes(plan) if one["Node Type"] == "ModifyTable" and "Subplan Name" in one]
    return sum(one["Shared Hit Blocks"] + one["Shared Read Blocks"] for one in (plan, *late))


@pytest.mark.parametrize("name", RUN)
def test_the_work_is_that_of_the_batch(connection: Any, name: str) -> None:
    """With 50,000 tasks beside it, a call touches no more pages than its batch asks for."""
    touched = sum(pages(plan) for plan in plans(connection, name))
    assert touched <= KNOWN_WORK.get(file(name), PAGES)


@pytest.mark.parametrize("name", RUN)
def test_no_statement_scans_a_table(connection: Any, name: str) -> None:
    """Batches are read whole; tables are searched."""
    every = [one for plan in plans(connection, name) for one in nodes(plan)]
    scanned = {one["Relation Name"] for one in every if one["Node Type"] == "Seq Scan"}
    assert not scanned & (set(schema.metadata.tables) - SMALL)


@pytest.mark.parametrize("name", ["candidates", "startable", "suspects", "startable_suspects"])
def test_a_claim_reads_its_own_index(connection: Any, name: str) -> None:
    """Pending tasks come in the order of the index; only suspects are sorted, by the size of their groups."""
    [plan] = plans(connection, name)
    every = list(nodes(plan))
    assert "task_claim" in {one.get("Index Name") for one in every}
    assert ("suspects" in name) or not [one for one in every if "Sort" in one["Node Type"]]


@pytest.mark.parametrize("name", ["candidates", "suspects"])
def test_a_claim_locks_what_it_takes_and_no_more(connection: Any, url: str, name: str) -> None:
    """Another session finds every other pending task unlocked."""
    every = "SELECT id FROM task WHERE status = 'pending' FOR UPDATE SKIP LOCKED"
    [statement] = script("postgres", name)
    with closing(choose(url).connect()) as other:
        connection.execute("BEGIN")
        taken = connection.execute(statement, values(name)).fetchall()
        free = {row[0] for row in other.execute(every)}
        connection.execute("ROLLBACK")
    assert len(taken) == 64
    assert len(free) == crowd.SIZES["pending"] - 64
    assert not free & {row[0] for row in taken}


def test_the_measure_sees_a_scan(connection: Any) -> None:
    """A condition that no index serves is over the bound."""
    trap = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM task WHERE body_hash = 'none'"
    [[found]] = connection.execute(trap).fetchone()
    assert pages(found["Plan"]) > PAGES
