"""Ageing: who has waited for a period rises by a priority, once, with a line in the timeline."""

from __future__ import annotations

import json

import pytest

from duly.model.state import Status
from duly.store import ageing, submissions
from duly.store.ageing import LOOK, Waited
from support.stores import Store, submission

PERIOD = 60_000


def waited(store: Store) -> tuple[str, ...]:
    """Who has waited so long, as a reader sees it."""
    return tuple(store.read(ageing.waited, ("default",), PERIOD))


def rise(store: Store, *ids: str) -> int:
    """One rise of these."""
    [count] = store.write(ageing.rise, Waited(ids=ids, period_ms=PERIOD))
    return int(count)


def priority(store: Store, id_: str) -> int:
    """As it stands."""
    return 11 - int(store.column(id_, "rank"))


def aged(store: Store, id_: str) -> list[int]:
    """The priorities that the timeline tells of."""
    rows = store.rows(f"SELECT data FROM event WHERE task_id = '{id_}' AND type = 'aged' ORDER BY seq")  # noqa: S608
    return [json.loads(data)["priority"] for (data,) in rows]


def test_who_has_waited_long_rises_by_one(store: Store) -> None:
    """To the head of the next priority, with an event, and uncharged."""
    low = store.submit(priority=3)
    above = [store.submit(priority=4) for _ in range(3)]
    store.advance(60)
    assert rise(store, *waited(store)) == 4
    assert (priority(store, low), aged(store, low), store.column(low, "retry_count")) == (4, [4], 0)
    assert [priority(store, id_) for id_ in above] == [5, 5, 5]


def test_before_the_period_nobody_rises(store: Store) -> None:
    """Neither found, nor risen by who asks for it."""
    id_ = store.submit(priority=3)
    store.advance(59)
    assert waited(store) == ()
    assert rise(store, id_) == 0


def test_two_processes_raise_once(store: Store) -> None:
    """Both have seen the same; the second finds that a new period has begun."""
    store.submit(priority=3)
    store.advance(60)
    seen = waited(store)
    assert [rise(store, *seen), rise(store, *seen)] == [1, 0]
    assert (priority(store, seen[0]), aged(store, seen[0])) == (4, [4])


def test_the_lowest_is_served_after_nine_periods(store: Store) -> None:
    """However much is submitted above it meanwhile."""
    low = store.submit(owner="low", priority=1)
    served = []
    for _ in range(9):
        store.write(submissions.submit, *[submission(owner="high", priority=10) for _ in range(5)])
        store.advance(60)
        rise(store, *waited(store))
        served.append(store.claim()[0].owner)
    assert (priority(store, low), aged(store, low)) == (10, list(range(2, 11)))
    assert served == ["high"] * 8 + ["low"]


def test_who_does_not_wait_does_not_rise(store: Store) -> None:
    """What runs, rests or is not due yet was seen too early, or is no matter of ageing."""
    running = store.running(priority=3)
    later = store.submit(priority=3, due_at=store.clock.now_ms() + 3_600_000)
    store.advance(60)
    assert waited(store) == ()
    assert rise(store, running.id, later) == 0
    assert store.column(later, "status") == Status.SCHEDULED


def test_the_highest_priority_is_the_end(store: Store) -> None:
    """There is nothing above it."""
    id_ = store.submit(priority=10)
    store.advance(600)
    assert waited(store) == ()
    assert (rise(store, id_), priority(store, id_)) == (0, 10)


def test_a_look_is_bounded(store: Store) -> None:
    """Those behind come when the first have risen; those who stood first still do."""
    items = [submission(priority=3) for _ in range(LOOK + 5)]
    ids = [one.id for one in store.write(submissions.submit, *items)]
    store.advance(60)
    assert waited(store) == tuple(ids[:LOOK])
    rise(store, *waited(store))
    assert waited(store) == tuple(ids[LOOK:])
    assert [claimed.id for claimed in store.claim(free=3)] == ids[:3]


@pytest.mark.parametrize("empty", [True, False])
def test_it_stands_at_the_head(store: Store, empty: bool) -> None:
    """With the ticket of who is first there; the first ticket where nobody is."""
    if not empty:
        store.write(submissions.submit, *[submission(priority=6) for _ in range(5)])
        store.claim(free=2)
    id_ = store.submit(priority=5)
    store.advance(60)
    rise(store, id_)
    head = store.rows("SELECT min(fair_at) FROM task WHERE status = 'pending'")[0][0]
    assert store.column(id_, "fair_at") == head == (0 if empty else 3000)
