"""Every hot statement on a busy PostgreSQL: no scan of a large table, and few pages touched.

What is touched is counted by the server: shared blocks hit and read, one for each page of a table or index.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from duly.store import migrate, schema
from duly.store.database import Database
from duly.store.driver import choose
from duly.store.transaction import _pyformat, script
from support import crowd, servers
from support.calls import CALLS, file, pruning, spoken, values
from support.looks import LOOKS, WALKED

pytestmark = pytest.mark.services

#: Pages that a call with a batch of 20 may touch; a walk along the tasks' primary key touches 2,000.
PAGES = 1_500
#: Calls that touch more than their batch, and why they may.
KNOWN_WORK = {
    "unblock": 2_600,  # twenty rows enter the indexes of what is pending, each at a head that is looked up
    "complete": 1_900,  # ends 64 tasks: all that is written, in one statement
    "candidates": 5_500,  # 1,000 tasks at most, each with a page of its own and four of its key
    "suspects": 5_500,
    "take": 7_000,  # candidates, and all that is written
    "startable_suspects": 2_000,  # sorts all suspects of the queue: the largest groups come first
    "orphans": 25_000,  # reads what runs, and each row's session
}
#: In a table of one shape: a claim writes its rows, their attempts and their events in the one statement; an
#: end asks for each task whether its owner has endpoints.
SHAPED_PAGES = {"take": 2_000, "complete": 1_700}
#: Rows that a call may look at; a batch of 20 against 10,000 tasks, the wrong way round, is 200,000.
ROWS = 15_000
LOOKED_AT = (
    *("Actual Rows", "Rows Removed by Filter"),
    *("Rows Removed by Join Filter", "Rows Removed by Index Recheck"),
)
KNOWN_ROWS = {
    "orphans": 35_000,  # reads what runs, once, and passes it on
    "limit_care.look": 35_000,  # verifies each limit against all that runs
}
ANALYSE = ("VACUUM ANALYZE",)
REST = crowd.REST
#: Tables that hold one thing alone, as steps that fill them; what the planner knows is what stood there at
#: the last ANALYZE, if there was one.
SHAPES: dict[str, tuple[dict[str, int] | tuple[str, ...], ...]] = {
    "pending": (crowd.PENDING, REST),
    "pending, analysed": (crowd.PENDING, REST, ANALYSE),
    "few pending": (crowd.ENDED, crowd.FEW_PENDING, REST),
    "few pending, analysed": (crowd.ENDED, crowd.FEW_PENDING, REST, ANALYSE),
    "running": (crowd.RUNNING, REST),
    "running, analysed": (crowd.RUNNING, REST, ANALYSE),
    "pending, analysed empty": (ANALYSE, crowd.PENDING, REST),
    "pending, analysed when all had ended": (crowd.ENDED, ANALYSE, crowd.PENDING, REST),
    "running, analysed when all had ended": (crowd.ENDED, ANALYSE, crowd.RUNNING, REST),
}
#: What readers run too, under their own settings.
READ = [
    "deliveries_adrift",
    "delivery_due",
    "due",
    "expired",
    "held_by",
    "orphans",
    "recalled",
    "sending_by",
    "startable",
]
NAMED = re.compile(r"%\((\w+)\)s")
RUN = [name for name in CALLS if name not in ("blob", "data")]
#: Read whole where the planner likes: a few pages.
SMALL = {"worker"}


@contextmanager
def unwatched(name: str) -> Iterator[tuple[str, Any]]:
    """An empty schema of which nobody gathers statistics: its URL, and a cursor to fill it."""
    address = servers.fresh_url("postgres", name)
    migrate.upgrade(Database(address))
    driver = choose(address)
    with closing(driver.connect()) as connection:
        connection.execute("SET statement_timeout = 0")
        for table in schema.metadata.tables:
            connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        with driver.module.ClientCursor(connection) as cursor:
            yield address, cursor


@pytest.fixture(scope="module")
def url() -> str:
    """The busy database."""
    with unwatched("crowd") as (address, cursor):
        crowd.populate(cursor, _pyformat)
    return address


@pytest.fixture(scope="module", params=["unknown", "analysed"])
def connection(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    """A writer's connection without statistics (as after the first rush), and with."""
    with closing(choose(url).connect()) as one:
        if request.param == "analysed":
            one.execute("SET statement_timeout = 0")
            one.execute("VACUUM ANALYZE")
        yield one


@pytest.fixture(scope="module", params=SHAPES)
def shaped(request: pytest.FixtureRequest) -> str:
    """The URL of a database of that shape."""
    with unwatched(f"shape{list(SHAPES).index(request.param)}") as (address, cursor):
        crowd.populate_shape(cursor, _pyformat, SHAPES[request.param])
    return address


