"""Recording outcomes: once, by the attempt that runs the task, and cancel beats everything but a result."""

from __future__ import annotations

import pytest

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Target
from duly.store import claims
from support.stores import ENDINGS, Store, ending

INBOX = Target(channel="inbox")
OPEN_ENDS = [Status.RETRY, Status.WAITING, Status.PENDING]


def test_a_result_ends_the_task(store: Store) -> None:
    """Task, attempt, result, event and delivery say so in one commit."""
    claimed = store.running(INBOX)
    assert store.finish(claimed, result='{"answer":42}') is Status.COMPLETED
    task = store.task(claimed.id)
    assert (task.status, task.result, task.worker_id, task.progress) == (
        "completed",
        {"answer": 42},
        None,
        1.0,
    )
    assert task.completed_at == store.clock.now_ms()
    assert store.events(task.id) == ["accepted", "started", "completed"]
    assert store.deliveries(task.id) == ["pending"]
    assert store.rows("SELECT outcome, ended_at FROM attempt") == [("completed", store.clock.now_ms())]


def test_a_result_leaves_nothing_of_the_attempts_before(store: Store) -> None:
    """No deaths, no unique key, no due time; what was counted stays counted."""
    first = store.running(unique="once")
    store.finish(first, Status.RETRY, delay_ms=2_000)
    store.advance(2)
    store.promote()
    store.claim("old")
    store.rescue("old")
    store.finish(store.claim("new")[0])
    found = store.rows("SELECT deaths, unique_key, due_at, error_code, retry_count FROM task")
    assert found == [(0, None, None, None, 1)]
    outcomes = store.rows("SELECT outcome FROM attempt ORDER BY attempt")
    assert outcomes == [("retry",), ("lost",), ("completed",)]


def test_an_ended_task_is_kept_for_the_time_of_retention(store: Store) -> None:
    """Its row says when it may be deleted."""
    id_ = store.ended()
    expires_at = store.clock.now_ms() + store.database.terms.retention_ms
    assert store.column(id_, "expires_at") == expires_at


@pytest.mark.parametrize("size", [10, 5_000, 2_500_000])
def test_a_result_of_any_size_is_kept(store: Store, size: int) -> None:
    """What was returned is what is read."""
    claimed = store.running()
    store.finish(claimed, result='"' + "界" * size + '"')
    assert store.task(claimed.id).result == "界" * size


@pytest.mark.parametrize("target", ENDINGS, ids=str)
def test_a_stale_attempt_changes_nothing(store: Store, target: Status) -> None:
    """After a rescue and a new claim the old attempt is refused, whatever it says."""
    stale = store.running(session="old")
    store.rescue("old")
    [current] = store.claim("new")
    before = store.task(stale.id)
    assert store.finish(stale, target) is None
    assert store.task(stale.id) == before
    assert store.finish(current) is Status.COMPLETED


def test_an_attempt_that_was_rescued_is_refused_before_the_next_claim(store: Store) -> None:
    """The task is pending again: its next attempt, not the lost one, will say how it ends."""
    lost = store.running(session="old")
    store.rescue("old")
    assert store.finish(lost) is None
    assert store.status(lost.id) is Status.PENDING


def test_a_late_result_that_nobody_reclaimed_is_kept(store: Store) -> None:
    """The lease ran out, but no rescuer came: the work was paid for."""
    claimed = store.running()
    store.clock.advance(3_600)
    assert store.finish(claimed) is Status.COMPLETED


@pytest.mark.parametrize("target", ENDINGS, ids=str)
def test_an_outcome_sent_again_recognises_itself(store: Store, target: Status) -> None:
    """After a commit whose answer was lost, the second time answers the same and writes nothing."""
    claimed = store.running()
    assert store.finish(claimed, target) is target
    before = store.task(claimed.id), store.events(claimed.id)
    assert store.finish(claimed, target) is target
    assert (store.task(claimed.id), store.events(claimed.id)) == before


@pytest.mark.parametrize("target", OPEN_ENDS, ids=str)
def test_an_outcome_that_a_cancel_overruled_recognises_itself(store: Store, target: Status) -> None:
    """Sent again, it is told what became of it, not that the lease was lost."""
    claimed = store.running()
    store.cancel(claimed.id)
    assert store.finish(claimed, target) is Status.CANCELLED
    assert store.finish(claimed, target) is Status.CANCELLED


def test_a_result_that_a_rescue_discarded_is_not_recognised(store: Store) -> None:
    """The rescuer cancelled the task; its late result was lost and must not be called recorded."""
    claimed = store.running(session="old")
    store.cancel(claimed.id)
    store.rescue("old")
    assert store.finish(claimed) is None
    assert store.status(claimed.id) is Status.CANCELLED


def test_of_two_outcomes_of_one_attempt_the_first_counts(store: Store) -> None:
    """Two outcomes in one group: the second one is refused, and nothing of it is kept."""
    claimed = store.running()
    items = [ending(claimed, result='"first"'), ending(claimed, Status.FAILED, traceback="second")]
    assert store.write(claims.finish, *items) == [Status.COMPLETED, None]
    assert store.task(claimed.id).result == "first"
    assert store.rows("SELECT kind FROM task_data ORDER BY kind") == [("input",), ("result",)]


