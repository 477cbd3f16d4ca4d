"""What a process remembers of its queues makes looks cheap; it costs order for a second, never a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import claims, submissions
from duly.store.heads import FRONT
from support.stores import Store, ending, opened_store, request, submission

pytestmark = pytest.mark.writer


def backlog(store: Store, count: int, owner: str = "ann", **overrides: object) -> list[str]:
    """Many tasks of one owner, of which six are claimed: the process remembers where the rest begins."""
    items = [submission(owner=owner, **overrides) for _ in range(count)]
    ids = [one.id for one in store.write(submissions.submit, *items)]
    store.claim(free=5)
    store.clock.advance(1)
    store.claim()
    return ids[6:]


def put_first(store: Store, id_: str) -> None:
    """What another process does that saw an older head: a task stands before all that are known here."""

    def place(tx: Any, ids: Any) -> list[None]:
        tx.core.exec_driver_sql(f"UPDATE task SET fair_at = 0 WHERE id = '{ids[0]}'")  # noqa: S608 - our id
        return [None]

    store.write(place, id_)


def drained(store: Store) -> list[Claimed]:
    """What is handed out, one claim each, until nothing is left."""
    return [claimed for _ in range(100) for claimed in store.claim()]


def head(store: Store, but: str = "") -> int:
    """The least pending ticket of all tasks but one."""
    [[ticket]] = store.rows(
        f"SELECT min(fair_at) FROM task WHERE status = 'pending' AND id <> '{but}'"  # noqa: S608 - our id
    )
    return int(ticket)


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another process on the same database, which remembers nothing."""
    one = opened_store(store.database.url, store.clock)
    with closing(one.database):
        yield one


def test_a_higher_priority_is_found_at_once(store: Store) -> None:
    """Each rank has a place of its own: the backlog of another does not hide what comes in it."""
    backlog(store, 50)
    for _ in range(3):
        urgent = [store.submit(priority=priority) for priority in (6, 9)]
        assert [claimed.id for _ in urgent for claimed in store.claim()] == urgent[::-1]


def test_a_higher_priority_that_starts_anew_is_found_at_once(store: Store, other: Store) -> None:
    """Its backlog is gone: what another process brings stands before the place, and then also behind it."""
    later = [store.submit() for _ in range(50)]
    backlog(store, 20, priority=9)
    store.claim(free=14)
    urgent = [other.submit(priority=9) for _ in range(20)]
    assert {claimed.id for claimed in store.claim(free=21)} == {*urgent, later[0]}
    assert [claimed.id for claimed in store.claim()] == [later[1]]


def test_what_comes_before_the_place_is_found_within_the_second(store: Store) -> None:
    """A process that saw an older head puts a task before what is known here: it is found a second later."""
    ids = backlog(store, 50)
    put_first(store, ids[-1])
    store.clock.advance(1)
    assert [claimed.id for claimed in store.claim()] == [ids[-1]]


def test_what_comes_before_the_place_is_found_when_there_is_room(store: Store) -> None:
    """A claim that would go home with less than it can start looks from the front at once."""
    ids = backlog(store, 10)
    put_first(store, ids[-1])
    assert {claimed.id for claimed in store.claim(free=5)} == set(ids)


def test_an_emptied_queue_starts_anew(store: Store) -> None:
    """Its tickets begin at the beginning, before the remembered place, and are found at once."""
    backlog(store, 20)
    drained(store)
    ids = [store.submit(owner="bob") for _ in range(3)]
    assert [store.column(id_, "fair_at") for id_ in ids] == [1000, 2000, 3000]
    assert [claimed.id for claimed in drained(store)] == ids


def test_a_look_before_a_claim_misses_nothing(store: Store) -> None:
    """A reader uses what the writer remembers; before the place it looks too."""
    backlog(store, 20)
    store.claim(free=14)
    assert not store.read(claims.startable, request())
    store.submit()
    assert store.read(claims.startable, request())


