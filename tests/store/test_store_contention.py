"""Several processes on one server at full speed: every promise holds, and no caller hears of a deadlock.

`test_store_races` stops one process between two statements; here nobody stops.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import claims, journal, submissions
from duly.store.database import Database
from support.stores import Store, ending, lines, request, step, submission

pytestmark = pytest.mark.only("postgres", "mariadb")

PROCESSES = 6
TASKS = 2_000


class Fleet:
    """Stores on one database, each with connections of its own.

    `again` counts the groups that had to be tried again; `failures` are errors that reached a caller, except
    that its session was ended.
    """

    def __init__(self, store: Store, size: int) -> None:
        self.again = 0
        self.failures: list[str] = []
        self._stores = [self._opened(store) for _ in range(size)]

    def _opened(self, store: Store) -> Store:
        database = Database(store.database.url, clock=store.clock, emit=self._hear)
        database.open()
        return Store(database, store.clock)

    def _hear(self, event: str, **data: Any) -> None:
        self.again += event == "store.again"
        if event == "store.call_failed" and not data["error"].startswith("SessionEnded"):
            self.failures.append(data["error"])

    def each(self, work: Callable[[Store, int], Any]) -> list[Any]:
        """What `work(store, number)` answers on each store, all at the same time."""
        start = threading.Barrier(len(self._stores))

        def begin(number: int) -> Any:
            start.wait(30)
            return work(self._stores[number], number)

        with ThreadPoolExecutor(len(self._stores)) as threads:
            return list(threads.map(begin, range(len(self._stores))))

    def close(self) -> None:
        for one in self._stores:
            one.database.close()


@pytest.fixture
def fleet(store: Store) -> Iterator[Fleet]:
    """Six processes on the store's database, none of whose calls may fail."""
    one = Fleet(store, PROCESSES)
    yield one
    one.close()
    assert not one.failures


def fill(store: Store, count: int, **overrides: Any) -> list[str]:
    """That many pending tasks, of several owners."""
    items = [submission(owner=f"owner{number % 7}", **overrides) for number in range(count)]
    for start in range(0, count, 100):
        store.write(submissions.submit, *items[start : start + 100])
    return [item.id for item in items]


def drain(store: Store, session: str, free: int, patience: int = 50) -> list[Claimed]:
    """Claims until it is told `patience` times in a row that nothing is there."""
    store.session(session)
    mine: list[Claimed] = []
    idle = 0
    while idle < patience:
        [found] = store.write(claims.claim, request(session, free=free))
        idle = 0 if found else idle + 1
        mine += found
    return mine


def test_each_task_is_claimed_once(store: Store, fleet: Fleet) -> None:
    """Two thousand tasks, six claimers."""
    ids = fill(store, TASKS)
    found = fleet.each(lambda one, number: drain(one, f"w{number}", free=8 + number))
    claimed = [each.id for mine in found for each in mine]
    assert Counter(claimed) == Counter(ids)
    assert all(found), "one of them got nothing"


def test_each_task_is_claimed_once_while_others_submit(fleet: Fleet) -> None:
    """Half of them submit two hundred each, with a hundred sent twice."""

    def work(one: Store, number: int) -> list[str]:
        if number % 2:
            return [each.id for each in drain(one, f"w{number}", free=5, patience=300)]
        ids = fill(one, 200)
        again = [submission(id=id_) for id_ in ids[:100]]
        assert [answer.created for answer in one.write(submissions.submit, *again)] == [True] * 100
        return []

    found = fleet.each(work)
    left = fleet.each(lambda one, number: [each.id for each in drain(one, f"w{number}", free=50)])
    claimed = [id_ for mine in (*found, *left) for id_ in mine]
    assert len(claimed) == len(set(claimed)) == 200 * PROCESSES // 2


def test_a_key_names_one_task_whoever_is_first(store: Store, fleet: Fleet) -> None:
    """All submit the same sixty keys, each in an order of its own, in batches of one to seven."""
    keys = [f"key{number}" for number in range(60)]

    def work(one: Store, number: int) -> dict[str, str]:
        die = random.Random(number)  # noqa: S311 - an order of its own, not a secret
        mine = die.sample(keys, len(keys))
        answers = {}
        while mine:
            batch, mine = mine[: (size := die.randint(1, 7))], mine[size:]
            wanted = [submission(idempotency_key=key, unique=key, tags=("a",)) for key in batch]
            answers |= zip(batch, one.write(submissions.submit, *wanted), strict=True)
        return answers

    found = fleet.each(work)
    for key in keys:
        assert len({answers[key].id for answers in found}) == 1
        assert sum(answers[key].created for answers in found) == 1
    assert store.rows("SELECT count(*) FROM task") == [(60,)]