@pytest.fixture(scope="module")
def writing(shaped: str) -> Iterator[Any]:
    """A writer's connection to it."""
    with closing(choose(shaped).connect()) as one:
        yield one


@pytest.fixture(scope="module")
def reading(shaped: str) -> Iterator[Any]:
    """A reader's."""
    with closing(choose(shaped).connect(read_only=True)) as one:
        yield one


@pytest.fixture(scope="module")
def early() -> Iterator[Any]:
    """A writer's connection that made its plans for empty tables, a second before 20,000 tasks came."""
    with unwatched("early") as (address, cursor), closing(choose(address).connect()) as one:
        cursor.execute("VACUUM ANALYZE")
        for name in RUN:
            prepare(one, name)
        crowd.populate_shape(cursor, _pyformat, (crowd.PENDING, crowd.RUNNING, REST))
        choose(address).begin(one)
        one.execute("ROLLBACK")
        yield one


def plans(connection: Any, name: str) -> list[dict[str, Any]]:
    """The plans of a call's statements for these parameters, as behind a pooler, which prepares nothing."""
    return ran(connection, [(statement, values(name)) for statement in script("postgres", file(name))])


def prepare(connection: Any, name: str) -> None:
    """Makes the plans of a call's statements that serve any parameters, as the writer does."""
    for number, (statement, given) in enumerate(numbered(name)):
        types = ["bigint" if isinstance(one, int) else "unknown" for one in given]
        connection.execute(f"PREPARE {plan_name(name, number)} {listed(types)} AS {statement}")
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(f"EXPLAIN {execution(name, number, given)}", given)


def prepared_plans(connection: Any, name: str) -> list[dict[str, Any]]:
    """Those plans, as they were run."""
    every = [(execution(name, number, given), given) for number, (_, given) in enumerate(numbered(name))]
    return ran(connection, every)


def numbered(name: str) -> Iterator[tuple[str, list[Any]]]:
    """A call's statements as PREPARE wants them, each with its values."""
    given = values(name)
    for statement in script("postgres", file(name)):
        names = list(dict.fromkeys(NAMED.findall(statement)))
        places = {one: f"${place}" for place, one in enumerate(names, 1)}
        yield statement % places, [given[one] for one in names]


def plan_name(name: str, number: int) -> str:
    return f"call_{RUN.index(name)}_{number}"


def execution(name: str, number: int, given: Sequence[Any]) -> str:
    return f"EXECUTE {plan_name(name, number)} {listed(['%s'] * len(given))}"


def listed(words: Sequence[str]) -> str:
    return f"({', '.join(words)})" if words else ""


