"""Two processes on one server: what one does between two statements of the other.

SQLite has one writer at a time; a server has many, so each verb must lock what it decides on, and decide
on what it read behind the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import claims, deliveries, journal, lists, sessions, submissions
from duly.store.database import Database
from duly.store.driver import Trouble, transaction
from duly.store.transaction import Row, Transaction
from support.stores import Store, ending, request, step

pytestmark = pytest.mark.only("postgres", "mariadb")

INBOX = Target(channel="inbox")
Verb = Callable[[Transaction, Sequence[Any]], Sequence[Any]]


class Interrupted:
    """A transaction in which something else happens, once, after the statements of one file."""

    def __init__(self, tx: Transaction, after: str, meanwhile: Callable[[], object]) -> None:
        self._tx = tx
        self._after = after
        self._meanwhile: list[Callable[[], object]] = [meanwhile]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def run(self, name: str, *batch: Any, **parameters: Any) -> list[Row]:
        rows = self._tx.run(name, *batch, **parameters)
        if name == self._after and self._meanwhile:
            self._meanwhile.pop()()
        return rows


def during(verb: Verb, after: str, meanwhile: Callable[[], object]) -> Verb:
    """The verb, with something that another process does after one of its files."""

    def interrupted(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        return verb(Interrupted(tx, after, meanwhile), items)  # type: ignore[arg-type]

    return interrupted


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another process's store on the same database."""
    database = Database(store.database.url, clock=store.clock)
    database.open()
    yield Store(database, store.clock)
    database.close()


class Tried:
    """A call of another process, made when this is called; `at_once` says whether no lock kept it waiting."""

    def __init__(self, store: Store, verb: Verb, *items: Any) -> None:
        self._database = store.database
        self._verb = verb
        self._items = items
        self.at_once: bool | None = None

    def __call__(self) -> None:
        driver, terms = self._database.driver, self._database.terms
        with closing(driver.connect(patience=0.1)) as connection:
            try:
                with transaction(driver, connection, self._database.clock, terms) as tx:
                    self._verb(tx, self._items)
                self.at_once = True
            except driver.module.Error as error:
                if driver.trouble(error) not in (Trouble.BUSY, Trouble.AGAIN):
                    raise
                self.at_once = False


def test_a_session_is_not_ended_under_a_claim(store: Store) -> None:
    """Who ends it waits for the claim's commit, and then gives back what was claimed."""
    id_ = store.submit()
    store.session("w1")
    ended = Tried(store, claims.rescue, {"w1": None})
    store.write(during(claims.claim, "session_alive", ended), request("w1"))
    assert ended.at_once is False
    assert store.rescue("w1") == 1
    assert store.status(id_) is Status.PENDING


@pytest.mark.only("postgres")
def test_a_renewal_waits_for_no_claim(store: Store) -> None:
    """Over a long line a claim of several looks takes longer than a renewal may wait. (The other databases
    have no lock that lets it pass.)"""
    store.submit()
    store.session("w1")
    renewed = Tried(store, sessions.renew, "w1")
    store.write(during(claims.claim, "session_alive", renewed), request("w1"))
    assert renewed.at_once is True


def test_a_session_is_not_renewed_while_it_is_ended(store: Store) -> None:
    """Or its worker would go on with what is given to others."""
    store.session("w1")
    renewed = Tried(store, sessions.renew, "w1")
    store.write(during(claims.rescue, "session_unrenewed", renewed), {"w1": None})
    assert renewed.at_once is False
    assert store.write(sessions.renew, "w1") == [False]


def test_a_session_is_not_ended_under_a_claim_of_deliveries(store: Store) -> None:
    """Or a delivery would be sent by a session that nobody looks after."""
    id_ = store.ended(Status.COMPLETED, INBOX)
    ended = Tried(store, claims.rescue, {"w1": None})
    store.write(during(deliveries.claim_deliveries, "delivery_claim", ended), ("w1", 9))
    assert ended.at_once is False
    store.rescue("w1")
    assert store.deliveries(id_) == ["pending"]


def test_nobody_changes_a_task_on_which_a_decision_is_under_way(store: Store) -> None:
    """A cancel that comes while a retry is being recorded waits, and then finds the retry: it is not lost."""
    claimed = store.running()
    cancelled = Tried(store, submissions.cancel, claimed.id)
    store.write(during(claims.finish, "facts", cancelled), ending(claimed, Status.RETRY))
    assert cancelled.at_once is False
    assert store.cancel(claimed.id) is Status.CANCELLED


