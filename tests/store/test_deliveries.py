"""The verbs of the outbox: who gets a delivery, and whose word about it counts."""

from __future__ import annotations

from typing import Any

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import deliveries, lists
from duly.store.deliveries import Delivery, Notice, Sent
from duly.store.transaction import Transaction, script
from support.stores import Store

INBOX = Target(channel="inbox")


@pytest.fixture(autouse=True)
def session(store: Store) -> None:
    store.session()


def hook(url: str) -> Target:
    return Target(channel="webhook", url=url)


def claim(store: Store, session: str = "w1", limit: int = 20) -> list[Delivery]:
    [claimed] = store.write(deliveries.claim_deliveries, (session, limit))
    return list(claimed)


def row_of(store: Store, id_: str) -> dict[str, Any]:
    [row] = store.read(lists.rows_of, "delivery", id_)
    return dict(row)


def settle(store: Store, delivery: Delivery, status: str, **fields: Any) -> None:
    sent = Sent(id=delivery.id, attempt=delivery.attempt, status=status, **fields)
    store.write(deliveries.settle, sent)


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_delivery_is_owed_with_the_end(store: Store, target: Status) -> None:
    """It is held while the task lives, and due in the commit that ends the task."""
    claimed = store.running(INBOX)
    assert store.deliveries(claimed.id) == ["held"]
    store.finish(claimed, target)
    row = row_of(store, claimed.id)
    assert (row["status"], row["due_at"]) == ("pending", store.clock.now_ms())


def test_a_delivery_goes_to_one_claimer(store: Store) -> None:
    """Two claims in one group share what is due; nobody gets what another has."""
    store.session("w2")
    for _ in range(6):
        store.ended(Status.COMPLETED, INBOX)
    pairs = [("w1", 4), ("w2", 4)]
    first, second = store.write(deliveries.claim_deliveries, *pairs)
    assert (len(first), len(second)) == (4, 2)
    assert not {one.id for one in first} & {one.id for one in second}
    assert claim(store) == []


def test_the_longest_due_comes_first(store: Store) -> None:
    """Claims take deliveries in the order they became due."""
    ids = []
    for _ in range(3):
        ids.append(store.ended(Status.COMPLETED, INBOX))
        store.clock.advance(1)
    assert [one.task_id for one in claim(store, limit=2)] == ids[:2]


def test_one_target_gets_a_share(store: Store) -> None:
    """A webhook has 8 sends at most under way; others pass its backlog, and inboxes have no such limit."""
    for _ in range(12):
        store.ended(Status.COMPLETED, hook("http://slow/"))
    for _ in range(10):
        store.ended(Status.COMPLETED, INBOX)
    store.ended(Status.COMPLETED, hook("http://other/"))
    claimed = claim(store, limit=50)
    urls = [one.target["url"] for one in claimed]
    assert (urls.count("http://slow/"), urls.count(""), urls.count("http://other/")) == (8, 10, 1)
    assert store.read(deliveries.due, 50) == 0
    settle(store, claimed[0], "delivered")
    assert [one.target["url"] for one in claim(store)] == ["http://slow/"]


def test_the_look_agrees_with_the_claim(store: Store) -> None:
    """`due` counts what a claim would get, and writes nothing."""
    for _ in range(3):
        store.ended(Status.COMPLETED, INBOX)
    assert store.read(deliveries.due, 2) == 2
    assert store.read(deliveries.due, 20) == 3
    assert len(claim(store)) == 3
    assert store.read(deliveries.due, 20) == 0


@pytest.mark.only("wal", "rollback")
def test_the_look_reads_by_the_clock_index(store: Store) -> None:
    """Finding what is due does not scan the deliveries of years."""

    def plan(tx: Transaction, query: str) -> list[str]:
        rows = tx.core.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", {"now": 0, "limit": 1})
        return [row[3] for row in rows]

    [statement] = script("sqlite", "delivery_due")
    steps = store.read(plan, statement)
    on_table = [step for step in steps if step.split(" ")[1] == "delivery"]
    assert on_table
    assert all("USING INDEX delivery_clock" in step for step in on_table), steps


def test_an_ended_session_gets_nothing(store: Store) -> None:
    """A session that others ended claims no delivery."""
    store.ended(Status.COMPLETED, INBOX)
    store.rescue("w1")
    assert claim(store) == []


def test_the_first_body_is_kept(store: Store) -> None:
    """A later body does not replace the first; a stale attempt gets None."""
    store.ended(Status.COMPLETED, INBOX)
    [first] = claim(store)
    assert store.write(deliveries.fix_body, (first, "one")) == ["one"]
    settle(store, first, "pending", delay_ms=0)
    assert store.write(deliveries.fix_body, (first, "late")) == [None]
    [second] = claim(store)
    assert (second.body, second.attempt) == ("one", 2)
    assert store.write(deliveries.fix_body, (second, "two")) == ["one"]


