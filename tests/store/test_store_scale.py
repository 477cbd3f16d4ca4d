"""What an autoscaler asks: right counts, from the indexes of what has not ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.calendar import Every
from duly.model.limit import Rate
from duly.model.schedule import Schedule
from duly.model.state import Status
from duly.model.task import Conditions, Target
from duly.store import deliveries, limit_desk, pauses, scale, schedules, schema
from duly.store.transaction import Transaction, _pyformat
from support import crowd
from support.stores import Store

FEW = {"pending": 40, "running": 40, "waiting": 40, "blocked": 40}
#: Index entries and rows that one statement may look at; the history beside it has 4,000.
MOST_ROWS = 400


def test_each_queue_is_counted(store: Store) -> None:
    """By what its tasks wait for; since when, by the clock; a queue that is only served has zeros."""
    store.session(queues=("default", "idle"))
    store.submit()
    store.advance(5)
    store.submit()
    store.submit(queue="side")
    store.submit(due_at=store.clock.now_ms() + 60_000)
    store.write(pauses.pause, pauses.Pause(queue="side"))
    loads = store.read(scale.load)
    assert set(loads) == {"default", "idle", "side"}
    assert loads["default"] == scale.Load(queued=2, oldest_ms=5_000)
    assert loads["idle"] == scale.Load()
    assert loads["side"] == scale.Load(queued=1, paused=True)
    store.claim()
    assert store.read(scale.load, ["default", "none"]) == {
        "default": scale.Load(queued=1, running=1),
        "none": scale.Load(),
    }


def test_no_number_goes_on_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops where nobody has more workers to give."""
    monkeypatch.setattr(scale, "MOST", 3)
    for _ in range(5):
        store.submit()
    assert store.read(scale.load)["default"].queued == 3


def scheduled(store: Store) -> None:
    store.submit(due_at=store.clock.now_ms() + 60_000)


def retried(store: Store) -> None:
    store.finish(store.running(), Status.RETRY, delay_ms=60_000)


def asleep(store: Store) -> None:
    store.waiting(delay=60_000)


def rationed(store: Store) -> None:
    """The second task of a minute waits for the next one."""
    rate = limit_desk.Setting(name="type/demo", concurrency=None, rate=Rate.parse("1/m"))
    store.write(limit_desk.put, rate)
    for _ in range(2):
        store.submit()
    [claimed] = store.claim(free=2)
    store.finish(claimed)


def ticking(store: Store) -> None:
    rhythm = Every(every_ms=60_000)
    one = Schedule(name="pulse", rhythm=rhythm, input="{}", conditions=Conditions(task_type="demo"))
    store.write(schedules.keep, schedules.Wish(one))


def failing(store: Store) -> None:
    """A webhook that did not go through at first."""
    store.ended(Status.COMPLETED, Target(channel="webhook", url="http://127.0.0.1/"))
    [[delivery]] = store.write(deliveries.claim_deliveries, ("w1", 1))
    again = deliveries.Sent(id=delivery.id, attempt=delivery.attempt, status="pending", delay_ms=60_000)
    store.write(deliveries.settle, again)


@pytest.mark.parametrize("owe", [scheduled, retried, asleep, rationed, ticking, failing])
def test_what_is_due_with_the_clock_asks_for_a_worker(store: Store, owe: Callable[[Store], None]) -> None:
    """When it is due, and not before: a fleet that shrank to none comes back for it."""
    store.session()
    owe(store)
    assert not store.read(scale.overdue)
    store.clock.advance(61)
    assert store.read(scale.overdue)


def asked(tx: Transaction) -> list[tuple[str, Any]]:
    """The statements of one call."""
    made: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, text: str, given: Any, *_: Any) -> None:
        made.append((text, given))

    sa.event.listen(tx.core, "before_cursor_execute", note)
    scale.load(tx)
    scale.overdue(tx)
    sa.event.remove(tx.core, "before_cursor_execute", note)
    return made


def looked_at(tx: Transaction, text: str, given: Any) -> int:
    """How many rows a statement reads, as the server counts or estimates; SQLite: whether it scans."""
    if tx.dialect == "sqlite":
        plan = [row[3] for row in tx.core.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
        return 10_000 * sum(line.startswith("SCAN task") and "INDEX" not in line for line in plan)
    if tx.dialect == "mariadb":
        return max(int(row.rows or 0) for row in tx.core.exec_driver_sql(f"EXPLAIN {text}", given))
    found = tx.core.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", given).scalar()
    plan = found if isinstance(found, list) else json.loads(found)
    return _most(plan[0]["Plan"])


def _most(node: dict[str, Any]) -> int:
    own = sum(node.get(word, 0) for word in ("Actual Rows", "Rows Removed by Filter"))
    return max([own, *map(_most, node.get("Plans", []))])


@pytest.fixture
def crowded(store: Store) -> Iterator[Store]:
    """Some tasks of each state, and thousands that have ended."""
    with store.database.engine().connect() as connection:
        cursor = connection.connection.dbapi_connection.cursor()
        if store.database.driver.dialect == "mariadb":
            cursor.execute(
                "SET SESSION sql_mode = 'PIPES_AS_CONCAT,ANSI_QUOTES', max_recursive_iterations = 100000"
            )
        style = str if store.database.driver.dialect == "sqlite" else _pyformat
        crowd.add_tasks(cursor, {"completed": 4000, **FEW}, style)
        if store.database.driver.dialect == "postgres":
            cursor.execute("ANALYZE task")  # it plans by what the tests before this one had in the table
        yield store
        connection.execute(schema.task.delete())


def test_history_costs_nothing(crowded: Store) -> None:
    """Each statement looks at those that have not ended only."""
    loads = crowded.read(scale.load)
    for status, count in FEW.items():
        name = {"pending": "queued"}.get(status, status)
        assert sum(getattr(one, name) for one in loads.values()) == count

    def costs(tx: Transaction) -> dict[str, int]:
        return {text: looked_at(tx, text, given) for text, given in asked(tx)}

    found = crowded.read(costs)
    assert len(found) >= 12
    assert {text: cost for text, cost in found.items() if cost > MOST_ROWS} == {}


def test_the_measure_sees_a_count_over_history(crowded: Store) -> None:
    """The plain form is far over the bound."""
    trap = "SELECT queue, count(*) FROM task WHERE max_retries = 3 GROUP BY queue"
    assert crowded.read(lambda tx: looked_at(tx, trap, ())) > MOST_ROWS