def test_an_attempt_that_writes_holds_its_task(store: Store) -> None:
    """A rescue comes before the step or after it, never between its fence and its record."""
    claimed = store.running(session="old")
    lost = Tried(store, claims.rescue, {"old": None})
    assert store.write(during(journal.record_steps, "fence", lost), step(claimed)) == [True]
    assert lost.at_once is False


def test_lines_of_one_inbox_come_one_after_the_other(store: Store) -> None:
    """A line that is numbered later is committed later: who reads on from the last number misses none."""
    for _ in range(2):
        store.ended(Status.COMPLETED, INBOX, owner="ann")
    [[first, second]] = store.write(deliveries.claim_deliveries, ("w1", 9))
    put = Tried(store, deliveries.notify, notice(second))
    store.write(during(deliveries.notify, "notify", put), notice(first))
    assert put.at_once is False
    store.write(deliveries.notify, notice(second))
    assert [line["delivery_id"] for line in store.read(lists.inbox, "", "ann")] == [first.id, second.id]


def notice(delivery: deliveries.Delivery) -> deliveries.Notice:
    """The line that this delivery puts into ann's inbox."""
    return deliveries.Notice(
        delivery_id=delivery.id,
        attempt=delivery.attempt,
        task_id=delivery.task_id,
        tenant="",
        owner="ann",
        type="task.completed",
        body="",
    )


def test_claims_do_not_wait_for_each_other(store: Store) -> None:
    """Each passes by what another has taken and not yet committed."""
    first, second = store.submit(), store.submit()
    for name in ("w1", "w2"):
        store.session(name)
    claimed = Tried(store, claims.claim, request("w2"))
    [[mine]] = store.write(during(claims.claim, "claim", claimed), request("w1"))
    assert claimed.at_once is True
    assert (mine.id, store.task(second).worker_id) == (first, "w2")


def test_claims_of_deliveries_do_not_wait_for_each_other(store: Store) -> None:
    """What another is about to send is passed by."""
    store.ended(Status.COMPLETED, INBOX)
    store.session("w2")
    claimed = Tried(store, deliveries.claim_deliveries, ("w2", 9))
    [[mine]] = store.write(during(deliveries.claim_deliveries, "delivery_claim", claimed), ("w1", 9))
    assert claimed.at_once is True
    assert mine.attempt == 1


def test_two_promoters_promote_once(store: Store, other: Store) -> None:
    """The second finds nothing left to do: the task is pending, and not taken for one that has expired."""
    id_ = store.standing(Status.RETRY)
    store.clock.advance(3)
    store.write(during(claims.promote, "due", other.promote), 100)
    assert store.events(id_)[-1] == "due"
    assert store.status(id_) is Status.PENDING


def test_a_promoter_leaves_alone_what_runs_again(store: Store, other: Store) -> None:
    """Between its look and its lock another process promoted the task and claimed it."""
    id_ = store.standing(Status.RETRY)
    store.clock.advance(3)

    def promote_and_claim() -> None:
        other.promote()
        assert [one.id for one in other.claim("w2")] == [id_]

    store.write(during(claims.promote, "due", promote_and_claim), 100)
    assert (store.status(id_), store.task(id_).worker_id) == (Status.RUNNING, "w2")


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.FAILED, Status.RETRY, Status.WAITING], ids=str)
def test_a_rescuer_leaves_alone_what_ended_meanwhile(store: Store, other: Store, end: Status) -> None:
    """A late outcome came between its look and its lock: the outcome stands."""
    claimed = store.running(session="old")
    store.write(during(claims.rescue, "orphans", lambda: other.finish(claimed, end)), {"old": None})
    assert store.status(claimed.id) is end
    assert "lost" not in store.events(claimed.id)


def test_a_rescuer_is_fenced(store: Store, other: Store) -> None:
    """Another rescuer was faster, and the task runs again: its new attempt is not this one's to take."""
    claimed = store.running(session="old")
    store.write(_end, "old")

    def rescue_and_claim() -> None:
        other.rescue()
        assert [one.attempt for one in other.claim("new")] == [2]

    store.write(during(claims.rescue, "orphans", rescue_and_claim), {})
    assert (store.status(claimed.id), store.task(claimed.id).worker_id) == (Status.RUNNING, "new")
    assert store.events(claimed.id).count("lost") == 1


def _end(tx: Transaction, ids: Sequence[str]) -> list[None]:
    sessions.end(tx, ids)
    return [None for _ in ids]