def test_only_the_current_send_settles(store: Store) -> None:
    """A late word of an earlier send changes nothing, even in one group with the current one."""
    id_ = store.ended(Status.COMPLETED, INBOX)
    [first] = claim(store)
    settle(store, first, "pending", delay_ms=0)
    [second] = claim(store)
    words = [
        Sent(id=first.id, attempt=first.attempt, status="dead", error="late"),
        Sent(id=second.id, attempt=second.attempt, status="delivered", code=200),
        Sent(id=first.id, attempt=first.attempt, status="pending", delay_ms=0),
    ]
    store.write(deliveries.settle, *words)
    row = row_of(store, id_)
    assert (row["status"], row["last_code"], row["last_error"]) == ("delivered", 200, None)
    assert row["delivered_at"] == store.clock.now_ms()
    settle(store, second, "dead")
    assert (row_of(store, id_))["status"] == "delivered"


def test_a_failed_send_is_due_after_its_delay(store: Store) -> None:
    """Pending again means due `delay_ms` after the record, with the error kept."""
    id_ = store.ended(Status.COMPLETED, INBOX)
    [delivery] = claim(store)
    store.clock.advance(3)
    settle(store, delivery, "pending", delay_ms=5000, code=500, error="no")
    row = row_of(store, id_)
    assert (row["due_at"], row["last_code"], row["last_error"]) == (store.clock.now_ms() + 5000, 500, "no")
    store.clock.advance(4.999)
    assert claim(store) == []
    store.clock.advance(0.001)
    assert len(claim(store)) == 1


def test_a_dead_sessions_deliveries_are_due_again(store: Store) -> None:
    """With a session end the deliveries it was sending; what they had to send stays as it was."""
    store.session("w2")
    store.ended(Status.COMPLETED, INBOX)
    [lost] = claim(store)
    store.write(deliveries.fix_body, (lost, "one"))
    store.rescue("w1")
    [again] = claim(store, "w2")
    assert (again.id, again.attempt, again.body) == (lost.id, 2, "one")


def test_a_notice_is_written_once_and_only_by_its_owner(store: Store) -> None:
    """The line and the settling commit together; a stale attempt writes neither."""
    id_ = store.ended(Status.COMPLETED, INBOX, owner="ann")
    [first] = claim(store)
    settle(store, first, "pending", delay_ms=0)
    [second] = claim(store)
    for delivery in (first, second, second):
        notice = Notice(
            delivery_id=delivery.id,
            attempt=delivery.attempt,
            task_id=id_,
            tenant="",
            owner="ann",
            type="task.completed",
            body=str(delivery.attempt),
        )
        store.write(deliveries.notify, notice)
    assert [line["body"] for line in store.read(lists.inbox, "", "ann")] == ["2"]
    assert (row_of(store, id_))["status"] == "delivered"


def test_another_run_owes_another_answer(store: Store) -> None:
    """After an operator's retry an unsent delivery waits for the new end; a sent one gets a successor."""
    unsent = store.ended(Status.FAILED, INBOX)
    sent = store.ended(Status.FAILED, hook("http://a/"))
    [delivery] = [one for one in claim(store) if one.task_id == sent]
    settle(store, delivery, "delivered")
    store.rescue("w1")
    store.session("w2")
    for id_ in (unsent, sent):
        store.retry(id_)
    assert store.deliveries(unsent) == ["held"]
    assert sorted(store.deliveries(sent)) == ["delivered", "held"]
    for claimed in store.claim("w2", free=2):
        store.finish(claimed)
    assert len(claim(store, "w2")) == 2


@pytest.mark.only("postgres", "mariadb")
def test_a_delivery_that_is_claimed_when_another_run_begins_gets_a_successor(
    store: Store, others: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it tells of the run that is over, or of none: the new one's end is owed as well."""
    others[0].session("w2")
    id_ = store.ended(Status.FAILED, INBOX)
    run, claimed = Transaction.run, list[Delivery]()

    def beside(tx: Transaction, name: str, *rest: Any, **more: Any) -> Any:
        if name == "delivery_recall":
            claimed.extend(claim(others[0], "w2"))
        return run(tx, name, *rest, **more)

    monkeypatch.setattr(Transaction, "run", beside)
    store.retry(id_)
    assert [one.task_id for one in claimed] == [id_]
    assert sorted(store.deliveries(id_)) == ["held", "sending"]
