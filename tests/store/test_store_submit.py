"""Accepting tasks: once each, under their keys, now or later."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import submissions
from support.stores import Store, new_id, submission

DAY = 86_400
INBOX = Target(channel="inbox")


def test_an_accepted_task_is_there_with_all_that_was_said(store: Store) -> None:
    """What was submitted is what is kept, column by column."""
    now = store.clock.now_ms()
    id_ = store.submit(
        INBOX,
        owner="ann",
        tenant="acme",
        priority=8,
        queue="fast",
        timeout_ms=5_000,
        max_retries=7,
        deadline_at=now + 9_000,
        tags=("a", "ü", "a"),
        metadata={"k": [1, "两"]},
    )
    task = store.task(id_)
    assert (task.owner, task.tenant, task.priority, task.queue) == ("ann", "acme", 8, "fast")
    assert (task.timeout_ms, task.max_retries, task.deadline_at) == (5_000, 7, now + 9_000)
    assert (task.status, task.attempt, task.seq, task.created_at) == (Status.PENDING, 0, 1, now)
    assert sorted(task.tags) == ["a", "ü"]
    assert task.metadata == {"k": [1, "两"]}
    assert store.events(id_) == ["accepted"]
    assert store.deliveries(id_) == ["held"]


def test_a_submission_sent_again_finds_its_own_row(store: Store) -> None:
    """After a commit whose answer was lost the caller sends the same submission: still one task."""
    one = submission(deliver=(INBOX, INBOX))
    [first] = store.write(submissions.submit, one)
    [again] = store.write(submissions.submit, one)
    assert first == again
    assert again.created
    assert store.events(one.id) == ["accepted"]


def test_a_submission_sent_again_owes_nothing_twice(store: Store) -> None:
    """Deliveries are not added to those of the first time, not even when both arrive in one group."""
    one = submission(deliver=(INBOX,))
    store.write(submissions.submit, one, one)
    store.write(submissions.submit, one)
    assert store.deliveries(one.id) == ["held"]


def test_a_task_may_owe_the_same_target_twice(store: Store) -> None:
    """Each delivery of one submission is a row of its own."""
    assert store.deliveries(store.submit(INBOX, INBOX)) == ["held", "held"]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_an_idempotency_key_stands_for_one_task(store: Store, together: bool) -> None:
    """The same key with the same body answers the first task, in one batch or in two."""
    items = [submission(idempotency_key="k", owner="ann") for _ in range(2)]
    groups = [items] if together else [[one] for one in items]
    first, second = [one for group in groups for one in store.write(submissions.submit, *group)]
    assert (first.created, second.created) == (True, False)
    assert second.id == first.id
    assert second.same_body


def test_an_idempotency_key_with_another_body_is_told_apart(store: Store) -> None:
    """The answer says that the body is not the first one's; nothing is accepted."""
    items = [submission(idempotency_key="k", body_hash=text) for text in ("one", "two")]
    first, second = store.write(submissions.submit, *items)
    assert not second.same_body
    assert second.id == first.id
    assert store.rows("SELECT count(*) FROM task") == [(1,)]


@pytest.mark.parametrize("scope", [{"owner": "bob"}, {"tenant": "other"}])
def test_an_idempotency_key_belongs_to_its_owner(store: Store, scope: dict[str, str]) -> None:
    """Another owner or tenant may use the same key for another task."""
    store.submit(idempotency_key="k", owner="ann")
    [second] = store.write(
        submissions.submit, submission(**{"owner": "ann", "idempotency_key": "k", "body_hash": "x", **scope})
    )
    assert second.created


def test_an_idempotency_key_is_kept_for_a_day_after_the_end(store: Store) -> None:
    """A terminal task still answers for its key."""
    id_ = store.ended(idempotency_key="k")
    store.clock.advance(DAY)
    [again] = store.write(submissions.submit, submission(idempotency_key="k"))
    assert again.id == id_


def test_an_idempotency_key_is_free_after_a_day(store: Store) -> None:
    """A key older than 24 hours makes a new task; the old one stays, without the key."""
    id_ = store.submit(idempotency_key="k")
    store.clock.advance(DAY + 1)
    [again] = store.write(submissions.submit, submission(idempotency_key="k", body_hash="other"))
    assert again.created
    assert store.column(id_, "idempotency_key") is None


def test_a_unique_key_holds_while_its_task_lives(store: Store) -> None:
    """A second task with the key is the first one, whatever its body."""
    first = store.submit(unique="daily")
    [second] = store.write(submissions.submit, submission(unique="daily", body_hash="other"))
    assert (second.id, second.created, second.same_body) == (first, False, True)


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_a_unique_key_is_free_when_its_task_has_ended(store: Store, end: Status) -> None:
    """Each terminal state lets the key go."""
    store.ended(end, unique="daily")
    [second] = store.write(submissions.submit, submission(unique="daily"))
    assert second.created


def test_unique_keys_of_two_tenants_never_meet(store: Store) -> None:
    """A tenant whose name holds a slash cannot reach another tenant's keys."""
    store.submit(tenant="a", task_type="t", unique="x/k")
    [second] = store.write(submissions.submit, submission(tenant="a/t", task_type="x", unique="k"))
    assert second.created


def test_both_keys_in_one_batch_find_their_own_tasks(store: Store) -> None:
    """Answers come in the order of the batch, each with the row that stands for it."""
    keyed, unique = store.submit(idempotency_key="k"), store.submit(unique="u")
    fresh = submission(id=new_id())
    items = [submission(unique="u"), fresh, submission(idempotency_key="k")]
    assert [one.id for one in store.write(submissions.submit, *items)] == [unique, fresh.id, keyed]


def test_a_task_for_later_is_scheduled(store: Store) -> None:
    """It holds no ticket and is not handed out before its time."""
    due = store.clock.now_ms() + 1
    id_ = store.submit(due_at=due)
    assert (store.status(id_), store.task(id_).due_at) == (Status.SCHEDULED, due)
    assert store.claim() == []


@pytest.mark.parametrize("seconds", [0, -3600])
def test_a_task_that_was_due_before_is_pending(store: Store, seconds: float) -> None:
    """A moment that is now or has passed means now."""
    id_ = store.submit(due_at=store.clock.now_ms() + round(seconds * 1000))
    assert store.status(id_) is Status.PENDING


def test_a_batch_is_accepted_as_a_whole_or_not_at_all(store: Store) -> None:
    """One row that the schema refuses takes the others of its call with it."""
    bad = submission()
    object.__setattr__(bad.conditions, "priority", 99)
    with pytest.raises(Exception, match="refused"):
        store.write(submissions.submit, submission(), bad)
    assert store.rows("SELECT count(*) FROM task") == [(0,)]