def test_no_task_is_left_with_a_session_that_was_ended(store: Store, fleet: Fleet) -> None:
    """Half of them end the sessions under which others claim: each end finds all, and nothing follows it."""
    fill(store, 300)

    def work(one: Store, number: int) -> list[str]:
        sessions = [f"w{number % 3}-{round_}" for round_ in range(25)]
        for session in sessions:
            if number < PROCESSES // 2:
                _claim_until_ended(one, session)
            else:
                one.session(session)
                one.rescue(session)
        return sessions if number >= PROCESSES // 2 else []

    ended = [session for sessions in fleet.each(work) for session in sessions]
    assert not {worker for (worker,) in store.rows("SELECT worker_id FROM task")} & set(ended)
    assert store.rows("SELECT count(*) FROM task WHERE status = 'pending' AND attempt > 0")[0][0] > 0


def _claim_until_ended(store: Store, session: str) -> None:
    store.session(session)
    for _ in range(20):
        try:
            store.write(claims.claim, request(session, free=3))
        except claims.SessionEnded:
            return


def test_an_outcome_and_a_cancel_do_not_contradict_each_other(store: Store, fleet: Fleet) -> None:
    """Each running task is ended by one process and cancelled by another, in batches of different orders."""
    fill(store, 240)
    store.session("w")
    [running] = store.write(claims.claim, request("w", free=240))
    ends = [Status.COMPLETED, Status.RETRY, Status.FAILED, Status.WAITING]

    def work(one: Store, number: int) -> dict[str, Status | None]:
        mine = [each for place, each in enumerate(running) if place % 3 == number % 3]
        random.Random(number).shuffle(mine)  # noqa: S311 - an order of its own, not a secret
        answers: dict[str, Status | None] = {}
        for start in range(0, len(mine), 40):
            batch = mine[start : start + 40]
            answers |= zip([each.id for each in batch], _end(one, batch, ends, number < 3), strict=True)
        return answers

    found = fleet.each(work)
    told = {id_: status for answers in found[:3] for id_, status in answers.items()}
    for id_, status in told.items():
        now = store.status(id_)
        assert status in (now, Status.RETRY, Status.WAITING)
        assert now in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


def _end(
    store: Store, batch: Sequence[Claimed], ends: Sequence[Status], finishing: bool
) -> list[Status | None]:
    if finishing:
        items = [ending(one, ends[place % len(ends)]) for place, one in enumerate(batch)]
        return store.write(claims.finish, *items)
    return store.write(submissions.cancel, *[one.id for one in batch])


def test_an_old_attempt_and_a_new_one_share_no_timeline(store: Store, fleet: Fleet) -> None:
    """Old attempts write on while a rescuer takes their tasks and others claim them and write the same."""
    fill(store, 60)
    store.session("old")
    [old] = store.write(claims.claim, request("old", free=60))

    def work(one: Store, number: int) -> int:
        if number == 0:
            return one.rescue("old")
        mine = old if number < 3 else drain(one, f"w{number}", free=20, patience=150)
        return sum(_writes(one, mine))

    fleet.each(work)
    [left] = store.write(claims.claim, request(store.session("last"), free=60, beside=None))
    assert not left
    stale = store.write(journal.append, *[lines(one, "late") for one in old])
    assert stale == [False] * len(old)


def _writes(store: Store, mine: Sequence[Claimed]) -> Iterator[int]:
    """Two steps and a line for each, in batches; how many were accepted."""
    for n in (1, 2):
        for start in range(0, len(mine), 20):
            batch = mine[start : start + 20]
            yield sum(store.write(journal.record_steps, *[step(one, n=n) for one in batch]))
            yield sum(store.write(journal.append, *[lines(one, "said", progress=0.5) for one in batch]))


@pytest.mark.parametrize("verb", [claims.finish, journal.append], ids=lambda verb: verb.__name__)
def test_tasks_are_locked_in_the_order_of_their_keys(store: Store, verb: Any) -> None:
    """Whatever the order of a batch, or two would wait for each other: the last key is free meanwhile."""
    fill(store, 3)
    store.session("w")
    [running] = store.write(claims.claim, request("w", free=3))
    first, middle, last = sorted(running, key=lambda one: one.id)
    make = ending if verb is claims.finish else lines
    driver = store.database.driver
    with closing(driver.connect()) as holder, closing(driver.connect()) as looker:
        _lock(holder, middle)
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(store.write, verb, *[make(one) for one in (last, middle, first)])
            free = next(found for _ in range(5_000) if len(found := _free(looker, first, last)) < 2)
            holder.cursor().execute("ROLLBACK")
            assert None not in answer.result()
    assert free == {last.id}


def _lock(connection: Any, one: Claimed) -> None:
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute("SELECT id FROM task WHERE id = %s FOR UPDATE", (one.id,))
    cursor.fetchall()


def _free(connection: Any, *some: Claimed) -> set[str]:
    """Which of two tasks nobody has locked."""
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute(
        "SELECT id FROM task WHERE id IN (%s, %s) FOR UPDATE SKIP LOCKED", [one.id for one in some]
    )
    found = {row[0] for row in cursor.fetchall()}
    cursor.execute("ROLLBACK")
    return found
