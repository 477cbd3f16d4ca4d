"""Claims by id, for engines whose messages name tasks: a message is a hint, the row decides."""

from __future__ import annotations

import pytest

from duly.model.errors import SessionEnded
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import journal, limit_desk, named, pauses, sessions
from duly.store.limit_desk import Setting
from duly.store.named import Asker, Named, claim_named
from duly.store.pauses import Pause
from support.stores import Store, step

STARTED = [status for status in Status if status is not Status.PENDING]


def asked(
    store: Store,
    *ids: str,
    session: str = "w1",
    types: tuple[str, ...] = ("demo",),
    queues: tuple[str, ...] = ("default",),
) -> list[Claimed | None]:
    """What becomes of messages with these ids, taken together by one worker."""
    store.session(session, queues)
    return store.write(claim_named, *(Named(Asker(session, queues, types), id_) for id_ in ids))


def sender(store: Store, id_: str) -> str:
    """A living session that serves no type."""
    store.write(sessions.start, sessions.Session(id=id_, host="h", pid=1, queues=("default",), types=()))
    return id_


def test_a_named_task_is_claimed_as_any_other(store: Store) -> None:
    """With its input, and the next attempt is the fence; what stands before it in the queue stays."""
    first, second = store.submit(), store.submit(input='{"n":2}')
    [claimed] = asked(store, second)
    assert claimed is not None
    assert (claimed.id, claimed.attempt, claimed.input) == (second, 1, '{"n":2}')
    assert store.task(second).worker_id == "w1"
    assert store.events(second) == ["accepted", "started"]
    assert store.status(first) is Status.PENDING


def test_a_message_that_comes_twice_starts_one_attempt(store: Store) -> None:
    """In one group, and after the first has started; and to another worker."""
    id_ = store.submit()
    [first, second] = asked(store, id_, id_)
    assert (first is None) is not (second is None)
    assert asked(store, id_) == [None]
    assert asked(store, id_, session="w2") == [None]
    assert store.task(id_).attempt == 1


@pytest.mark.parametrize("status", STARTED)
def test_a_task_that_does_not_wait_is_left_as_it_is(store: Store, status: Status) -> None:
    """Whatever became of it since it was named."""
    if status is Status.BLOCKED:
        store.write(limit_desk.put, Setting(name="type/demo", concurrency=1))
        store.running()
        id_ = store.submit()
        store.claim()
    else:
        id_ = store.standing(status)
    before = store.task(id_)
    assert before.status is status
    assert asked(store, id_) == [None]
    assert store.task(id_) == before


def test_an_unknown_id_is_nothing(store: Store) -> None:
    """It was deleted, or somebody wrote nonsense into the broker."""
    id_ = store.submit()
    [none, known] = asked(store, "strange", id_)
    assert none is None
    assert known is not None


def test_only_what_the_worker_serves(store: Store) -> None:
    """Its types, versions and queues."""
    strange, elsewhere = store.submit(task_type="strange"), store.submit(queue="mail")
    assert asked(store, strange, elsewhere) == [None, None]
    assert {store.status(strange), store.status(elsewhere)} == {Status.PENDING}


def test_a_version_that_the_worker_lacks_stays(store: Store) -> None:
    """A task that has recorded a step belongs to the code that did."""
    claimed = store.running()
    store.write(journal.record_steps, step(claimed, version="2"))
    store.finish(claimed, Status.PENDING)
    assert asked(store, claimed.id) == [None]
    [again] = asked(store, claimed.id, types=("demo", "demo@2"))
    assert again is not None


def test_a_paused_queue_gives_nothing(store: Store) -> None:
    """A message that was sent before the pause finds it."""
    id_ = store.submit()
    store.session("w1")
    store.write(pauses.pause, Pause(queue="default"))
    assert asked(store, id_) == [None]
    assert store.status(id_) is Status.PENDING
    store.write(pauses.resume, "default")
    assert asked(store, id_) != [None]


def test_a_full_limit_blocks(store: Store) -> None:
    """Of three that come together two find room; the third is blocked, and stands in line when one ends."""
    ids = [store.submit() for _ in range(3)]
    store.write(limit_desk.put, Setting(name="type/demo", concurrency=2))
    claimed = [one for one in asked(store, *ids) if one is not None]
    assert [one.id for one in claimed] == ids[:2]
    assert all(one.limited for one in claimed)
    assert store.status(ids[2]) is Status.BLOCKED
    store.finish(claimed[0])
    assert store.status(ids[2]) is Status.PENDING
    assert asked(store, ids[2]) != [None]


def test_an_ended_session_claims_nothing(store: Store) -> None:
    """It is told so."""
    id_ = store.submit()
    store.session("w1")
    store.rescue("w1")
    with pytest.raises(SessionEnded):
        store.write(claim_named, Named(Asker("w1", ("default",), ("demo",)), id_))
    assert store.status(id_) is Status.PENDING


def test_a_task_past_its_deadline_is_left_to_the_clock(store: Store) -> None:
    """As an ordinary claim leaves it."""
    id_ = store.submit(deadline_at=store.clock.now_ms() + 1_000, due_at=None)
    store.clock.advance(2)
    assert asked(store, id_) == [None]


def test_who_waits_is_told_in_the_order_of_claims(store: Store) -> None:
    """The first of each queue that is open, of those whose moment has come; no suspects."""
    low, high = store.submit(priority=2), store.submit(priority=9)
    store.submit(due_at=store.clock.now_ms() + 60_000)
    mail = store.submit(queue="mail")
    found = store.read(named.waiting, ("default", "mail", "none"), 10)
    assert {queue: [one.id for one in tasks] for queue, tasks in found.items()} == {
        "default": [high, low],
        "mail": [mail],
        "none": [],
    }
    assert [one.rank for one in found["default"]] == [2, 9]
    assert [one.id for one in store.read(named.waiting, ("default",), 1)["default"]] == [high]
    store.write(pauses.pause, Pause(queue="default"))
    assert store.read(named.waiting, ("default",), 10) == {}


def test_who_is_pending_anew_looks_different(store: Store) -> None:
    """So that it is named again at once, however soon it came back."""
    claimed = store.running()
    before = store.read(named.waiting, ("default",), 10)["default"]
    assert before == []
    store.finish(claimed, Status.PENDING)
    [once] = store.read(named.waiting, ("default",), 10)["default"]
    [again] = asked(store, claimed.id)
    assert again is not None
    store.finish(again, Status.PENDING)
    [twice] = store.read(named.waiting, ("default",), 10)["default"]
    assert once.id == twice.id
    assert once != twice


def test_the_oldest_living_sender_leads(store: Store) -> None:
    """Workers do not count; when it has ended or its lease is over the next one does."""
    store.session("a-worker")
    first, second = sender(store, "b"), sender(store, "c")
    assert store.read(named.leads, first)
    assert not store.read(named.leads, second)
    store.clock.advance(20)
    store.write(sessions.renew, second)
    store.clock.advance(20)
    assert store.read(named.leads, second)
