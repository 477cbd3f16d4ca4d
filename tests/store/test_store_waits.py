"""Suspension in the store: what a wait leaves behind, what a signal does, and what neither may do."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.state import Status
from duly.store import claims, lists, recall, rounds, schema, signals, waits
from duly.store.lists import rows_of
from duly.store.signals import Signal
from support.stores import Store, suspension, wait


def again(store: Store) -> Any:
    """The next round of the one task that is pending."""
    [claimed] = store.claim()
    return claimed


def test_the_first_recorded_end_of_a_wait_stands(store: Store) -> None:
    """Asked again with another length it ends when it would have ended."""
    claimed = store.running()
    first = store.wait(claimed, delay=60_000)
    store.clock.advance(10)
    assert store.wait(claimed, delay=60_000) == first
    assert first is not None
    assert first.due_at == store.clock.now_ms() + 50_000


def test_a_wait_of_a_lost_attempt_changes_nothing(store: Store) -> None:
    """It neither remembers anything nor takes a signal."""
    claimed = store.running()
    store.signal(claimed.id, "go")
    store.rescue("w1")
    assert store.wait(claimed, "go") is None
    assert store.rows("SELECT count(*) FROM step") == [(0,)]
    store.session("w2")
    [second] = store.claim("w2")
    assert store.wait(second, "go").taken == 1  # type: ignore[union-attr]


def test_a_suspension_of_a_lost_attempt_is_refused(store: Store) -> None:
    """Another attempt may be running."""
    claimed = store.running()
    step = store.wait(claimed, "go")
    store.rescue("w1")
    assert store.suspend(claimed, step) is None


def test_a_suspension_sent_again_recognises_its_own_work(store: Store) -> None:
    """Its answer may have been lost."""
    claimed = store.running()
    step = store.wait(claimed, "go")
    assert [store.suspend(claimed, step) for _ in range(2)] == [Status.WAITING, Status.WAITING]


def test_a_signal_between_the_look_and_the_suspension_is_not_missed(store: Store) -> None:
    """The wait has found none; the suspension finds it and goes to the queue's head."""
    claimed = store.running()
    step = store.wait(claimed, "go")
    store.signal(claimed.id, "go", "7")
    assert store.suspend(claimed, step) is Status.PENDING
    taken = store.wait(again(store), "go")
    assert taken is not None
    assert (taken.taken, taken.value) == (1, "7")


def test_a_signal_beats_a_timeout_that_nobody_has_seen(store: Store) -> None:
    """Once the timeout was answered, it stands, and the next signal is for the next wait."""
    late = store.waiting("go", delay=1_000)
    store.clock.advance(2)
    store.signal(late, "go")
    claimed = again(store)
    assert store.wait(claimed, "go").taken == 1  # type: ignore[union-attr]
    store.finish(claimed)
    timed_out = store.waiting("go", delay=1_000)
    store.advance(2)
    claimed = again(store)
    assert store.wait(claimed, "go").taken == 0  # type: ignore[union-attr]
    store.signal(timed_out, "go")
    assert store.wait(claimed, "go").taken == 0  # type: ignore[union-attr]
    assert store.wait(claimed, "go", n=2).taken == 1  # type: ignore[union-attr]


def test_two_waits_in_one_batch_take_two_signals(store: Store) -> None:
    """A wait sent twice takes one; a later round remembers which took which."""
    claimed = store.running()
    store.signal(claimed.id, "go", "1")
    store.signal(claimed.id, "go", "2")
    one, two = wait(claimed, "go"), wait(claimed, "go", n=2)
    found = store.write(waits.wait, one, two, one)
    assert [step.value for step in found] == ["1", "2", "1"]
    assert [step.value for step in store.read(recall.steps, claimed.id)] == ["1", "2"]