def test_a_late_user_alternates_with_a_backlog_that_is_known(store: Store) -> None:
    """A ticket stands behind the head as it is now; the memory only says where the look for it begins."""
    backlog(store, 500)
    store.claim(free=20)
    now = head(store)
    assert [store.column(store.submit(owner="bob"), "fair_at") for _ in range(3)] == [
        now + 1000 * place for place in (1, 2, 3)
    ]


def test_what_comes_back_stands_at_the_head_of_a_known_queue(store: Store) -> None:
    """The head as it is now, not as it was remembered."""
    backlog(store, 50)
    [claimed] = store.claim()
    store.claim(free=10)
    store.finish(claimed, Status.PENDING)
    assert store.column(claimed.id, "fair_at") == head(store, but=claimed.id)


def test_what_comes_back_stands_at_the_head_of_a_queue_that_is_not_known(store: Store, other: Store) -> None:
    """A process that never looked at the queue finds its head from the front."""
    backlog(store, 50)
    [claimed] = store.claim()
    other.finish(claimed, Status.PENDING)
    assert store.column(claimed.id, "fair_at") == head(store, but=claimed.id)


def test_a_worker_of_other_types_does_not_hide_anything(store: Store) -> None:
    """Who finds too little looks from the front; all others go on from the place."""
    ids = backlog(store, 30)
    rare = store.submit(task_type="rare")
    assert store.claim(types=("strange",)) == []
    assert [claimed.id for claimed in store.claim(types=("rare",))] == [rare]
    assert [claimed.id for claimed in store.claim(free=20)] == ids[:20]


def test_many_queues_are_remembered_apart(store: Store) -> None:
    """The backlog of one does not hide the first task of another."""
    backlog(store, 30)
    id_ = store.submit(queue="fast")
    assert [claimed.id for claimed in store.claim(queues=("fast",))] == [id_]
    assert [claimed.queue for claimed in store.claim(queues=("fast", "default"))] == ["default"]


@pytest.mark.only("postgres", "mariadb")
def test_a_process_remembers_for_a_second(store: Store) -> None:
    """Then it looks from the front again; a reader, which makes no looks, begins at the front."""
    backlog(store, 20)
    assert 0 < store.read(lambda tx: tx.heads.known(tx))["default"][5] <= head(store)
    store.clock.advance(0.999)
    assert store.read(lambda tx: tx.heads.known(tx))
    store.clock.advance(0.001)
    assert not store.read(lambda tx: tx.heads.known(tx))
    assert store.read(lambda tx: tx.heads._look(tx, "default").places) == FRONT


@pytest.mark.only("postgres")
def test_what_a_snapshot_keeps_is_not_walked_over(store: Store) -> None:
    """Behind 2,000 tasks that were claimed under it, a claim, a ticket and a return touch a few pages."""
    driver = store.database.driver
    with closing(driver.connect(read_only=True)) as reader:
        driver.begin(reader, read_only=True)
        reader.execute("SELECT count(*) FROM worker")
        crowd = [submission(owner=f"owner{number // 21}") for number in range(2_100)]
        store.write(submissions.submit, *crowd)
        [*_, claimed] = store.claim(free=1_000) + store.claim(free=1_000)
        store.clock.advance(1)
        looked = touched(store, claims.claim, request())
        claim = touched(store, claims.claim, request())
        ticket = touched(store, submissions.submit, submission())
        back = touched(store, claims.finish, ending(claimed, Status.PENDING))
    assert looked > 1_000
    assert max(claim, ticket, back) < 200


def touched(store: Store, verb: Any, item: Any) -> int:
    """Pages of the tasks and of the index of claims that a verb asks for."""

    def counted(tx: Any, items: Any) -> list[int]:
        before = asked_for(tx)
        verb(tx, items)
        return [asked_for(tx) - before]

    [pages] = store.write(counted, item)
    return int(pages)


def asked_for(tx: Any) -> int:
    """Pages that this connection has asked for and not reported yet."""
    asked = " + ".join(
        f"pg_stat_get_xact_blocks_fetched('{one}'::regclass)" for one in ("task", "task_claim")
    )
    return int(tx.core.exec_driver_sql(f"SELECT {asked}").scalar_one())
