"""An ended task is kept as long as it said, then goes with all that belongs to it, and nothing else does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.state import TERMINAL, Status
from duly.model.task import DAY_MS, Target
from duly.store import deliveries, items, journal, retention, schema
from duly.store.deliveries import Notice, Sent
from duly.store.retention import FRONT, Expired
from duly.store.transaction import Transaction
from support.stores import Store, lines, opened_store, step

INBOX = Target(channel="inbox")
MONTH = 30 * DAY_MS // 1000


def seen(store: Store, id_: str) -> Expired:
    """The task as a look finds it."""
    return Expired(id_, store.column(id_, "expires_at"), store.column(id_, "completed_at"), "demo")


def due(store: Store, until: int | None = None, **more: Any) -> list[str]:
    """The ids that a look finds."""
    return [one.id for one in store.read(retention.expired, until, **{"limit": 100, **more})]


def pruned(store: Store, *ids: str) -> list[bool]:
    """Looks at these tasks and deletes them at once."""
    return store.write(retention.prune, *(seen(store, id_) for id_ in ids))


def left(store: Store, id_: str) -> set[str]:
    """The tables in which something still names the task."""

    def query(tx: Transaction) -> set[str]:
        named = {table.name: table.c.task_id for table in retention.PARTS} | {"task": schema.task.c.id}
        asked = {name: sa.select(sa.func.count()).where(column == id_) for name, column in named.items()}
        return {name for name, one in asked.items() if tx.core.execute(one).scalar_one()}

    return store.read(query)  # type: ignore[no-any-return]


def fill(store: Store, id_: str) -> None:
    """Gives the task a row in every table that has a `task_id`, of whatever columns."""
    with store.database.engine().connect() as connection:
        for number, table in enumerate(retention.PARTS):
            row = {
                column.name: _some(column, f"{id_[:30]}{number}")
                for column in table.columns
                if _needed(column)
            }
            taken = sa.select(sa.func.count()).where(table.c.task_id == id_)
            if not connection.execute(taken.select_from(table)).scalar_one():
                connection.execute(table.insert().values(**{**row, "task_id": id_}))


def _needed(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.autoincrement is not True and column.server_default is None


def _some(column: sa.Column[Any], text: str) -> Any:
    if column.name == "status":
        return "delivered"
    kind = column.type.python_type
    return text if kind is str else kind(1)


def full(store: Store) -> str:
    """An ended task that has left something wherever the verbs leave something."""
    claimed = store.running(INBOX, tags=("a", "b"))
    store.write(journal.record_steps, step(claimed))
    store.write(journal.append, lines(claimed, "hello"))
    learned = items.Item(n=0, status="completed", tries=1, digest="d", result="1")
    batch = items.Items(id=claimed.id, attempt=1, name="pages", items=(learned,), progress=1)
    store.write(items.record_items, batch)
    store.finish(claimed)
    return claimed.id


def arrive(store: Store) -> None:
    """All answers reach their inboxes."""
    [claimed] = store.write(deliveries.claim_deliveries, (store.session(), 10))
    for one in claimed:
        given = {"delivery_id": one.id, "attempt": one.attempt, "task_id": one.task_id}
        store.write(deliveries.notify, Notice(**given, tenant="", owner="ann", type="completed", body="{}"))


@pytest.mark.parametrize("target", sorted(TERMINAL))
def test_a_task_is_kept_as_long_as_it_said(store: Store, target: Status) -> None:
    """However it ended; one that said nothing, as long as the installation says."""
    short, plain = store.ended(target, result_ttl_ms=60_000), store.ended(target)
    now = store.clock.now_ms()
    assert store.column(short, "expires_at") == now + 60_000
    assert store.column(plain, "expires_at") == now + 30 * DAY_MS


def test_a_task_that_is_cancelled_before_its_start_is_kept_as_long(store: Store) -> None:
    """Its end is an end like another."""
    id_ = store.submit(result_ttl_ms=90_000)
    store.cancel(id_)
    assert store.column(id_, "expires_at") == store.clock.now_ms() + 90_000


def test_an_operators_retry_takes_the_end_of_its_time_back(store: Store) -> None:
    """And its second end begins its time anew, as long as it said."""
    id_ = store.ended(Status.FAILED, result_ttl_ms=60_000)
    store.retry(id_)
    assert store.column(id_, "expires_at") is None
    store.advance(100)
    [claimed] = store.claim()
    store.finish(claimed)
    assert store.column(id_, "expires_at") == store.clock.now_ms() + 60_000


def test_an_idempotency_key_finds_its_task_for_its_whole_day(store: Store) -> None:
    """A caller who sends again after an hour must not have the work done twice."""
    id_ = store.ended(result_ttl_ms=60_000, idempotency_key="k")
    assert store.column(id_, "expires_at") == store.clock.now_ms() + DAY_MS
    store.advance(3600)
    assert pruned(store, id_) == [False]
    assert store.submit(idempotency_key="k") == id_
    store.advance(23 * 3600 + 1)
    assert due(store) == [id_]
    assert pruned(store, id_) == [True]


def test_nothing_of_it_is_left(store: Store) -> None:
    """Not in any table that names a task, those of tomorrow included."""
    gone, other = full(store), full(store)
    for id_ in (gone, other):
        fill(store, id_)
        settle_all(store, id_)
    assert left(store, gone) == {"task"} | {table.name for table in retention.PARTS}
    assert pruned(store, gone) == [True]
    assert left(store, gone) == set()
    assert left(store, other) == {"task"} | {table.name for table in retention.PARTS}
    clear(store)


def settle_all(store: Store, id_: str) -> None:
    """Its answers have arrived, and were read."""
    with store.database.engine().connect() as connection:
        connection.execute(
            sa.update(schema.delivery).where(schema.delivery.c.task_id == id_).values(status="delivered")
        )
        connection.execute(sa.update(schema.notification).values(read_at=1))


def clear(store: Store) -> None:
    """Made-up rows would break the invariants that are checked after each test."""
    with store.database.engine().connect() as connection:
        for table in schema.metadata.tables.values():
            connection.execute(table.delete())


def test_every_table_that_names_a_task_is_known() -> None:
    """By a column `task_id`; under another name it would be forgotten."""
    named = {table.name for table in schema.metadata.tables.values() if "task_id" in table.c}
    outliving = {"ledger"}  # kept for `ledger_days`, whatever becomes of its tasks
    assert {table.name for table in retention.PARTS} == named - outliving
    assert {table.name for table in retention.OUTLIVING} == outliving
    others = {"task", "blob", "bucket", "inbox", "limits", "queue", "schedule", "share", "upload", "worker"}
    others |= {"api_key", "audit", "endpoint", "gate", "ticket", "web_session"}  # of people, not of tasks
    assert named | others == set(schema.metadata.tables)


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL - {Status.BLOCKED}))
def test_what_has_not_ended_stays(store: Store, status: Status) -> None:
    """Whatever its row was seen to say before."""
    id_ = store.standing(status)
    expire(store, id_, 1)
    assert store.write(retention.prune, Expired(id_, 1)) == [False]
    assert left(store, id_) >= {"task", "event", "task_data"}
    expire(store, id_, None)


def expire(store: Store, id_: str, at: int | None) -> None:
    """Says by hand when the task's time is over."""
    with store.database.engine().connect() as connection:
        connection.execute(sa.update(schema.task).where(schema.task.c.id == id_).values(expires_at=at))


