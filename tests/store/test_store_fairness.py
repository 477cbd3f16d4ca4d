"""The claim order: priority, then tickets that let owners alternate, then age."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from duly.model.state import Status
from duly.store import submissions
from support.stores import Store, submission


def backlog(store: Store, owner: str, count: int, **overrides: object) -> list[str]:
    """Many tasks of one owner, accepted in one batch."""
    items = [submission(owner=owner, **overrides) for _ in range(count)]
    return [one.id for one in store.write(submissions.submit, *items)]


def order(store: Store, count: int) -> list[str]:
    """The owners of what is handed out next, one claim each."""
    return [claimed.owner for _ in range(count) for claimed in store.claim()]


def test_a_late_user_alternates_at_once_with_anothers_backlog(store: Store) -> None:
    """Ann waits with 500; Bob comes later with three: every other place is his."""
    backlog(store, "ann", 500)
    order(store, 5)
    backlog(store, "bob", 3)
    assert order(store, 7).count("bob") == 3


def test_one_by_one_or_in_a_batch_gives_the_same_tickets(store: Store) -> None:
    """Tickets do not depend on how submissions were grouped into transactions."""
    together = backlog(store, "ann", 5)
    singly = [store.submit(owner="bob") for _ in range(5)]
    tickets = [[store.column(id_, "fair_at") for id_ in ids] for ids in (together, singly)]
    assert [after - before for before, after in zip(*tickets, strict=True)] == [1000] * 5


def test_owners_of_one_batch_alternate(store: Store) -> None:
    """Within a batch each owner has tickets of its own."""
    items = [submission(owner=owner) for owner in "aaabbb"]
    store.write(submissions.submit, *items)
    pairs = order(store, 6)
    assert all(set(pairs[place : place + 2]) == {"a", "b"} for place in range(0, 6, 2))


def test_yesterdays_work_is_not_held_against_anybody(store: Store) -> None:
    """Ann ran 40 tasks, the queue was empty; Bob brings 20, then Ann one: hers is at most second."""
    backlog(store, "ann", 40)
    for claimed in store.claim(free=40):
        store.finish(claimed)
    backlog(store, "bob", 20)
    store.submit(owner="ann")
    assert "ann" in order(store, 3)


def test_a_task_back_from_a_retry_stands_at_the_head(store: Store) -> None:
    """A stale ticket does not send the owner behind everybody, nor block the owner's later tasks."""
    ann = store.ended(Status.RETRY, owner="ann")
    backlog(store, "bob", 50)
    order(store, 30)
    store.advance(3)
    head = store.rows("SELECT min(fair_at) FROM task WHERE status = 'pending' AND owner = 'bob'")
    assert store.column(ann, "fair_at") == head[0][0]
    backlog(store, "ann", 5)
    owners = order(store, 12)
    assert owners.count("ann") == 6


def test_a_scheduled_task_takes_its_ticket_when_it_is_due(store: Store) -> None:
    """It stood in no queue before, so it neither overtakes the head nor waits behind the backlog."""
    later = store.submit(owner="ann", due_at=store.clock.now_ms() + 60_000)
    backlog(store, "bob", 20)
    order(store, 10)
    store.advance(61)
    head = store.rows("SELECT min(fair_at) FROM task WHERE status = 'pending'")
    assert store.column(later, "fair_at") == head[0][0]


def test_tickets_are_counted_within_a_queue_and_a_priority(store: Store) -> None:
    """A backlog elsewhere is nobody's disadvantage here."""
    backlog(store, "ann", 30)
    other = store.submit(owner="ann", queue="fast")
    urgent = store.submit(owner="ann", priority=9)
    assert [store.column(id_, "fair_at") for id_ in (other, urgent)] == [1000, 1000]


@pytest.mark.parametrize("more", [{"queue": "fast"}, {"priority": 9}, {"due_at": 4_000_000_000_000}])
def test_a_ticket_is_found_behind_what_has_none(store: Store, more: dict[str, Any]) -> None:
    """What an owner has elsewhere or for later does not give him a second place at the head."""
    [*_, last] = backlog(store, "ann", 3)
    backlog(store, "ann", 40, **more)
    after = store.submit(owner="ann")
    assert store.column(after, "fair_at") == store.column(last, "fair_at") + 1000


def test_a_ticket_is_found_behind_tasks_back_from_a_retry(store: Store) -> None:
    """They stand at the head, the owner's backlog behind them."""
    for _ in range(3):
        store.ended(Status.RETRY, owner="ann")
    [*_, last] = backlog(store, "ann", 10)
    store.advance(3)
    assert store.column(store.submit(owner="ann"), "fair_at") == store.column(last, "fair_at") + 1000


def test_tenants_are_not_one_owner(store: Store) -> None:
    """The same owner name in two tenants means two users."""
    backlog(store, "ann", 10, tenant="one")
    id_ = store.submit(owner="ann", tenant="two")
    assert store.column(id_, "fair_at") == 2000


def test_a_higher_priority_goes_first(store: Store) -> None:
    """Priority beats tickets and age."""
    for priority in (1, 5, 10, 5):
        store.submit(owner=str(priority), priority=priority)
    assert [owner for owner, _ in groupby(order(store, 4))] == ["10", "5", "1"]


def test_equal_tickets_go_by_age(store: Store) -> None:
    """The id, which ascends in time, decides between owners with the same ticket."""
    ids = [store.submit(owner=owner) for owner in ("ann",)]
    ids += [
        one.id for one in store.write(submissions.submit, submission(owner="bob"), submission(owner="cid"))
    ]
    tickets = {store.column(id_, "fair_at") for id_ in ids[1:]}
    assert len(tickets) == 1
    assert [claimed.id for claimed in store.claim(free=3)] == ids
