"""An operator's words: cancel and retry, in every state, and what each does to deliveries and steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from duly.model.errors import StateConflict
from duly.model.events import EventType
from duly.model.state import TERMINAL, TRANSITIONS, Status, allowed
from duly.model.task import Claimed, Target
from duly.store import claims, deliveries, journal, lists, recall, submissions, transitions
from duly.store.deliveries import Sent
from duly.store.transaction import Transaction
from duly.store.transitions import Change
from support.stores import Store, ending, step

INBOX = Target(channel="inbox")
#: Nothing blocks a task yet: limits come with PostgreSQL.
REACHED = [status for status in Status if status is not Status.BLOCKED]
IDLE = [status for status in REACHED if status not in TERMINAL and status is not Status.RUNNING]
Verb = Callable[[Store, str], object]


def finishing(target: Status) -> Verb:
    """A finish by the task's newest attempt, whether or not it still runs."""

    def finish(store: Store, id_: str) -> object:
        attempt = max(1, store.task(id_).attempt)
        facts = dict.fromkeys(Claimed._fields) | {"id": id_, "attempt": attempt}
        return store.write(claims.finish, ending(Claimed(**facts), target))

    return finish


def rescuing(store: Store, id_: str) -> object:
    return store.rescue(store.task(id_).worker_id or "nobody")


VERBS: dict[str, Verb] = {
    "cancel": Store.cancel,
    "retry": Store.retry,
    "claim": lambda store, _: store.claim("w2"),
    "promote at once": lambda store, _: store.promote(),
    "promote after a year": lambda store, _: store.advance(366 * 86_400),
    "rescue": rescuing,
    **{f"finish as {target}": finishing(target) for target in sorted(TRANSITIONS[Status.RUNNING])},
}


@pytest.mark.parametrize(("status", "verb"), [*itertools.product(REACHED, VERBS)])
def test_every_verb_in_every_state_keeps_to_the_table(store: Store, status: Status, verb: str) -> None:
    """It leaves the task as it is, or moves it along the table of states, and tells so in one event.

    The end of a wait by the clock has been told by the event of its suspension.
    """
    id_ = store.standing(status)
    lines = len(store.events(id_))
    VERBS[verb](store, id_)
    after = store.status(id_)
    assert after is status or allowed(status, after)
    moved = after is not status or (status, verb) == (Status.RUNNING, "cancel")
    told_before = (status, verb) == (Status.WAITING, "promote after a year")
    assert len(store.events(id_)) - lines == int(moved and not told_before)


@pytest.mark.parametrize("status", IDLE, ids=str)
def test_a_cancel_is_at_once_unless_it_runs(store: Store, status: Status) -> None:
    """The task has ended, with its time and its answer owed, and it is never started again."""
    id_ = store.standing(status, INBOX)
    assert store.cancel(id_) is Status.CANCELLED
    store.advance(86_400)
    assert store.claim() == []
    assert store.task(id_).completed_at is not None
    assert store.deliveries(id_) == ["pending"]


def test_a_running_task_is_asked_to_stop(store: Store) -> None:
    """It goes on running until its handler has stopped; the wish is remembered with its time."""
    claimed = store.running()
    assert store.cancel(claimed.id) is Status.RUNNING
    assert store.task(claimed.id).cancel_requested_at == store.clock.now_ms()
    assert store.read(lists.cancelling, [claimed.id]) == [claimed.id]
    assert store.finish(claimed, Status.CANCELLED) is Status.CANCELLED


def test_asking_twice_is_asking_once(store: Store) -> None:
    """The first wish stands with its time, and the timeline has one line of it."""
    claimed = store.running()
    asked_at = store.clock.now_ms()
    store.cancel(claimed.id)
    store.clock.advance(5)
    assert store.write(submissions.cancel, claimed.id, claimed.id) == [Status.RUNNING, Status.RUNNING]
    assert store.task(claimed.id).cancel_requested_at == asked_at
    assert store.events(claimed.id).count("cancel_requested") == 1


@pytest.mark.parametrize("status", sorted(TERMINAL), ids=str)
def test_a_cancel_does_not_touch_what_has_ended(store: Store, status: Status) -> None:
    """The answer is the status that stands."""
    id_ = store.ended(status)
    before = store.task(id_)
    assert store.cancel(id_) is status
    assert store.task(id_) == before


