"""What a claim of 64, its finish and a submit cost behind 10 thousand to a million pending tasks, beside a
million finished ones, and while somebody holds an old snapshot for a minute of work, so that nothing can be
cleaned up. The rows are made by the database itself; the calls go through Duly's writer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from duly_system import DulySystem
from handlers import duly
from measure import percentiles_ms
from metrics import Sizes, begin

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import claims, heads, schema, sessions
from duly.store.transaction import script

T = TypeVar("T")
BATCH = 64
#: Enough to come by every owner's pages more than once.
ROUNDS = 60
SUBMITS = 50
#: Tasks per second while a snapshot is held.
PER_SECOND = 500
#: Rows of one INSERT: it must end before Duly's own statement timeout.
CHUNK = 20_000
#: Owners whose tasks follow each other are no neighbours in an index: the two have no divisor in common.
OWNERS, STRIDE = 1000, 617
DAY_MS = 86_400_000
FOLDERS = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mariadb"}
EXPLAIN = {
    "sqlite": "EXPLAIN QUERY PLAN",
    "postgresql": "EXPLAIN (ANALYZE, BUFFERS)",
    "mysql": "ANALYZE FORMAT=JSON",
}
#: What a connection must be told that makes a million rows, or looks once and then waits.
PATIENT = {
    "postgresql": "SET idle_in_transaction_session_timeout = 0",
    "mysql": "SET SESSION max_recursive_iterations = 100000, max_statement_time = 0,"
    " idle_transaction_timeout = 0",
}


async def backlog(system: DulySystem, sizes: Sizes) -> dict[str, Any]:
    """Medians in milliseconds per depth, and the claim's plan at the greatest depth."""
    await system.setup()
    bench = Bench(await system.open())
    figures: dict[str, Any] = {}
    noise, there = begin(system), 0
    await bench.start()
    for depth in sizes.backlog:
        bench.add(there, depth - there, "pending")
        system.rest()
        figures |= await bench.measured(f"{depth}_pending")
        there = depth
    figures["plan"] = bench.plan()
    bench = await _fresh(system, sizes.backlog[0])
    bench.add(sizes.backlog[0], sizes.backlog[-1], "completed")
    system.rest()
    figures |= await bench.measured(f"{sizes.backlog[-1]}_finished")
    bench = await _fresh(system, sizes.backlog[0])
    system.rest()
    figures |= await bench.measured("before_snapshot")
    with bench.snapshot():
        figures["turned_over"] = await bench.turn_over(sizes.held_seconds)
        figures |= await bench.measured("snapshot_held")
    return figures | noise.figures()


async def _fresh(system: DulySystem, pending: int) -> Bench:
    await system.setup()
    bench = Bench(await system.open())
    await bench.start()
    bench.add(0, pending, "pending")
    return bench


