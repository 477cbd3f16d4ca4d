"""Handing out: what a worker can start now, and nothing else."""

from __future__ import annotations

import json

import pytest

from duly.model.errors import SessionEnded
from duly.model.state import Status
from duly.store import claims, journal, submissions
from duly.store.claims import Lane
from support.stores import Store, new_id, request, step, submission


def test_a_claim_makes_the_next_attempt(store: Store) -> None:
    """The task runs under this session, and the attempt number is the new fence."""
    store.submit()
    [claimed] = store.claim("w1")
    task = store.task(claimed.id)
    assert (task.status, task.attempt, task.worker_id) == (Status.RUNNING, 1, "w1")
    assert task.started_at == store.clock.now_ms()
    assert store.events(task.id) == ["accepted", "started"]


def test_a_claimed_task_carries_what_its_handler_needs(store: Store) -> None:
    """Input, limits, owner and metadata travel with the claim."""
    deadline = store.clock.now_ms() + 5_000
    store.submit(input='{"n":1}', owner="ann", tenant="t", metadata={"a": 1}, deadline_at=deadline)
    [claimed] = store.claim()
    assert (claimed.input, claimed.owner, claimed.tenant, claimed.metadata) == (
        '{"n":1}',
        "ann",
        "t",
        {"a": 1},
    )
    assert (claimed.deadline_at, claimed.timeout_ms, claimed.max_retries) == (deadline, 600_000, 3)


@pytest.mark.parametrize("free", [0, 1, 3, 7])
def test_a_claim_takes_exactly_the_free_slots(store: Store, free: int) -> None:
    """Never more than asked for; all of it when there is enough."""
    for _ in range(5):
        store.submit()
    assert len(store.claim(free=free)) == min(free, 5)


def test_each_lane_has_its_own_slots(store: Store) -> None:
    """A full lane takes nothing from another."""
    for task_type in ("fast", "fast", "slow", "slow", "slow"):
        store.submit(task_type=task_type)
    lanes = (Lane(types=("fast",), free=5), Lane(types=("slow",), free=1), Lane(types=("none",), free=3))
    taken = [one.task_type for one in store.claim(lanes=lanes)]
    assert sorted(taken) == ["fast", "fast", "slow"]


def test_types_that_a_worker_does_not_know_are_left_for_others(store: Store) -> None:
    """They stay pending, and what stands behind them is found."""
    strange = [store.submit(task_type="strange") for _ in range(3)]
    known = store.submit()
    assert [one.id for one in store.claim(free=5)] == [known]
    assert {store.status(id_) for id_ in strange} == {Status.PENDING}


def test_several_queues_are_merged_in_claim_order(store: Store) -> None:
    """Priority holds across the queues of one worker."""
    low = store.submit(queue="a", priority=2)
    high = store.submit(queue="b", priority=9)
    store.submit(queue="c", priority=10)
    assert [one.id for one in store.claim(queues=("a", "b"), free=5)] == [high, low]


def test_a_queue_that_is_named_twice_is_served_once(store: Store) -> None:
    """A slip in a worker's settings does not stop its claims."""
    id_ = store.submit()
    assert [one.id for one in store.claim(queues=("default", "default"), free=5)] == [id_]


def test_an_ended_session_claims_nothing(store: Store) -> None:
    """It is told so, and the task stays for others."""
    id_ = store.submit()
    store.session("w1")
    store.rescue("w1")
    with pytest.raises(SessionEnded):
        store.write(claims.claim, request("w1"))
    assert store.status(id_) is Status.PENDING


def test_an_unknown_session_claims_nothing(store: Store) -> None:
    """A session that was never opened is as good as ended."""
    store.submit()
    with pytest.raises(SessionEnded):
        store.write(claims.claim, request("nobody"))


def test_two_claims_of_one_group_share_no_task(store: Store) -> None:
    """Each task is handed out once, also when both questions are in one transaction."""
    for _ in range(3):
        store.submit()
    store.session("w1")
    store.session("w2")
    one, two = store.write(claims.claim, request("w1", free=2), request("w2", free=2))
    assert len({claimed.id for claimed in one + two}) == len(one + two) == 3


def test_an_expired_task_is_not_started(store: Store) -> None:
    """From the millisecond of its deadline it is passed over, and it fails when the clock acts."""
    id_ = store.submit(deadline_at=store.clock.now_ms() + 1_000)
    store.clock.advance(1)
    assert store.claim() == []
    store.advance(0)
    task = store.task(id_)
    assert (task.status, task.error_code, task.attempt) == (Status.FAILED, "expired", 0)


def test_a_task_is_started_until_its_deadline(store: Store) -> None:
    """One millisecond before, it still runs."""
    store.submit(deadline_at=store.clock.now_ms() + 1_000)
    store.clock.advance(0.999)
    assert len(store.claim()) == 1


@pytest.mark.parametrize("size", [10, 4_090, 5_000, 1_200_000, 3_500_000])
def test_an_input_of_any_size_arrives_unchanged(store: Store, size: int) -> None:
    """Small ones travel as text, large ones compressed in parts: the handler sees the same."""
    text = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(size // 3))
    value = json.dumps({"text": text}, ensure_ascii=False)
    store.submit(input=value)
    [claimed] = store.claim()
    assert claimed.input == value


def test_large_and_small_inputs_of_one_claim_are_not_mixed_up(store: Store) -> None:
    """Each task of a claim gets its own input."""
    inputs = {new_id(): json.dumps({"text": str(number) * 3_000 * number}) for number in range(5)}
    store.write(submissions.submit, *(submission(id=id_, input=text) for id_, text in inputs.items()))
    assert {one.id: one.input for one in store.claim(free=9)} == inputs


def test_a_later_attempt_gets_the_same_input(store: Store) -> None:
    """Steps, tracebacks and other bodies that the task has by then are not taken for it."""
    first = store.running(input='{"n":1}')
    store.write(journal.record_steps, step(first, "a", value='"not the input"'))
    store.finish(first, Status.RETRY, traceback="not the input")
    store.advance(3)
    [second] = store.claim()
    assert (second.attempt, second.input) == (2, '{"n":1}')


def test_the_look_before_a_claim_sees_the_pending_queues_only(store: Store) -> None:
    """It saves a write transaction when there is nothing to hand out."""
    store.submit(queue="fast")
    store.submit(due_at=store.clock.now_ms() + 1_000)
    assert store.read(claims.startable, request(queues=("default", "fast")))
    assert not store.read(claims.startable, request())
    assert not store.read(claims.startable, request(queues=("fast",), types=("other",)))