def test_signals_in_one_batch_keep_their_order(store: Store) -> None:
    """The first for which the task waits wakes it; each has its line, and none is kept twice."""
    id_ = store.waiting("go")
    said = [Signal(id_, name, name + data, data) for name, data in (("x", "1"), ("go", "2"), ("go", "3"))]
    answers = store.write(signals.signal, *said, said[1], Signal(id_, "go", "go2", "other"))
    assert [(one.kept, one.conflict) for one in answers] == [(True, False)] * 4 + [(False, True)]
    assert store.events(id_)[-4:] == ["waiting", "signalled", "signalled", "woken"]
    assert numbered(store) == [(1, "x"), (2, "go"), (3, "go")]
    assert store.status(id_) is Status.PENDING


def numbered(store: Store) -> list[tuple[int, str]]:
    """All signals."""
    query = sa.select(schema.signal.c.n, schema.signal.c.name).order_by(schema.signal.c.n)
    return store.read(lambda tx: [tuple(row) for row in tx.core.execute(query)])  # type: ignore[no-any-return]


@pytest.mark.parametrize("status", list(Status))
def test_a_signal_in_every_state(store: Store, status: Status) -> None:
    """Kept unless the task has ended; it moves no task that does not wait for it."""
    if status is Status.BLOCKED:
        return
    id_ = store.standing(status)
    assert store.signal(id_, "go") == signals.Signalled(status, not status.terminal)
    assert store.status(id_) is status


def test_a_signal_to_nobody(store: Store) -> None:
    """Is told so."""
    assert store.signal("nobody", "go") == signals.Signalled(None)


def test_a_woken_task_stands_at_the_queues_head(store: Store) -> None:
    """It has waited long enough."""
    id_ = store.waiting("go")
    others = [store.submit() for _ in range(3)]
    store.signal(id_, "go")
    assert store.column(id_, "fair_at") == store.column(others[0], "fair_at")
    assert again(store).id == id_


def test_a_waiting_task_is_cancelled_at_once(store: Store) -> None:
    """And a cancel that was accepted while it ran beats its suspension, signal or not."""
    assert store.cancel(store.waiting("go")) is Status.CANCELLED
    for told in (False, True):
        claimed = store.running()
        step = store.wait(claimed, "go")
        store.cancel(claimed.id)
        if told:
            store.signal(claimed.id, "go")
        assert store.suspend(claimed, step) is Status.CANCELLED


def test_the_deadline_of_a_waiting_task(store: Store) -> None:
    """The clock acts on whatever comes first: the wait's end or the deadline."""
    ends = store.clock.now_ms() + 5_000
    endless, longer = store.waiting("go", deadline_at=ends), store.waiting(delay=60_000, deadline_at=ends)
    assert store.column(endless, "due_at") == store.column(longer, "due_at") == ends
    shorter = store.waiting(delay=1_000, deadline_at=ends)
    store.advance(2)
    assert store.status(shorter) is Status.PENDING
    store.advance(3)
    assert {store.task(id_).error_code for id_ in (endless, longer)} == {"deadline_exceeded"}
    assert store.column(shorter, "error_code") == "expired"


def test_a_suspect_that_suspends_has_killed_nothing(store: Store) -> None:
    """Whether it waits or its signal has just come."""
    for told in (False, True):
        id_ = store.submit()
        for number in range(2):
            store.claim(f"w{number}{told}")
            store.rescue(f"w{number}{told}")
        [claimed] = store.claim("last", beside=())
        assert (claimed.id, claimed.suspect) == (id_, 1)
        step = store.wait(claimed, "go")
        if told:
            store.signal(id_, "go")
        store.suspend(claimed, step)
        assert (store.column(id_, "suspect"), store.column(id_, "deaths")) == (0, 0)
        store.cancel(id_)


def test_a_retried_task_keeps_its_waits(store: Store) -> None:
    """As its steps: what a wait took is not asked for again."""
    claimed = store.running()
    store.signal(claimed.id, "go", "7")
    store.wait(claimed, "go")
    store.finish(claimed, Status.FAILED)
    store.retry(claimed.id)
    [step] = store.read(recall.steps, claimed.id)
    assert (step.taken, step.value) == (1, "7")


