"""What an operator does to many tasks: only to those that still fit when their locks are held."""

from __future__ import annotations

from typing import Any

import pytest

from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.model.task import Target
from duly.store import bulk, lists
from duly.store.bulk import Chosen, Moving
from duly.store.lists import Filter
from support.stores import Store

INBOX = Target(channel="inbox")


def chosen(*ids: str, **wanted: Any) -> Chosen:
    """These tasks, if they fit."""
    return Chosen(ids=ids, wanted=Filter(**wanted))


def move(store: Store, *ids: str, queue: str | None = None, priority: int | None = None) -> int:
    """How many were moved."""
    return int(store.write(bulk.move, Moving(chosen=chosen(*ids), queue=queue, priority=priority))[0])


def order(store: Store, queue: str = "default") -> list[str]:
    """Whom the next claims start, one by one."""
    store.session("w1", queues=(queue,))
    return [one.id for one in store.claim("w1", queues=(queue,), free=99)]


def test_a_purge_cancels_what_waits_and_leaves_what_runs(store: Store) -> None:
    """A task that began between the look and the lock runs on, unasked to stop."""
    running = store.running().id
    waiting = {status: store.standing(status) for status in (Status.SCHEDULED, Status.PENDING)}
    assert store.write(bulk.purge, chosen(running, *waiting.values(), "none")) == [2]
    assert store.status(running) is Status.RUNNING
    assert store.task(running).cancel_requested_at is None
    assert {store.status(one) for one in waiting.values()} == {Status.CANCELLED}


@pytest.mark.parametrize("status", [Status.RETRY, Status.WAITING])
def test_a_purge_cancels_what_has_run_before(store: Store, status: Status) -> None:
    """Its history is kept, and says why it ended; who waits for an answer gets that one."""
    id_ = store.ended(status, INBOX)
    assert store.write(bulk.purge, chosen(id_)) == [1]
    last = store.read(lists.events, id_)[-1]
    assert (last.type, last.data) == ("cancelled", {"reason": "purged"})
    assert store.deliveries(id_) == ["pending"]


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_purge_leaves_what_has_ended(store: Store, status: Status) -> None:
    """Deleting history is retention's."""
    id_ = store.ended(status)
    before = store.events(id_)
    assert store.write(bulk.purge, chosen(id_)) == [0]
    assert (store.status(id_), store.events(id_)) == (status, before)


@pytest.mark.parametrize("verb", [bulk.purge, bulk.retry])
def test_a_task_that_left_the_filter_is_left_alone(store: Store, verb: Any) -> None:
    """It was moved since its id was read."""
    id_ = store.submit() if verb is bulk.purge else store.ended(Status.FAILED)
    assert store.write(verb, chosen(id_, queue="other")) == [0]


def test_a_bulk_retry_is_the_retry_of_each(store: Store) -> None:
    """Failed and cancelled ones run again with all their retries; history is kept."""
    failed = store.ended(Status.FAILED)
    cancelled = store.ended(Status.CANCELLED)
    completed = store.ended(Status.COMPLETED)
    assert store.write(bulk.retry, chosen(failed, cancelled, completed)) == [2]
    assert store.events(failed)[-2:] == ["failed", "retried"]
    assert store.status(completed) is Status.COMPLETED
    assert {one.attempt for one in store.claim(free=9)} == {2}


def test_failed_tasks_are_found_by_error_and_time(store: Store) -> None:
    """The words that an operator chooses by."""
    old = store.ended(Status.FAILED)
    store.clock.advance(60)
    new = store.ended(Status.FAILED)
    since = store.clock.now_ms()
    find = lambda **words: store.read(lists.chosen, Filter(status=Status.FAILED, **words))  # noqa: E731
    assert find(error_code="broken") == [old, new]
    assert find(error_code="other") == []
    assert find(ended_since=since) == [new]
    assert find(ids=(old,)) == [old]
    assert store.read(lists.chosen, Filter(statuses=(Status.FAILED,)), after=old, limit=1) == [new]


def test_a_moved_task_is_served_by_its_new_queue(store: Store) -> None:
    """It leaves the old one, and its timeline says where it went."""
    id_ = store.submit()
    assert move(store, id_, queue="slow") == 1
    assert order(store) == []
    assert order(store, "slow") == [id_]
    [moved] = [one for one in store.read(lists.events, id_) if one.type == "moved"]
    assert moved.data == {"queue": "slow", "priority": 5}


def test_a_moved_task_stands_behind_the_head_of_its_new_line(store: Store) -> None:
    """It gets a ticket as if it came now: the old one would put it before all or behind all."""
    there = [store.submit(queue="slow", owner="ann") for _ in range(3)]
    many = [store.submit(owner="bob") for _ in range(5)]
    move(store, *many[3:], queue="slow")
    assert order(store, "slow") == [there[0], there[1], many[3], there[2], many[4]]


def test_moved_tasks_of_one_owner_follow_each_other(store: Store) -> None:
    """In the order in which they stood, behind his own last there, in turn with others."""
    mine = store.submit(queue="slow", owner="bob")
    others = [store.submit(queue="slow", owner="ann") for _ in range(2)]
    many = [store.submit(owner="bob") for _ in range(2)]
    move(store, *reversed(many), queue="slow")
    assert order(store, "slow") == [mine, others[0], many[0], others[1], many[1]]


def test_a_higher_priority_is_sooner(store: Store) -> None:
    """The task overtakes what stands at a lower one."""
    first, second = store.submit(), store.submit()
    assert move(store, second, priority=9) == 1
    assert store.task(second).priority == 9
    assert order(store) == [second, first]


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.RETRY, Status.WAITING])
def test_what_is_not_due_yet_comes_back_in_the_new_queue(store: Store, status: Status) -> None:
    """Its state and its time stay as they are."""
    id_ = store.standing(status)
    due = store.task(id_).due_at
    assert move(store, id_, queue="slow", priority=1) == 1
    assert (store.status(id_), store.task(id_).due_at) == (status, due)
    store.advance(90)
    assert order(store, "slow") == [id_]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_what_runs_or_has_ended_stays(store: Store, status: Status) -> None:
    """A running task's worker serves the queue that it was claimed from."""
    id_ = store.standing(status)
    assert move(store, id_, queue="slow") == 0
    assert store.task(id_).queue == "default"
    assert "moved" not in store.events(id_)


def test_what_is_there_already_keeps_its_place(store: Store) -> None:
    """Moving twice is moving once: no event, no new ticket."""
    first = store.submit()
    store.submit()
    assert move(store, first, queue="default", priority=5) == 0
    assert store.events(first) == ["accepted"]
    assert order(store)[0] == first


@pytest.mark.parametrize("to", [{}, {"queue": "a b"}, {"priority": 0}, {"priority": 11}, {"priority": True}])
def test_a_place_that_cannot_be_is_refused(to: dict[str, Any]) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidInput):
        Moving(chosen=chosen(), **to)
