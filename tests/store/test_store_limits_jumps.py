"""After the clock has jumped forward and back, limits carry no false time and hold up nobody for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from duly.model.limit import Rate, key_name
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import claims, limit_care, limit_desk, limits, lists
from duly.store.claims import ClaimRequest
from duly.store.limit_desk import Setting
from duly.store.transaction import Transaction
from support.stores import Store, ending, request

KEY = key_name("demo", "", "a")
LIMITS = ["queue/default", "type/demo", KEY]
HOUR = 3600


def limit(store: Store, name: str, **more: object) -> None:
    """An operator's word."""
    store.write(limit_desk.put, Setting(name=name, **more))  # type: ignore[arg-type]


def started(store: Store, id_: str) -> list[int]:
    """When a task began: as its row says, its only attempt, and its timeline."""
    attempts = store.rows("SELECT started_at FROM attempt WHERE ended_at IS NULL")
    told = store.read(lists.events, id_)[-1]
    return [store.column(id_, "started_at"), *(at for (at,) in attempts), told.at]


@pytest.mark.parametrize("name", LIMITS)
def test_a_task_starts_by_the_clock_not_by_its_limits_time(store: Store, name: str) -> None:
    """Its limit was written an hour from now, before the clock jumped back."""
    limit(store, name, concurrency=1)
    store.clock.advance(HOUR)
    store.finish(store.running(limit_key=KEY))
    store.clock.advance(-HOUR)
    id_ = store.submit(limit_key=KEY)
    assert [one.id for one in store.claim()] == [id_]
    assert started(store, id_) == [store.clock.now_ms()] * 3


def test_a_start_beside_a_limit_of_another_time_is_dated_by_the_clock(store: Store) -> None:
    """A task without a limit, claimed in the transaction in which a limited one ends."""
    limit(store, KEY, concurrency=1)
    claimed = store.running(limit_key=KEY)
    store.submit(limit_key=KEY)
    store.clock.advance(HOUR)
    assert store.claim() == []
    store.clock.advance(-HOUR)
    free = store.submit()

    def end_and_claim(tx: Transaction, items: Sequence[ClaimRequest]) -> list[list[Claimed]]:
        claims.finish(tx, [ending(claimed)])
        return claims.claim(tx, items)

    [found] = store.write(end_and_claim, request("w1", free=2))
    assert free in [one.id for one in found]
    assert store.column(free, "started_at") == store.clock.now_ms()


def test_the_wait_for_a_limits_lock_was_no_time(store: Store) -> None:
    """Who began before another gave back, and waited for that, starts after it."""
    limit(store, KEY, concurrency=1)
    store.finish(store.running(limit_key=KEY))
    id_ = store.submit(limit_key=KEY)

    def claim_late(tx: Transaction, items: Sequence[ClaimRequest]) -> list[list[Claimed]]:
        tx.now -= 500  # as of its beginning
        return claims.claim(tx, items)

    [[claimed]] = store.write(claim_late, request("w1"))
    assert claimed.id == id_
    assert store.column(id_, "started_at") == store.clock.now_ms()


def used_up(store: Store) -> str:
    """A task that waits for a token of two a minute; the others were taken in an hour that is yet to come."""
    limit(store, KEY, rate=Rate.parse("2/m"))
    store.clock.advance(HOUR)
    *_, waits = [store.submit(limit_key=KEY) for _ in range(3)]
    assert len(store.claim(free=3)) == 2
    assert store.status(waits) is Status.BLOCKED
    store.clock.advance(-HOUR)
    return waits


def test_the_sweep_finds_who_waits_for_a_token_of_an_hour_from_now(store: Store) -> None:
    """It comes when the next token would, had the clock not jumped."""
    waits = used_up(store)
    assert store.read(limit_care.look).roomy == [KEY]
    store.write(limits.wake, [KEY])
    assert store.read(limit_care.look) == limit_care.Found([], [])
    store.advance(29)
    assert store.status(waits) is Status.BLOCKED
    store.advance(1)
    assert [one.id for one in store.claim()] == [waits]


def test_whoever_touches_a_rate_of_an_hour_from_now_sets_it_right(store: Store) -> None:
    """Without a sweep; the next token comes in its own time, and no token too many."""
    waits = used_up(store)
    later = store.submit(limit_key=KEY)
    assert store.claim(free=3) == []
    store.advance(30)
    [first] = store.claim(free=3)
    store.advance(30)
    [second] = store.claim(free=3)
    assert {first.id, second.id} == {waits, later}


def test_the_sweep_leaves_alone_who_waits_for_the_next_token(store: Store) -> None:
    """However long that takes."""
    limit(store, KEY, rate=Rate.parse("1/d"))
    for _ in range(2):
        store.submit(limit_key=KEY)
    assert len(store.claim(free=2)) == 1
    assert store.read(limit_care.look) == limit_care.Found([], [])