def ran(connection: Any, statements: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The plans of statements as they were run; what they wrote is taken back."""
    found = []
    with psycopg.ClientCursor(connection) as cursor, connection.transaction(force_rollback=True):
        for statement, given in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", given)
            found += [one[0]["Plan"] for (one,) in cursor]
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def pages(plan: dict[str, Any]) -> int:
    """A writing CTE that nobody reads runs after the rest, and is not in the sum at the top."""
    late = [one for one in nodes(plan) if one["Node Type"] == "ModifyTable" and "Subplan Name" in one]
    return sum(one["Shared Hit Blocks"] + one["Shared Read Blocks"] for one in (plan, *late))


def rows(plan: dict[str, Any]) -> int:
    """The rows that its nodes have looked at: those given on, and those left out."""
    return sum(
        int(one["Actual Loops"]) * sum(int(one.get(kind, 0)) for kind in LOOKED_AT) for one in nodes(plan)
    )


def touched(made: list[dict[str, Any]]) -> tuple[int, int]:
    """Pages and rows."""
    return sum(pages(plan) for plan in made), sum(rows(plan) for plan in made)


def bounds(name: str) -> tuple[int, int]:
    """What a batch may ask for."""
    return SHAPED_PAGES.get(file(name), PAGES), KNOWN_ROWS.get(name, ROWS)


def too_dear(
    made: Callable[[Any, str], list[dict[str, Any]]], connection: Any, name: str, bound: tuple[int, int]
) -> list[tuple[int, int]]:
    """What three runs touched, if none kept to the bound.

    A transaction that just runs in another database of the server keeps what tests before this one took back
    from being passed over: such a walk says nothing of the plan, and the next one is short.
    """
    found: list[tuple[int, int]] = []
    while len(found) < 3:
        work = touched(made(connection, name))
        if work[0] <= bound[0] and work[1] <= bound[1]:
            return []
        found.append(work)
    return found


@pytest.mark.parametrize("name", RUN)
def test_no_shape_of_the_table_makes_a_call_dear(writing: Any, name: str) -> None:
    """Whatever stands in the table, whatever the planner believes of it: the work is that of the batch."""
    assert too_dear(plans, writing, name, bounds(name)) == []


@pytest.mark.parametrize("name", RUN)
def test_no_shape_makes_a_prepared_call_dear(writing: Any, name: str) -> None:
    """The same of plans for any parameters."""
    prepare(writing, name)
    assert too_dear(prepared_plans, writing, name, bounds(name)) == []


@pytest.mark.parametrize("name", RUN)
def test_a_plan_for_empty_tables_is_made_anew(early: Any, name: str) -> None:
    """A plan serves for a second, not until the next ANALYZE: ten thousand tasks come sooner."""
    assert too_dear(prepared_plans, early, name, bounds(name)) == []


def test_a_plan_serves_for_a_second(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within it the writer's transactions make no plan twice."""
    driver, now = choose(url), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with closing(driver.connect()) as one:
        begun = [_planned_in(driver, one, now, seconds) for seconds in (0, 0.5, 0.6, 0.3)]
    assert begun == [True, False, True, False]


def _planned_in(driver: Any, connection: Any, now: list[float], seconds: float) -> bool:
    """Whether a transaction that begins so much later discards the plans."""
    now[0] += seconds
    before = connection.plans_until
    driver.begin(connection)
    connection.execute("ROLLBACK")
    return bool(connection.plans_until != before)


@pytest.mark.parametrize("name", READ)
def test_no_shape_makes_a_look_dear(reading: Any, name: str) -> None:
    """Nor what the readers ask again and again."""
    assert too_dear(plans, reading, name, bounds(name)) == []


@pytest.mark.parametrize("name", RUN)
def test_the_work_is_that_of_the_batch(connection: Any, name: str) -> None:
    """With 50,000 tasks beside it, a call touches no more pages than its batch asks for."""
    bound = KNOWN_WORK.get(file(name), PAGES), sys.maxsize
    assert too_dear(plans, connection, name, bound) == []


@pytest.mark.parametrize("name", RUN)
def test_no_statement_scans_a_table(connection: Any, name: str) -> None:
    """Batches are read whole; tables are searched."""
    every = [one for plan in plans(connection, name) for one in nodes(plan)]
    scanned = {one["Relation Name"] for one in every if one["Node Type"] == "Seq Scan"}
    assert not scanned & (set(schema.metadata.tables) - SMALL)


@pytest.mark.parametrize("name", ["candidates", "startable", "suspects", "startable_suspects"])
def test_a_claim_reads_its_own_index(connection: Any, name: str) -> None:
    """Pending tasks come in the order of the index; only suspects are sorted, by the size of their groups."""
    [*_, plan] = plans(connection, name)
    every = list(nodes(plan))
    assert "task_claim" in {one.get("Index Name") for one in every}
    assert ("suspects" in name) or not [one for one in every if "Sort" in one["Node Type"]]


@pytest.mark.parametrize("name", ["candidates", "suspects", "take"])
def test_a_claim_locks_what_it_takes_and_no_more(connection: Any, url: str, name: str) -> None:
    """Another session finds every other pending task unlocked."""
    every = "SELECT id FROM task WHERE status = 'pending' FOR UPDATE SKIP LOCKED"
    [statement] = script("postgres", name)
    with closing(choose(url).connect()) as other:
        connection.execute("BEGIN")
        taken = connection.execute(statement, values(name)).fetchall()
        free = {row[0] for row in other.execute(every)}
        connection.execute("ROLLBACK")
    assert len(taken) == values(name)["free"]
    assert len(free) == crowd.SIZES["pending"] - len(taken)
    assert not free & {row[1 if name == "take" else 0] for row in taken}


def test_a_deletion_searches_every_table(connection: Any, url: str) -> None:
    """Of a batch of ended tasks and all that belongs to them nothing is looked for by a scan."""
    made = ran(connection, pruning(url))
    assert not [one for plan in made for one in nodes(plan) if one["Node Type"] == "Seq Scan"]
    assert sum(map(pages, made)) <= 3 * PAGES


@pytest.mark.parametrize("name", LOOKS)
def test_no_look_scans_a_table(connection: Any, url: str, name: str) -> None:
    """What Core asks, now and then or of each task, is searched for too, and is little work."""
    made = ran(connection, spoken(url, LOOKS[name]))
    scanned = {one["Relation Name"] for plan in made for one in nodes(plan) if one["Node Type"] == "Seq Scan"}
    assert made
    assert not scanned - {WALKED.get(name)}
    work, bound = touched(made), bounds(name)
    assert work[0] <= bound[0]
    assert work[1] <= bound[1]


def test_the_measure_sees_a_scan(connection: Any) -> None:
    """A condition that no index serves is over the bound."""
    trap = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM task WHERE body_hash = 'none'"
    [[found]] = connection.execute(trap).fetchone()
    assert pages(found["Plan"]) > PAGES