def test_a_stale_result_in_the_same_group_does_not_replace_the_current_one(store: Store) -> None:
    """Each item of a group is fenced by itself: the result is the current attempt's."""
    stale = store.running(session="old")
    store.rescue("old")
    [current] = store.claim("new")
    items = [ending(current, result='"current"'), ending(stale, result='"stale"')]
    assert store.write(claims.finish, *items) == [Status.COMPLETED, None]
    assert store.task(stale.id).result == "current"


@pytest.mark.parametrize("target", OPEN_ENDS, ids=str)
def test_a_cancel_beats_whatever_would_go_on(store: Store, target: Status) -> None:
    """A cancel that was accepted while it ran is not forgotten by a retry, a wait or a hand-back."""
    claimed = store.running(INBOX)
    store.cancel(claimed.id)
    assert store.finish(claimed, target) is Status.CANCELLED
    task = store.task(claimed.id)
    assert (task.status, task.retry_count, task.due_at) == (Status.CANCELLED, 0, None)
    assert store.events(task.id)[-2:] == ["cancel_requested", "cancelled"]
    assert store.deliveries(task.id) == ["pending"]


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED], ids=str)
def test_a_cancel_never_beats_an_end(store: Store, target: Status) -> None:
    """The handler was faster: its result, or its failure, stands."""
    claimed = store.running()
    store.cancel(claimed.id)
    assert store.finish(claimed, target) is target


def test_a_retry_is_charged_and_waits(store: Store) -> None:
    """It is due after its delay, counted from the commit, and keeps its error until then."""
    claimed = store.running()
    store.clock.advance(7)
    store.finish(claimed, Status.RETRY, delay_ms=2_000, error_code="later", error="not yet")
    task = store.task(claimed.id)
    assert (task.retry_count, task.due_at) == (1, store.clock.now_ms() + 2_000)
    assert (task.error_code, task.error) == ("later", "not yet")


@pytest.mark.parametrize("target", [Status.WAITING, Status.PENDING], ids=str)
def test_a_wait_and_a_hand_back_are_not_charged(store: Store, target: Status) -> None:
    """They are not the handler's failure."""
    claimed = store.running()
    store.finish(claimed, target)
    assert store.task(claimed.id).retry_count == 0


@pytest.mark.parametrize("target", [Status.RETRY, Status.WAITING], ids=str)
def test_what_would_come_back_after_the_deadline_fails_now(store: Store, target: Status) -> None:
    """Nobody is kept waiting for an attempt that may not run; sent again, it recognises itself."""
    claimed = store.running(INBOX, deadline_at=store.clock.now_ms() + 2_000)
    assert store.finish(claimed, target, delay_ms=2_000) is Status.FAILED
    assert store.finish(claimed, target, delay_ms=2_000) is Status.FAILED
    task = store.task(claimed.id)
    assert (task.error_code, task.retry_count) == ("deadline_exceeded", 0)
    assert store.deliveries(task.id) == ["pending"]


def test_what_comes_back_before_the_deadline_goes_on(store: Store) -> None:
    """One millisecond is enough."""
    claimed = store.running(deadline_at=store.clock.now_ms() + 2_001)
    assert store.finish(claimed, Status.RETRY, delay_ms=2_000) is Status.RETRY


def test_a_result_after_the_deadline_is_kept(store: Store) -> None:
    """The deadline stops attempts; it does not throw away what was paid for."""
    claimed = store.running(deadline_at=store.clock.now_ms() + 1_000)
    store.clock.advance(10)
    assert store.finish(claimed) is Status.COMPLETED


def test_an_unknown_task_has_no_lease(store: Store) -> None:
    """A task that retention deleted is answered like a lost lease."""
    claimed = store.running()
    other = ending(claimed)._replace(id="00000000-0000-7000-8000-000000000000")
    assert store.write(claims.finish, other, ending(claimed)) == [None, Status.COMPLETED]


def test_outcomes_of_many_tasks_in_one_group_keep_apart(store: Store) -> None:
    """Each task gets its own state, error and result."""
    runs = [store.running(owner=str(number)) for number in range(4)]
    ends = [Status.COMPLETED, Status.FAILED, Status.RETRY, Status.WAITING]
    errors = [None, "failed", "retry", "waiting"]
    items = [ending(*one, error=error) for *one, error in zip(runs, ends, errors, strict=True)]
    assert store.write(claims.finish, *items) == ends
    assert [store.task(one.id).error for one in runs] == errors


def test_time_in_a_timeline_never_runs_backwards(store: Store) -> None:
    """The host's clock may be set back; an event is then dated like the one before."""
    claimed = store.running()
    start = store.clock.now_ms()
    store.clock.advance(-500)
    store.finish(claimed, Status.PENDING, event=EventType.HANDED_BACK)
    store.claim()
    assert store.rows("SELECT DISTINCT at FROM event") == [(start,)]
