"""Several sweepers at once, as each process of a fleet has one: what one has done, no other does again."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from duly.model.state import Status
from duly.store import claims, retention, sessions, submissions
from support.stores import Store, ending, submission

#: Of each kind of work.
EACH = 40
DAY = 86_400


def standing(store: Store) -> dict[str, list[str]]:
    """Tasks of a dead worker, tasks that are due, tasks that were kept long enough; it is time for all."""
    found = {}
    ids = store.write(submissions.submit, *(submission() for _ in range(2 * EACH)))
    ended = store.claim("alive", free=EACH)
    store.write(claims.finish, *map(ending, ended))
    store.claim("dead", free=EACH)
    found["kept"] = [one.id for one in ended]
    found["lost"] = [one.id for one in ids if one.id not in found["kept"]]
    at = store.clock.now_ms() + 1000
    later = store.write(submissions.submit, *(submission(due_at=at) for _ in range(EACH)))
    found["due"] = [one.id for one in later]
    store.clock.advance(31 * DAY)
    store.write(sessions.renew, "alive")
    return found


def sweep(one: Store) -> Counter[str]:
    """Rescue, the clock, retention, until nothing is left to do."""
    done: Counter[str] = Counter()
    busy = True
    while busy:
        dead = one.read(sessions.expired)
        given = int(one.write(claims.rescue, dead)[0])
        moved = one.promote(10)
        old = one.read(lambda tx: retention.expired(tx, tx.now, limit=10))
        gone = sum(one.write(retention.prune, *old)) if old else 0
        done.update(pruned=gone, rounds=1)
        busy = bool(given or moved or gone)
    return done


def test_what_one_has_done_no_other_does_again(store: Store, others: list[Store]) -> None:
    """Eight at once: each dead task is given back once and uncharged, each due one comes once, each old one
    goes once, however often the others saw it."""
    found = standing(store)
    with ThreadPoolExecutor(len(others)) as pool:
        done: Counter[str] = sum(pool.map(sweep, others), Counter())
    assert done["pruned"] == EACH
    assert store.rows("SELECT count(*) FROM task") == [(2 * EACH,)]
    for id_ in found["lost"]:
        assert Counter(store.events(id_)) == {"accepted": 1, "started": 1, "lost": 1}
        assert (store.status(id_), store.column(id_, "deaths")) == (Status.PENDING, 1)
    for id_ in found["due"]:
        assert Counter(store.events(id_)) == {"accepted": 1, "due": 1}
    assert store.rows("SELECT held FROM worker WHERE id = 'dead'") == [(EACH,)]


@pytest.mark.parametrize("status", [Status.RETRY, Status.WAITING])
def test_a_sweeper_that_stood_still_does_nothing(store: Store, others: list[Store], status: Status) -> None:
    """What it saw before another one swept is not there any more when it writes."""
    ids = [store.ended(status) for _ in range(3)]
    store.clock.advance(DAY)
    seen: list[Any] = store.read(lambda tx: tx.run("due", limit=10))
    assert {row[0] for row in seen} == set(ids)
    assert others[0].promote() == 3
    claimed = store.claim("w2", free=3)
    assert (others[1].promote(), len(claimed)) == (0, 3)
    assert {store.status(id_) for id_ in ids} == {Status.RUNNING}
