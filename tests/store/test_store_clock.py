"""What the clock does by itself: due tasks become pending, expired ones fail, lost ones are given back."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import lists, sessions, submissions
from support.stores import Store, submission

INBOX = Target(channel="inbox")


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.RETRY, Status.WAITING], ids=str)
def test_what_is_due_becomes_pending_at_its_millisecond(store: Store, status: Status) -> None:
    """Not before, and without another attempt or charge."""
    id_ = store.standing(status)
    before = store.task(id_)
    assert before.due_at is not None
    store.clock.advance((before.due_at - store.clock.now_ms() - 1) / 1000)
    assert store.promote() == 0
    store.clock.advance(0.001)
    assert store.promote() == 1
    after = store.task(id_)
    assert (after.status, after.attempt, after.retry_count) == (
        Status.PENDING,
        before.attempt,
        before.retry_count,
    )
    assert (after.due_at, after.wait_kind) == (None, None)
    assert store.events(id_)[-1] == ("waiting" if status is Status.WAITING else "due")


@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.RETRY, Status.WAITING], ids=str)
def test_a_deadline_still_counts_after_a_wait(store: Store, status: Status) -> None:
    """Pending again, the task's next moment is its deadline."""
    now = store.clock.now_ms()
    due = {"due_at": now + 1_000} if status is Status.SCHEDULED else {}
    if due:
        id_ = store.submit(deadline_at=now + 9_000, **due)
    else:
        claimed = store.running(deadline_at=now + 9_000)
        store.finish(claimed, status, delay_ms=1_000)
        id_ = claimed.id
    store.advance(1)
    assert store.task(id_).due_at == now + 9_000
    store.advance(8)
    assert store.task(id_).error_code == "expired"


def test_an_expired_task_owes_its_answer(store: Store) -> None:
    """Nobody waits for an answer that will not come: the failure is delivered."""
    id_ = store.submit(INBOX, deadline_at=store.clock.now_ms() + 1_000)
    store.advance(2)
    assert (store.status(id_), store.deliveries(id_)) == (Status.FAILED, ["pending"])


def test_the_clock_moves_a_bounded_number_at_once(store: Store) -> None:
    """A thousand tasks due at one moment do not make one long transaction."""
    for _ in range(5):
        store.submit(due_at=store.clock.now_ms() + 1_000)
    store.clock.advance(1)
    assert [store.promote(2) for _ in range(4)] == [2, 2, 1, 0]


def test_the_longest_due_go_first(store: Store) -> None:
    """When there are too many, the order is that of their times."""
    late, early = [store.submit(due_at=store.clock.now_ms() + ms) for ms in (2_000, 1_000)]
    store.clock.advance(5)
    store.promote(1)
    assert (store.status(early), store.status(late)) == (Status.PENDING, Status.SCHEDULED)


def test_a_lost_task_is_given_back_uncharged(store: Store) -> None:
    """Its attempt is closed as lost; the next one has the next number."""
    claimed = store.running(INBOX, session="old")
    assert store.rescue("old") == 1
    task = store.task(claimed.id)
    assert (task.status, task.retry_count, task.attempt) == (Status.PENDING, 0, 1)
    assert store.events(task.id)[-1] == "lost"
    assert store.rows("SELECT attempt, outcome FROM attempt") == [(1, "lost")]
    assert store.deliveries(task.id) == ["held"]
    assert [one.attempt for one in store.claim("new")] == [2]


def test_a_rescue_honours_a_cancel(store: Store) -> None:
    """Who was asked to stop and died has stopped; the answer is owed."""
    claimed = store.running(INBOX, session="old")
    store.cancel(claimed.id)
    store.rescue("old")
    assert store.status(claimed.id) is Status.CANCELLED
    assert store.deliveries(claimed.id) == ["pending"]
    assert store.rows("SELECT outcome FROM attempt") == [("lost",)]


def test_a_rescue_leaves_living_sessions_alone(store: Store) -> None:
    """Only what the ended session held is given back."""
    lost, kept = store.running(session="old"), store.running(session="new")
    assert store.rescue("old") == 1
    assert (store.status(lost.id), store.status(kept.id)) == (Status.PENDING, Status.RUNNING)


def test_a_rescue_finds_what_an_earlier_one_left(store: Store) -> None:
    """At most 500 a call; call again until none is left, also without a session to end."""
    store.write(submissions.submit, *(submission() for _ in range(502)))
    store.claim("old", free=1_000)
    assert [store.rescue("old"), store.rescue(), store.rescue()] == [500, 2, 0]


def test_a_rescued_task_keeps_its_deadline(store: Store) -> None:
    """Lost time is not given back."""
    claimed = store.running(session="old", deadline_at=store.clock.now_ms() + 1_000)
    store.clock.advance(5)
    store.rescue("old")
    store.advance(0)
    assert store.task(claimed.id).error_code == "expired"


def test_a_session_lives_for_its_lease(store: Store) -> None:
    """It is expired one millisecond after, not at, the end of its lease; a renewal counts from now."""
    store.session("w1")
    store.clock.advance(store.database.terms.lease_ms / 1000)
    assert store.read(sessions.expired) == {}
    store.clock.advance(0.001)
    assert list(store.read(sessions.expired)) == ["w1"]
    assert store.write(sessions.renew, "w1") == [True]
    assert store.read(sessions.expired) == {}


def test_an_ended_session_cannot_be_renewed(store: Store) -> None:
    """Nor can one that was never there; each answer is for its own id."""
    store.session("w1")
    store.session("w2")
    store.rescue("w1")
    assert store.write(sessions.renew, "w1", "w2", "w3") == [False, True, False]
    assert [row["id"] for row in store.read(lists.living_workers)] == ["w2"]


def test_opening_a_session_again_changes_nothing(store: Store) -> None:
    """An ended session does not come back to life under its old id."""
    store.session("w1")
    store.rescue("w1")
    store.session("w1")
    assert store.write(sessions.renew, "w1") == [False]


def test_a_session_knows_what_runs_under_it(store: Store) -> None:
    """A claim whose answer was lost is found by comparing."""
    mine, other = store.running(session="w1"), store.running(session="w2")
    assert store.read(sessions.held_by, "w1") == [(mine.id, 1)]
    assert store.read(sessions.held_by, "w2") == [(other.id, 1)]