def test_one_call_answers_for_each_task(store: Store) -> None:
    """Unknown, waiting, running and twice the same: each place of the answer is its own."""
    waiting, running = store.standing(Status.WAITING), store.running().id
    ids = [waiting, "unknown", running, waiting]
    expected = [Status.CANCELLED, None, Status.RUNNING, Status.CANCELLED]
    assert store.write(submissions.cancel, *ids) == expected


@pytest.mark.parametrize("status", REACHED, ids=str)
def test_only_what_did_not_succeed_is_retried(store: Store, status: Status) -> None:
    """A failed or cancelled task gets another run; all others stay, and the answer is the status before."""
    id_ = store.standing(status)
    assert store.retry(id_) is status
    expected = Status.PENDING if status in (Status.FAILED, Status.CANCELLED) else status
    assert store.status(id_) is expected


def test_a_retry_begins_with_fresh_counters(store: Store) -> None:
    """All retries again, no error, no end, no passed deadline; the attempt number goes on."""
    claimed = store.running(deadline_at=store.clock.now_ms() + 90_000)
    store.finish(claimed, Status.RETRY)
    store.advance(3)
    [claimed] = store.claim()
    store.finish(claimed, Status.FAILED, exhausted=True)
    store.advance(3_600)
    store.retry(claimed.id)
    task = store.task(claimed.id)
    assert (task.retry_count, task.exhausted, task.error_code, task.error) == (0, False, None, None)
    assert (task.completed_at, task.started_at, task.deadline_at, task.due_at) == (None, None, None, None)
    assert store.column(task.id, "expires_at") is None
    assert [one.attempt for one in store.claim()] == [3]


def test_a_retry_after_a_cancel_may_run_to_its_end(store: Store) -> None:
    """The old wish to stop does not reach the new run."""
    claimed = store.running()
    store.cancel(claimed.id)
    store.finish(claimed, Status.CANCELLED)
    store.retry(claimed.id)
    [again] = store.claim()
    assert store.finish(again, Status.RETRY) is Status.RETRY


def test_a_retry_keeps_the_steps(store: Store) -> None:
    """The new run goes on where the last one stopped."""
    claimed = store.running()
    store.write(journal.record_steps, step(claimed, value='"paid"'))
    store.finish(claimed, Status.FAILED)
    store.retry(claimed.id)
    assert [one.value for one in store.read(recall.steps, claimed.id)] == ['"paid"']


def test_a_retry_keeps_the_task_under_its_idempotency_key(store: Store) -> None:
    """The same request sent again still finds it."""
    id_ = store.ended(Status.FAILED, idempotency_key="k")
    store.retry(id_)
    assert store.submit(idempotency_key="k") == id_


def test_an_unsent_answer_waits_for_the_new_end(store: Store) -> None:
    """Nobody is told of a failure that is being retried; then of the result, once."""
    id_ = store.ended(Status.FAILED, INBOX)
    store.retry(id_)
    assert store.deliveries(id_) == ["held"]
    [claimed] = store.claim()
    store.finish(claimed)
    assert store.deliveries(id_) == ["pending"]


def test_an_answer_that_was_sent_is_owed_again(store: Store) -> None:
    """Whoever heard of the failure hears of the new end too, by a delivery of its own."""
    id_ = store.ended(Status.FAILED, INBOX)
    [[sent]] = store.write(deliveries.claim_deliveries, ("w1", 9))
    store.write(deliveries.fix_body, (sent, "{}"))
    store.write(deliveries.settle, Sent(id=sent.id, attempt=sent.attempt, status="delivered"))
    store.retry(id_)
    assert store.deliveries(id_) == ["delivered", "held"]


def test_a_second_retry_owes_one_answer_per_target(store: Store) -> None:
    """Successors do not multiply."""
    id_ = store.ended(Status.FAILED, INBOX)
    for _ in range(3):
        store.retry(id_)
        store.cancel(id_)
    assert store.deliveries(id_) == ["pending"]


def test_a_move_that_the_table_does_not_have_is_refused(store: Store) -> None:
    """Whatever a verb asks for: the one place that moves tasks looks first, and writes nothing."""
    id_ = store.ended(Status.COMPLETED)

    def reopen(tx: Transaction, ids: Sequence[str]) -> list[None]:
        [one] = transitions.facts(tx, ids).values()
        transitions.apply(tx, [Change(facts=one, target=Status.RUNNING, event=EventType.STARTED)])
        return [None]

    with pytest.raises(StateConflict, match="completed task cannot become running"):
        store.write(reopen, id_)
    assert store.events(id_)[-1] == "completed"
