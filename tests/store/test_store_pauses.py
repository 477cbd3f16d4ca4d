"""A paused queue starts nothing from the pause's commit on, whoever claims and whenever he began."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.store import claims, pauses, queues, sessions
from duly.store.database import Database
from duly.store.driver import Trouble
from duly.store.heads import Heads
from duly.store.link import Link
from duly.store.pauses import Pause
from duly.store.sessions import open_of
from duly.store.transaction import Transaction
from support.stores import Store, ending, request


@pytest.fixture
def fleet(store: Store) -> Iterator[list[Store]]:
    """Two more processes on the same database."""
    databases = [Database(store.database.url, clock=store.clock) for _ in range(2)]
    for one in databases:
        one.open()
    yield [Store(one, store.clock) for one in databases]
    for one in databases:
        one.close()


class At:
    """A transaction of another process, tried in the middle of one here; `waited` for a lock, or not."""

    def __init__(self, store: Store, verb: Callable[..., Any], *items: Any) -> None:
        self._store = store
        self._verb = verb
        self._items = items
        self.waited: bool | None = None

    def __call__(self) -> None:
        database = self._store.database
        driver = database.driver
        engine = sa.create_engine(
            driver.core_url,
            module=driver.module,
            creator=lambda: driver.connect(patience=0.1),
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )
        link = Link(driver, engine, database.clock, database.terms, Heads())
        try:
            self._verb(link.begin(), self._items)
            link.commit()
            self.waited = False
        except (driver.module.Error, sa.exc.DBAPIError) as error:
            if link.trouble(error) not in (Trouble.BUSY, Trouble.AGAIN):
                raise
            self.waited = True
        finally:
            link.close()


def then(verb: Callable[..., Any], meanwhile: Callable[[], object]) -> Callable[..., Any]:
    """The verb, with something that another process does before it commits."""

    def interrupted(tx: Transaction, items: Any) -> Any:
        answers = verb(tx, items)
        meanwhile()
        return answers

    return interrupted


def pause(store: Store, queue: str = "default", **words: str) -> bool:
    """Whether the queue was open until now."""
    return bool(store.write(pauses.pause, Pause(queue=queue, **words))[0])


def test_a_paused_queue_starts_nothing(store: Store) -> None:
    """Not before it is resumed, and then at once."""
    id_ = store.submit()
    assert pause(store)
    assert store.claim() == []
    assert store.write(pauses.resume, "default") == [True]
    assert [one.id for one in store.claim()] == [id_]


def test_a_pause_reaches_sessions_that_live(store: Store) -> None:
    """It was open when the session began."""
    store.session("w1")
    store.submit()
    pause(store)
    assert store.claim("w1") == []


def test_what_runs_goes_on(store: Store) -> None:
    """A pause takes nothing away: the attempt finishes, and a retry of it waits."""
    claimed = store.running()
    pause(store)
    assert store.finish(claimed, Status.RETRY) is Status.RETRY
    store.advance(3)
    assert (store.status(claimed.id), store.claim()) == (Status.PENDING, [])


def test_other_queues_are_served(store: Store) -> None:
    """A worker of several queues leaves out the paused one only, even one whose name begins alike."""
    store.session("w1", queues=("mail", "mailing"))
    pause(store, "mail")
    store.submit(queue="mail")
    id_ = store.submit(queue="mailing")
    assert [one.id for one in store.claim("w1", queues=("mail", "mailing"), free=9)] == [id_]


def test_several_pauses_are_kept_apart(store: Store) -> None:
    """Resuming one leaves the others as they are."""
    names = ("a", "b", "c")
    store.session("w1", queues=names)
    each = {name: store.submit(queue=name) for name in names}
    store.write(pauses.pause, *(Pause(queue=name) for name in names))
    store.write(pauses.resume, "b")
    assert [one.id for one in store.claim("w1", queues=names, free=9)] == [each["b"]]


def test_suspects_of_a_paused_queue_rest_too(store: Store) -> None:
    """A quarantine asks in the same way."""
    for name in ("w2", "w3"):
        store.submit() if name == "w2" else None
        assert store.claim(name)
        store.rescue(name)
    pause(store)
    wanted = request(store.session("q"), free=9, beside=())
    assert not store.read(claims.startable, wanted)
    assert store.write(claims.claim, wanted) == [[]]


def test_the_look_before_a_claim_passes_by_a_paused_queue(store: Store) -> None:
    """Or workers would claim in vain, again and again."""
    store.submit()
    assert store.read(claims.startable, request())
    pause(store)
    assert not store.read(claims.startable, request())


def test_pausing_again_renews_the_words(store: Store) -> None:
    """The moment is the first one's; resuming once is enough, and resuming an open queue is nothing."""
    store.session("w1")
    assert pause(store, by="ann", reason="the model is down")
    first = store.clock.now_ms()
    store.clock.advance(60)
    assert not pause(store, by="bob")
    [state] = store.read(queues.queues)
    assert (state.paused_at, state.paused_by, state.reason) == (first, "bob", "the model is down")
    assert store.write(pauses.resume, "default") == [True]
    assert store.write(pauses.resume, "default") == [False]
    id_ = store.submit()
    assert [one.id for one in store.claim()] == [id_]