class Bench:
    """One database of Duly, a session to claim for, and clocks around the calls."""

    def __init__(self, app: Any) -> None:
        self._database = app.database
        self._engine = app.database.engine()
        self._name = self._engine.dialect.name
        self._lane = claims.Lane(types=tuple(sorted(kind.name for kind in app.registry)), free=BATCH)

    async def start(self) -> None:
        """Opens the session."""
        session = sessions.Session(id="bench", host="bench", pid=1, queues=("default",))
        await self._database.write(sessions.start, session)

    def add(self, first: int, count: int, status: str) -> None:
        """Adds tasks with the numbers from `first`, each with a small input."""
        with self._engine.connect() as connection:
            if self._name in PATIENT:
                connection.exec_driver_sql(PATIENT[self._name])
            for start in range(first, first + count, CHUNK):
                number = _numbers(start, min(start + CHUNK, first + count))
                id_ = _text(self._name, number)
                _insert(connection, schema.task, _task(id_, number, status))
                _insert(connection, schema.task_data, _input(id_))

    async def measured(self, what: str) -> dict[str, float]:
        """Medians of claim, finish and submit."""
        seconds: dict[str, list[float]] = {"claim": [], "finish": [], "submit": []}
        for _ in range(ROUNDS):
            claimed = await _timed(seconds["claim"], self._claim)
            await _timed(seconds["finish"], functools.partial(self._finish, claimed))
        for _ in range(SUBMITS):
            await _timed(seconds["submit"], lambda: duly.submit("noop", {"x": 0.0}))
        return {f"{name}_{what}_ms": percentiles_ms(found)["p50_ms"] for name, found in seconds.items()}

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """A reader that looked once and does not end, as a long report or a forgotten session."""
        driver = self._database.driver
        connection = driver.connect(read_only=True)
        cursor = connection.cursor()
        if self._name in PATIENT:
            cursor.execute(PATIENT[self._name])
        driver.begin(connection, read_only=True)
        cursor.execute("SELECT count(*) FROM worker")
        cursor.fetchall()
        try:
            yield
        finally:
            connection.close()

    async def turn_over(self, seconds: float) -> int:
        """Submits, claims and finishes at a steady pace; answers how many tasks."""
        begun, count = time.monotonic(), 0
        while (now := time.monotonic()) < begun + seconds:
            await duly.submit_many([("noop", {"x": 0.0})] * BATCH)
            await self._finish(await self._claim())
            count += BATCH
            await asyncio.sleep(max(0.0, begun + count / PER_SECOND - now))
        return count

    async def _claim(self) -> list[Claimed]:
        request = claims.ClaimRequest(session="bench", queues=("default",), lanes=(self._lane,))
        claimed: list[Claimed] = await self._database.write(claims.claim, request, last=True)
        if len(claimed) != BATCH:
            raise RuntimeError(f"a claim brought {len(claimed)} tasks, not {BATCH}")
        return claimed

    async def _finish(self, claimed: list[Claimed]) -> None:
        await self._database.write_many(claims.finish, [_end(one) for one in claimed])

    def plan(self) -> list[str]:
        """How the database finds the candidates of a claim."""
        [statement] = script(FOLDERS[self._name], "candidates")
        places = heads.given("default", heads.FRONT)
        values = {**places, "places": json.dumps(heads.FRONT), "free": BATCH, "now": 1}
        values["batch"] = json.dumps(self._lane.types)
        with self._engine.connect() as connection:
            rows = connection.exec_driver_sql(f"{EXPLAIN[self._name]} {statement}", values)
            return [" ".join(str(row[-1]).split()) for row in rows]


async def _timed(seconds: list[float], call: Callable[[], Awaitable[T]]) -> T:
    start = time.perf_counter()
    answer = await call()
    seconds.append(time.perf_counter() - start)
    return answer


def _end(one: Claimed) -> claims.Finish:
    return claims.Finish(
        id=one.id,
        attempt=one.attempt,
        target=Status.COMPLETED,
        event=EventType.COMPLETED,
        outcome="completed",
        result="0.0",
    )


def _numbers(start: int, end: int) -> sa.ColumnElement[int]:
    number = sa.select(sa.literal(start).label("n")).cte("numbers", recursive=True)
    return number.union_all(sa.select(number.c.n + 1).where(number.c.n < end - 1)).c.n


def _text(dialect: str, number: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    """An id of 36 digits; those of submitted tasks sort behind it."""
    if dialect == "sqlite":
        return sa.func.printf("%036d", number)
    return sa.func.lpad(sa.cast(number, sa.Text), 36, "0")


def _task(id_: sa.ColumnElement[str], number: sa.ColumnElement[int], status: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": id_, "task_type": "noop", "queue": "default", "status": status}
    owner = sa.literal("o") + sa.cast(number * STRIDE % OWNERS, sa.Text)
    row |= {"owner": owner, "rank": 6, "fair_at": number}
    row |= {"max_retries": 3, "timeout_ms": 600_000, "body_hash": "", "metadata": "{}"}
    row |= {"touched_at": 1, "created_at": 1}
    if status == "completed":
        row |= {"completed_at": 1, "expires_at": round(time.time() * 1000) + DAY_MS}
    return row


def _input(id_: sa.ColumnElement[str]) -> dict[str, Any]:
    return {"task_id": id_, "kind": "input", "part": 0, "text": '{"x":0.0}'}


def _insert(connection: sa.Connection, table: sa.Table, row: dict[str, Any]) -> None:
    values = [one if isinstance(one, sa.ColumnElement) else sa.literal(one) for one in row.values()]
    connection.execute(sa.insert(table).from_select(list(row), sa.select(*values)))