def test_a_task_that_ended_anew_since_it_was_seen_stays(store: Store) -> None:
    """Its time is another now."""
    id_ = store.ended(Status.FAILED)
    before = seen(store, id_)
    store.retry(id_)
    store.clock.advance(1)
    store.finish(store.claim()[0])
    assert store.write(retention.prune, before) == [False]


def test_what_still_owes_an_answer_stays(store: Store) -> None:
    """Until it has arrived or was given up: waiting to be sent, and being sent."""
    id_ = store.ended(Status.COMPLETED, Target(channel="webhook", url="https://example.org/"))
    assert store.deliveries(id_) == ["pending"]
    assert pruned(store, id_) == [False]
    [[one]] = store.write(deliveries.claim_deliveries, (store.session(), 10))
    assert pruned(store, id_) == [False]
    store.write(deliveries.settle, Sent(id=one.id, attempt=one.attempt, status="dead"))
    assert pruned(store, id_) == [True]


def test_an_inbox_line_that_nobody_has_read_keeps_its_task(store: Store) -> None:
    """As long as the installation keeps tasks; one that was read goes with it."""
    unread = store.ended(Status.COMPLETED, INBOX, result_ttl_ms=60_000)
    arrive(store)
    assert pruned(store, unread) == [False]
    store.advance(MONTH)
    assert pruned(store, unread) == [True]
    read = store.ended(Status.COMPLETED, INBOX, result_ttl_ms=60_000)
    arrive(store)
    with store.database.engine().connect() as connection:
        connection.execute(sa.update(schema.notification).values(read_at=1))
    assert pruned(store, read) == [True]


