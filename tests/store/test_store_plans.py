"""Every hot statement on a busy database: the intended index, no scan, and work that is the batch's only."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from duly.store import retention, schema, sqlite
from duly.store.transaction import script
from support import crowd
from support.calls import file, on, pruning, spoken, values
from support.looks import LOOKS, WALKED

#: Virtual machine steps that a call with a batch of 20 may take; one scan of a table takes more than 100,000.
STEPS = 25_000
CALLS = on("sqlite")
#: Calls that read more than their batch, and why they may.
KNOWN_WORK = {
    "candidates#of an unknown type": 30_000,  # puts together what 1,000 tasks ask of a worker: type, version
    "startable#of an unknown type": 30_000,  # the same
    "delivery_due": 60_000,  # orders up to 500 due deliveries by target
    "held_by": 80_000,  # reads what runs: an index on worker_id would be paid for by each claim and finish
    "limit_care.forget": 60_000,  # looks at each key
    "limit_care.look": 300_000,  # verifies each limit against all that runs
    "orphans": 150_000,  # reads what runs, as above, and each row's session
    "session_held": 150_000,  # reads what runs once per session that died
}
SCAN = re.compile(r"^SCAN (\w+)(?! VIRTUAL TABLE)")
INDEX = re.compile(r"(?<!AUTOMATIC COVERING )INDEX (?:sqlite_autoindex_)?(\w+?)(?:_1)? \(")


#: The indexes that a file's plan names; a table's own name stands for its primary key.
MOVING = {"task", "task_claim", "attempt", "partial", "delivery_task"}
INTENDED = {
    "bereft": set(),
    "blob": set(),
    "block": {"task"},
    "blocked": {"task_blocked"},
    "blocked_first": {"task_blocked"},
    "body": {"task_data"},
    "buckets_make": set(),
    "cancel_request": {"task"},
    "candidates": {"task_claim"},
    "claim": {"task", "task_data"},
    "complete": MOVING - {"task_claim"} | {"endpoint_owner"},
    "data": set(),
    "deliveries_adrift": {"delivery_clock", "worker"},
    "deliveries_orphaned": {"delivery_clock", "worker", "task"},
    "delivery_body": {"delivery"},
    "delivery_claim": {"delivery", "worker"},
    "delivery_due": {"delivery_clock", "delivery_endpoint", "endpoint", "endpoint_ordered"},
    "delivery_last": {"delivery_task"},
    "delivery_recall": {"delivery_task"},
    "delivery_reopen": {"delivery"},
    "delivery_settle": {"delivery"},
    "endpoint_heads": {"endpoint", "delivery_endpoint"},
    "due": {"limits_clock", "task_clock"},
    "events": {"task"},
    "expired": {"task_expiry"},
    "facts": {"task"},
    "fence": {"task"},
    "gates_make": set(),
    "held_by": {"task_held"},
    "hold": {"task"},
    "key_find": {"api_key"},
    "limits_known": set(),
    "limits_lock": {"limits"},
    "limits_make": {"limits"},
    "limits_there": {"limits"},
    "limits_try": {"limits"},
    "limits_write": {"limits"},
    "login_find": {"web_session", "api_key"},
    "named": {"task"},
    "notify": {"delivery"},
    "owe": set(),
    "owed_to": {"task", "endpoint_owner", "delivery_task"},
    "orphans": {"task_clock", "worker"},
    "partials": set(),
    "paused": {"queue"},
    "queue_known": set(),
    "quotas": {"limits_quota"},
    "recalled": {"step"},
    "refer": {"upload"},
    "rounds": {"attempt"},
    "renew": {"worker"},
    "sender": {"worker_living"},
    "sending_by": {"delivery_clock"},
    "session_alive": {"worker"},
    "session_end": {"worker_living"},
    "session_held": {"worker", "task_held"},
    "session_leave": {"worker"},
    "session_start": {"limits", "queue"},
    "session_unrenewed": {"worker"},
    "sessions_expired": {"worker_living"},
    "spend": set(),
    "steps": set(),
    "submit": {"task", "task_idempotency", "task_claim", "task_ticket", "share", "delivery_task"},
    "submit_plain": {"task", "task_claim", "task_ticket", "share"},
    "submitted": {"task", "task_idempotency", "task_unique"},
    "suspects": {"task_claim"},
    "texts": set(),
    "touch": {"task"},
    "share_set": set(),
    "startable": {"task_claim"},
    "startable_suspects": {"task_claim"},
    "transition": MOVING,
    "unblock": {"task", "task_claim"},
    "upload": set(),
    "waited": {"task_claim"},
    "waiting": {"task_claim"},
}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    """The busy database's file."""
    path = Path(shutil.copy(blank, tmp_path_factory.mktemp("crowd") / "crowd.db"))
    with closing(sqlite.connect(path, "DELETE")) as connection:
        crowd.populate(connection)
    return path