def test_a_sleep_is_over_for_a_reader_when_its_time_has_come(store: Store) -> None:
    """Then a replay needs no look of its own."""
    id_ = store.waiting(delay=1_000)
    assert [step.taken for step in store.read(recall.steps, id_)] == [None]
    store.clock.advance(1)
    assert [step.taken for step in store.read(recall.steps, id_)] == [0]


def test_of_sleeps_that_are_over_the_next_round_has_the_numbers(store: Store) -> None:
    """One that is not, and a wait for a signal, are told whole; who asks for the steps gets all of them."""
    claimed = store.running()
    for n, delay in enumerate((1_000, 2_000, 90_000), 1):
        store.wait(claimed, n=n, delay=delay)
    store.signal(claimed.id, "go")
    store.wait(claimed, "go")
    store.clock.advance(2)
    found = store.read(recall.remembered, claimed.id)
    assert {(one.waits_for, one.n, one.taken) for one in found.steps} == {("", 3, None), ("go", 1, 1)}
    assert [set(numbers) for numbers in found.slept.values()] == [{1, 2}]
    assert found.many == len(store.read(recall.steps, claimed.id)) == 4


def test_many_rounds_leave_the_lines_of_the_last_ones(store: Store) -> None:
    """And a marker for those before; what else was said in them stays."""
    claimed = store.running()
    for n in range(1, 31):
        step = store.wait(claimed, n=n, delay=1_000)
        assert store.suspend(claimed, step) is Status.WAITING
        if n % 10 == 0:
            store.signal(claimed.id, "told")
        store.advance(1)
        claimed = again(store)
    events = store.read(lists.events, claimed.id)
    assert [event.type for event in events].count("waiting") == rounds.KEPT
    [marker] = [event for event in events if event.type == "compacted"]
    assert marker.data == {"rounds": 10, "attempt": 10}
    assert [event.type for event in events].count("signalled") == 3
    assert store.rows("SELECT attempt FROM attempt") == [(31,)]
    store.finish(claimed)


def test_a_round_that_ended_otherwise_stays_in_the_timeline(store: Store) -> None:
    """Retries, losses and hand-backs are no rounds of waiting, before, between and after them."""
    claimed = store.running()
    others = [Status.RETRY, Status.PENDING, Status.WAITING]
    for n in range(1, 2 * rounds.KEPT):
        if n % 10 == 5:
            store.finish(claimed, others[n % 3])
            store.advance(60)
            [claimed] = store.claim(f"w{n}")
        if n % 10 == 7:
            store.rescue(f"w{n - 1}")
            [claimed] = store.claim(f"w{n}")
        store.suspend(claimed, store.wait(claimed, "go", n=n))
        store.signal(claimed.id, "go")
        [claimed] = store.claim(f"w{n}")
        store.wait(claimed, "go", n=n)
    told = store.events(claimed.id)
    assert (told.count("lost"), told.count("retry") + told.count("handed_back")) == (4, 2)
    assert told.count("compacted") == 1
    store.finish(claimed)


def test_many_suspensions_write_little(store: Store) -> None:
    """What they leave behind: a remembered wait each, and nothing more that grows with them."""
    claimed = store.running()
    for n in range(1, 101):
        store.suspend(claimed, store.wait(claimed, n=n, delay=0 if n % 2 else 10))
        store.clock.advance(0.01)
        store.promote()
        claimed = again(store)
    tables = ("step", "event", "attempt")
    counted = {table: len(store.read(rows_of, table, claimed.id)) for table in tables}
    assert counted == {"step": 100, "event": 2 * rounds.KEPT + 3, "attempt": 1}
    store.finish(claimed)


def test_suspensions_in_one_batch(store: Store) -> None:
    """Each is decided for itself."""
    id_1, id_2 = store.submit(), store.submit()
    claimed = {one.id: one for one in store.claim(free=2)}
    steps = {id_: store.wait(one, "go") for id_, one in claimed.items()}
    store.signal(id_2, "go")
    ends = [suspension(claimed[id_], steps[id_]) for id_ in (id_1, id_2)]  # type: ignore[arg-type]
    assert store.write(claims.finish, *ends) == [Status.WAITING, Status.PENDING]