def test_a_look_finds_those_whose_time_is_over_in_that_order(store: Store) -> None:
    """Page by page, none twice, none left out; the rest later."""
    ids = [store.ended(result_ttl_ms=60_000 + 1000 * (number // 2)) for number in (3, 1, 2, 0, 5, 4)]
    later = store.ended()
    store.advance(100)
    order = sorted(ids, key=lambda id_: (store.column(id_, "expires_at"), id_))
    place, found = FRONT, list[str]()
    while page := store.read(retention.expired, None, after=place, limit=2):
        place = page[-1]
        found += [one.id for one in page]
    assert found == order
    assert due(store, 2**62)[-1] == later


@pytest.mark.only("postgres", "mariadb")
def test_a_task_that_another_has_locked_is_left_to_it(store: Store) -> None:
    """Nobody waits for a deletion, and a deletion waits for nobody."""
    locked, free = store.ended(), store.ended()
    with closing(store.database.driver.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM task WHERE id = %s FOR UPDATE", (locked,))
        assert pruned(store, locked, free) == [False, True]
        cursor.execute("ROLLBACK")


def test_sessions_go_a_retention_after_their_end(store: Store) -> None:
    """The living stay, and so does one that still holds something."""
    for name in ("old", "new", "living"):
        store.session(name)
    store.rescue("old")
    store.advance(MONTH)
    store.rescue("new")
    assert store.write(retention.forget_sessions, None) == [1]
    assert {id_ for (id_,) in store.rows("SELECT id FROM worker")} == {"new", "living"}


def test_a_session_that_holds_a_task_is_not_forgotten(store: Store) -> None:
    """By its row the task is found and given back."""
    claimed = store.running()
    with store.database.engine().connect() as connection:
        connection.execute(sa.update(schema.worker).values(ended_at=1, held=1))
    store.advance(MONTH)
    assert store.write(retention.forget_sessions, None) == [0]
    assert store.rescue() == 1
    assert store.status(claimed.id) is Status.PENDING


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """The same database in another process, as far as it knows."""
    one = opened_store(store.database.url, store.clock)
    yield one
    one.database.close()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What these answer when they begin at the same moment."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_that_delete_at_once_share_the_work(store: Store, other: Store) -> None:
    """Each task is deleted by one of them; neither waits for long, neither fails."""
    items = [seen(store, store.ended()) for _ in range(40)]
    done = at_once(
        lambda: [store.write(retention.prune, *items[at : at + 10]) for at in range(0, 40, 10)],
        lambda: [other.write(retention.prune, *items[at : at + 10]) for at in range(30, -1, -10)],
    )
    assert sum(gone for one in done for batch in one for gone in batch) == 40
    assert due(store, 2**62) == []


def test_a_retry_and_a_deletion_decide_for_one_of_them(store: Store, other: Store) -> None:
    """The task runs again, or it is gone; it never runs without its input."""
    for _ in range(12):
        id_ = store.ended(Status.FAILED)
        item = seen(store, id_)
        before, [gone] = at_once(
            lambda id_=id_: store.retry(id_), lambda item=item: other.write(retention.prune, item)
        )
        assert (before is None) == gone
        assert left(store, id_) >= ({"task", "task_data"} if not gone else set())
        if not gone:
            store.finish(store.claim()[0])