@pytest.fixture(scope="module", params=["fresh", "analysed"])
def connection(request: pytest.FixtureRequest, crowded: Path) -> Iterator[Any]:
    """A connection to it, without statistics (as Duly runs) and with (as an operator may leave it)."""
    path = Path(shutil.copy(crowded, crowded.with_name(f"{request.param}.db")))
    with closing(sqlite.connect(path, "DELETE")) as one:
        if request.param == "analysed":
            one.execute("ANALYZE")
        yield one


def plan(connection: Any, name: str) -> list[str]:
    """The plan's lines of all statements of a file."""
    statements = script("sqlite", file(name))
    given = [(None,) * text.count("?") if "?" in text else values(name) for text in statements]
    explained = zip(statements, given, strict=True)
    return [
        row[3] for text, one in explained for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", one)
    ]


def test_every_statement_file_is_called_here() -> None:
    """A new file comes with its plan test."""
    files = resources.files("duly.store").joinpath("sql", "sqlite").iterdir()
    assert {one.name.removesuffix(".sql") for one in files} == {file(name) for name in CALLS}


@pytest.mark.parametrize("name", CALLS)
def test_no_statement_scans_a_table(connection: Any, name: str) -> None:
    """Batches and sessions are read whole; tables are searched."""
    scanned = {match.group(1) for line in plan(connection, name) if (match := SCAN.match(line))}
    assert not scanned & set(schema.metadata.tables)


@pytest.mark.parametrize("name", CALLS)
def test_every_statement_uses_the_index_meant_for_it(connection: Any, name: str) -> None:
    """And no other: the planner's second choice was 131 times slower once."""
    used = {match.group(1) for line in plan(connection, name) for match in INDEX.finditer(line)}
    assert used == INTENDED[file(name)]


def steps(connection: Any, name: str) -> int:
    """How many steps of SQLite's virtual machine a call takes."""
    return machine_steps(connection, [(text, values(name)) for text in script("sqlite", file(name))])


def machine_steps(connection: Any, calls: list[tuple[str, dict[str, Any]]]) -> int:
    """Counts, to ten exactly; what was written is taken back."""
    counted = itertools.count()
    connection.execute("BEGIN IMMEDIATE")
    connection.set_progress_handler(lambda: next(counted) < 0, 10)
    try:
        for text, given in calls:
            connection.execute(text, given).fetchall()
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
    return 10 * next(counted)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ("blob", "data")])
def test_the_work_is_that_of_the_batch(connection: Any, name: str) -> None:
    """With 50,000 tasks beside it, a call does no more than its batch asks for."""
    assert steps(connection, name) <= KNOWN_WORK.get(name, STEPS)


@pytest.mark.parametrize("index", ["task_claim", "task_ticket"])
def test_a_claim_writes_no_page_of_each_owner(connection: Any, index: str) -> None:
    """The index by which tickets are given is not touched; that of what is pending is."""
    statement = script("sqlite", "claim")[0]
    written = {
        row[3] for row in connection.execute(f"EXPLAIN {statement}", values("claim")) if row[1] == "OpenWrite"
    }
    [[page]] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,))
    assert (page in written) is (index == "task_claim")


def test_the_measure_sees_a_scan(connection: Any) -> None:
    """The plain form of the fence, from which the planner takes the wrong index, is far over the bound."""
    trap = "SELECT count(*) FROM task WHERE +status = 'running'"
    assert machine_steps(connection, [(trap, {})]) > 4 * STEPS


def test_what_belongs_to_a_task_is_found_by_an_index() -> None:
    """Or each deleted task would scan the tables that name it."""
    for table in schema.metadata.tables.values():
        indexed = {index.columns.values()[0].name for index in table.indexes} | {
            next(iter(table.primary_key.columns)).name
        }
        assert ("task_id" in table.c) <= ("task_id" in indexed), table.name


def test_a_deletion_searches_every_table(connection: Any, crowded: Path) -> None:
    """Of a batch of ended tasks and all that belongs to them nothing is looked for by a scan."""
    made = pruning(f"sqlite:///{crowded}")
    lines = [
        row[3] for text, given in made for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", given)
    ]
    assert len(made) > len(retention.PARTS)
    assert not {match.group(1) for line in lines if (match := SCAN.match(line))} & set(schema.metadata.tables)


@pytest.mark.parametrize("name", LOOKS)
def test_no_look_scans_a_table(connection: Any, crowded: Path, name: str) -> None:
    """What Core asks, now and then or of each task, is searched for too, and is little work."""
    said = spoken(f"sqlite:///{crowded}", LOOKS[name])
    lines = [
        row[3] for text, given in said for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", given)
    ]
    whole = [line for line in lines if not line.endswith("INDEX task_blocked")]  # which has these alone
    scanned = {match.group(1) for line in whole if (match := SCAN.match(line))}
    assert said
    assert not scanned & (set(schema.metadata.tables) - {WALKED.get(name)})
    assert machine_steps(connection, said) <= KNOWN_WORK.get(name, STEPS)