def test_queues_are_those_served_filled_or_paused(store: Store) -> None:
    """With how many tasks stand in each state; those that have ended well are not counted."""
    store.session("w1", queues=("served",))
    store.ended(Status.COMPLETED)
    failed = store.ended(Status.FAILED)
    store.submit(queue="filled")
    pause(store, "paused")
    found = {one.name: one for one in store.read(queues.queues)}
    assert sorted(found) == ["default", "filled", "paused", "served"]
    assert {name: count for name, count in found["default"].counts.items() if count} == {"failed": 1}
    assert found["filled"].counts["pending"] == 1
    assert [one.name for one in store.read(queues.paused)] == ["paused"]
    assert [one.name for one in store.read(queues.queues, "filled")] == ["filled"]
    assert store.status(failed) is Status.FAILED


@pytest.mark.parametrize("words", [{"queue": "a,b"}, {"queue": ""}, {"queue": "a", "reason": "x\x00"}])
def test_what_cannot_be_kept_is_refused(words: dict[str, str]) -> None:
    """A queue's name holds no comma: they stand between commas in a session's row."""
    with pytest.raises(InvalidInput):
        Pause(**words)


def test_a_name_within_a_name_is_another_queue() -> None:
    """Each queue once, in the worker's order."""
    assert open_of(("b", "a", "b"), None) == ["b", "a"]
    assert open_of(("ab", "a", "b"), ",b,") == ["ab", "a"]


@pytest.mark.only("postgres", "mariadb")
def test_a_pause_waits_for_a_claim_that_has_begun(store: Store) -> None:
    """Its commit comes after the claim's, so what that starts was started before the pause."""
    store.submit()
    store.session("w1")
    paused = At(store, pauses.pause, Pause(queue="default"))
    assert store.write(then(claims.claim, paused), request("w1"))[0]
    assert paused.waited


@pytest.mark.only("postgres", "mariadb")
def test_a_claim_waits_for_a_pause_that_has_begun(store: Store) -> None:
    """It cannot decide by what was there before."""
    store.submit()
    store.session("w1")
    claimed = At(store, claims.claim, request("w1"))
    store.write(then(pauses.pause, claimed), Pause(queue="default"))
    assert claimed.waited


@pytest.mark.only("postgres", "mariadb")
def test_a_session_and_a_pause_that_begin_together_see_each_other(store: Store) -> None:
    """The session waits and begins with the pause, or the pause waits and finds the session."""
    store.session("w0", queues=("default", "other"))
    started = At(store, sessions.start, sessions.Session(id="w9", host="h", pid=1, queues=("default",)))
    store.write(then(pauses.pause, started), Pause(queue="default"))
    paused = At(store, pauses.pause, Pause(queue="other"))
    new = sessions.Session(id="w8", host="h", pid=1, queues=("default", "other"))
    store.write(then(sessions.start, paused), new)
    assert (started.waited, paused.waited) == (True, True)


def test_no_claim_starts_a_task_after_the_pauses_commit(store: Store, fleet: list[Store]) -> None:
    """Two processes claim as fast as they can, with new sessions all the time; the pause comes between."""
    for _ in range(400):
        store.submit()
    paused, done = threading.Event(), threading.Event()
    in_vain = [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        begun = 0
        while not done.is_set():
            begun += 1
            was_paused = paused.is_set()
            session = f"w{number}-{begun % 7}"
            [claimed] = fleet[number].write(claims.claim, request(fleet[number].session(session)))
            if was_paused:
                assert claimed == []
                in_vain[number].set()

    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(work, number) for number in range(2)]
        try:
            while not store.rows("SELECT 1 FROM attempt LIMIT 1"):
                pass
            pause(store)
            [(before,)] = store.rows("SELECT count(*) FROM attempt")
            paused.set()
            assert all(one.wait(20) for one in in_vain)
        finally:
            done.set()
        for one in running:
            one.result()
    assert store.rows("SELECT count(*) FROM attempt") == [(before,)]
    store.write(pauses.resume, "default")
    assert store.claim(free=1)


def test_a_finished_attempt_of_a_paused_queue_is_kept(store: Store) -> None:
    """The result of what ran on is recorded."""
    claimed = store.running()
    pause(store)
    assert store.write(claims.finish, ending(claimed)) == [Status.COMPLETED]
