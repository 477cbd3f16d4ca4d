"""Block against release, 400 times on servers: nobody waits beside room, nothing is exceeded (DESIGN 4.9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import claims, limit_care, limit_desk, submissions
from duly.store.limit_desk import Setting
from duly.store.transaction import Transaction
from support.races import LANES, RACES, race
from support.stores import Store, ending, request, submission

pytestmark = [pytest.mark.only("postgres", "mariadb"), pytest.mark.writer]


def limited(store: Store, keys: list[str], cap: int = 1) -> None:
    """Limits of these names."""
    store.write(limit_desk.put, *[Setting(name=name, concurrency=cap) for name in keys])


#: How many transactions of this database wait for a lock.
WAITING = {
    "postgres": """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'""",
    "mariadb": """SELECT count(*) FROM information_schema.innodb_trx t
        JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
        WHERE t.trx_state = 'LOCK WAIT' AND p.db = database()""",
}


#: InnoDB answers anew only who has not asked for 100 ms.
ANEW_SECONDS = 0.15
#: Keys of cap 2 of which more run, whatever the limit's own row says; and rows that say so themselves.
OVERFULL = (
    "SELECT limit_key FROM task WHERE status = 'running' GROUP BY limit_key HAVING count(*) > 2",
    "SELECT name FROM limits WHERE taken > cap",
)


def lock_awaited(store: Store, seconds: float = 20) -> None:
    """Returns when somebody waits for a lock."""
    query = WAITING[store.database.driver.dialect]
    by = time.monotonic() + seconds
    while store.rows(query)[0][0] == 0:
        assert time.monotonic() < by, "nobody waits for a lock"
        threading.Event().wait(ANEW_SECONDS)


def test_an_end_wakes_who_was_blocked_while_it_waited_for_the_lock(store: Store, others: list[Store]) -> None:
    """What it reads of them it must read after it has the lock: in the statement that waited for it they are
    not blocked yet."""
    limited(store, ["key/demo//1"])
    held, waits = (store.submit(limit_key="key/demo//1") for _ in range(2))
    [holding] = store.claim(free=1)
    assert holding.id == held
    blocked, ending_waits = threading.Event(), threading.Event()

    def claimed(tx: Transaction, items: Sequence[claims.ClaimRequest]) -> list[list[Claimed]]:
        """A claim whose commit comes late."""
        found = claims.claim(tx, items)
        blocked.set()
        assert ending_waits.wait(30)
        return found

    store.session("w2")
    with ThreadPoolExecutor(2) as threads:
        claim = threads.submit(others[0].write, claimed, request("w2"))
        assert blocked.wait(30)
        end = threads.submit(others[1].write, claims.finish, ending(holding))
        try:
            lock_awaited(store)
        finally:
            ending_waits.set()
        assert claim.result(30) == [[]]
        assert end.result(30) == [Status.COMPLETED]
    assert store.events(waits)[1:] == ["blocked", "unblocked"]
    assert store.status(waits) is Status.PENDING


def test_nobody_is_blocked_by_an_end_that_just_gave_back(store: Store, others: list[Store]) -> None:
    """One process ends what holds a key, another claims for its second task, at the same moment: whichever
    is first, that task runs or is pending."""
    keys = [f"key/demo//{number}" for number in range(RACES)]
    limited(store, keys)
    store.write(submissions.submit, *[submission(limit_key=key) for key in keys])
    holding = store.claim(free=RACES)
    assert len(holding) == RACES
    for lane in range(LANES):
        store.session(f"q{lane}", queues=(f"q{lane}",))
    rounds = [(one, key, f"q{n % LANES}") for n, (one, key) in enumerate(zip(holding, keys, strict=True))]

    def second(one: Store, task: tuple[Claimed, str, str]) -> None:
        one.write(submissions.submit, submission(limit_key=task[1], queue=task[2]))

    def claim(one: Store, task: tuple[Claimed, str, str]) -> None:
        one.write(claims.claim, request(task[2], queues=(task[2],), free=1))

    def end(one: Store, task: tuple[Claimed, str, str]) -> None:
        one.write(claims.finish, ending(task[0]))

    race(others, rounds, end, claim, before=second)
    standing = dict(store.rows("SELECT status, count(*) FROM task GROUP BY status"))
    assert Status.BLOCKED.value not in standing
    assert standing[Status.COMPLETED.value] == RACES
    assert store.read(limit_care.look) == limit_care.Found([], [])


def test_a_crowd_under_few_keys_comes_to_an_end(store: Store, others: list[Store]) -> None:
    """Four processes, ten keys of cap 2, hundreds of tasks: all run, with no sweep to help."""
    count = max(RACES, 200)
    keys = [f"key/demo//{number}" for number in range(10)]
    limited(store, keys, 2)
    store.write(submissions.submit, *[submission(limit_key=keys[n * n % 10]) for n in range(count)])
    over: list[str] = []

    def work(lane: int) -> None:
        mine, idle = others[lane], 0
        mine.session(f"w{lane}")
        while idle < 20:
            [claimed] = mine.write(claims.claim, request(f"w{lane}", free=8))
            idle = 0 if claimed else idle + 1
            over.extend(name for look in OVERFULL for (name,) in mine.rows(look))
            if claimed:
                mine.write(claims.finish, *[ending(one) for one in claimed])

    with ThreadPoolExecutor(LANES) as lanes:
        list(lanes.map(work, range(LANES)))
    assert over == []
    assert store.rows("SELECT status, count(*) FROM task GROUP BY status") == [("completed", count)]
