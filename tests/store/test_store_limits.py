"""A limit is never exceeded, gets back what was taken whatever becomes of a task, leaves nobody behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from duly.model.limit import Limits, Rate, key_name
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import bulk, claims, limit_care, limit_desk, limits, lists
from duly.store.limit_desk import Declared, Setting
from duly.store.transaction import Transaction
from support.stores import Store, ending

KEY = key_name("demo", "", "a")
LIMITS = ["queue/default", "type/demo", KEY]


def limit(store: Store, name: str = "queue/default", concurrency: int | None = 1, **more: object) -> None:
    """An operator's word."""
    store.write(limit_desk.put, Setting(name=name, concurrency=concurrency, **more))  # type: ignore[arg-type]


def declare(store: Store, **words: object) -> None:
    """What a program says of the type."""
    store.write(limit_desk.declare, Declared(task_type="demo", limits=Limits(**words)))  # type: ignore[arg-type]


def taken(store: Store, name: str) -> int:
    """How many hold it, as its row says."""
    return int(store.read(limit_desk.listed, [name])[0]["taken"])


def tasks(store: Store, count: int, key: str | None = KEY, **more: object) -> list[str]:
    """So many pending tasks, all of one key."""
    return [store.submit(limit_key=key, **more) for _ in range(count)]


def ids(claimed: list[Claimed]) -> list[str]:
    return [one.id for one in claimed]


@pytest.mark.parametrize("name", LIMITS)
def test_no_more_start_than_a_limit_allows(store: Store, name: str) -> None:
    """The others are blocked on it, in the order of claims."""
    limit(store, name, 2)
    first, second, *rest = tasks(store, 5)
    assert ids(store.claim(free=5)) == [first, second]
    assert [store.status(id_) for id_ in rest] == [Status.BLOCKED] * 3
    assert {store.task(id_).blocked_on for id_ in rest} == {name}
    assert taken(store, name) == 2
    assert store.events(rest[0]) == ["accepted", "blocked"]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    "end", [Status.COMPLETED, Status.FAILED, Status.RETRY, Status.WAITING, Status.PENDING]
)
def test_whatever_ends_an_attempt_gives_back_what_it_held(store: Store, name: str, end: Status) -> None:
    """The next that waits is woken by it, and starts before those that came later."""
    limit(store, name)
    held, waits, later = tasks(store, 3)
    [claimed] = store.claim(free=3)
    assert claimed.id == held
    assert claimed.limited
    store.finish(claimed, end)
    assert store.status(waits) is Status.PENDING
    assert store.events(waits) == ["accepted", "blocked", "unblocked"]
    assert store.status(later) is Status.BLOCKED
    assert taken(store, name) == 0
    assert len(store.claim(free=3)) == 1
    assert taken(store, name) == 1


def test_a_dead_worker_gives_back_what_its_tasks_held(store: Store) -> None:
    """At once, with the tasks."""
    limit(store, KEY, 2)
    tasks(store, 4)
    store.claim("w1", free=4)
    assert taken(store, KEY) == 2
    store.rescue("w1")
    assert taken(store, KEY) == 0
    assert len(store.claim("w2", free=4)) == 2


def test_a_task_takes_of_all_its_limits_or_of_none(store: Store) -> None:
    """One that lacks room in its key leaves that of its queue to others."""
    limit(store, KEY, 1)
    limit(store, "queue/default", 2)
    tasks(store, 3)
    [other] = tasks(store, 1, key=None)
    claimed = store.claim(free=4)
    assert len(claimed) == 2
    assert other in ids(claimed)
    assert (taken(store, KEY), taken(store, "queue/default")) == (1, 2)


def test_losers_do_not_use_up_a_claim(store: Store) -> None:
    """Behind a full key with more tasks than the worker has slots, the first task that is free starts."""
    limit(store, KEY, 1)
    tasks(store, 30)
    [free] = tasks(store, 1, key=None)
    assert free in ids(store.claim(free=2))


def test_a_limit_is_known_to_workers_that_began_before_it_and_counts_what_runs(store: Store) -> None:
    """From its commit on nobody passes it by."""
    running = [store.running() for _ in range(3)]
    limit(store, "type/demo", 3)
    assert taken(store, "type/demo") == 3
    [waits] = tasks(store, 1)
    assert store.claim(free=1) == []
    assert store.status(waits) is Status.BLOCKED
    store.finish(running[0])
    assert ids(store.claim(free=1)) == [waits]


def test_a_raised_limit_wakes_who_fits_and_a_lowered_one_lets_run_what_runs(store: Store) -> None:
    """No restart is needed."""
    limit(store, KEY, 1)
    tasks(store, 5)
    store.claim(free=5)
    limit(store, KEY, 3)
    claimed = store.claim(free=5)
    assert len(claimed) == 2
    limit(store, KEY, 1)
    store.finish(claimed[0])
    assert taken(store, KEY) == 2
    assert store.claim(free=5) == []


def test_a_cleared_limit_holds_back_nobody(store: Store) -> None:
    """All that waited are woken."""
    limit(store, "queue/default", 0)
    tasks(store, 5)
    assert store.claim(free=5) == []
    assert store.write(limit_desk.clear, "queue/default") == [True]
    assert len(store.claim(free=5)) == 5


def test_keys_begin_as_their_type_declares_and_an_operators_word_beats_it(store: Store) -> None:
    """Until it is cleared: then the code decides again."""
    declare(store, limit_key="k", key_concurrency=1)
    other = key_name("demo", "", "b")
    tasks(store, 2)
    tasks(store, 2, key=other)
    assert len(store.claim(free=9)) == 2
    limit(store, other, 2)
    assert len(store.claim(free=9)) == 1
    declare(store, limit_key="k", key_concurrency=5)
    assert {name: store.read(limit_desk.listed, [name])[0]["cap"] for name in (KEY, other)} == {
        KEY: 5,
        other: 2,
    }
    store.write(limit_desk.clear, other)
    assert store.read(limit_desk.listed, [other])[0]["cap"] == 5


def test_a_rate_lets_so_many_start_in_its_time(store: Store) -> None:
    """Who comes too early is blocked, and woken by the clock when there is a token."""
    limit(store, "type/demo", None, rate=Rate.parse("2/m"))
    tasks(store, 4)
    assert len(store.claim(free=4)) == 2
    store.advance(29)
    assert store.claim(free=4) == []
    store.advance(1)
    assert len(store.claim(free=4)) == 1
    store.advance(30)
    assert len(store.claim(free=4)) == 1


def test_a_rate_and_a_cap_in_one_row_hold_both(store: Store) -> None:
    """A token alone lets nobody in beside those that run."""
    limit(store, KEY, 1, rate=Rate.parse("1/m"))
    tasks(store, 3)
    [claimed] = store.claim(free=3)
    store.advance(120)
    assert store.claim(free=3) == []
    store.finish(claimed)
    [claimed] = store.claim(free=3)
    store.finish(claimed)
    assert store.claim(free=3) == []
    store.advance(60)
    assert len(store.claim(free=3)) == 1


def test_a_sleeper_whose_place_was_taken_is_blocked(store: Store) -> None:
    """Its time comes while another has its key: then it waits for the key."""
    limit(store, KEY)
    sleeper = store.waiting(delay=1_000, limit_key=KEY)
    store.running(limit_key=KEY)
    store.advance(1)
    assert store.claim() == []
    assert store.status(sleeper) is Status.BLOCKED
    assert store.events(sleeper)[-2:] == ["waiting", "blocked"]


def test_what_is_blocked_can_be_cancelled_moved_and_expires(store: Store) -> None:
    """None of it takes anything from the limit."""
    limit(store, "queue/default", 0)
    cancelled, moved, late = (*tasks(store, 2), *tasks(store, 1, deadline_at=store.clock.now_ms() + 5_000))
    store.claim(free=3)
    assert store.cancel(cancelled) is Status.CANCELLED
    chosen = bulk.Chosen(ids=(moved,), wanted=lists.Filter())
    assert store.write(bulk.move, bulk.Moving(chosen=chosen, queue="other")) == [1]
    assert store.status(moved) is Status.PENDING
    assert len(store.claim("w3", queues=("other",))) == 1
    store.advance(6)
    assert (store.status(late), store.task(late).error_code) == (Status.FAILED, "expired")
    assert taken(store, "queue/default") == 0


def test_the_sweep_wakes_who_waits_beside_room_and_corrects_a_wrong_count(store: Store) -> None:
    """Whatever put it out of order."""
    limit(store, KEY, 1)
    tasks(store, 2)
    store.claim(free=2)
    wrong = "UPDATE limits SET taken = 0 WHERE name LIKE 'key/%'"
    with store.database.engine().connect() as connection:
        connection.exec_driver_sql(wrong.replace("%", "%%") if "sqlite" not in store.database.url else wrong)
    found = store.read(limit_care.look)
    assert (found.roomy, found.wrong) == ([KEY], [KEY])
    [corrected] = store.write(limit_care.correct, KEY)
    assert corrected == limit_care.Corrected(KEY, 0, 1)
    assert store.claim(free=2) == []
    assert store.read(limit_care.look) == limit_care.Found([], [])


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_whose_row_is_gone_holds_back_nobody(store: Store, name: str) -> None:
    """Deleted by hand, or missing after a restore: the sweep finds who waits for it, be it the only limit."""
    limit(store, name, 0)
    tasks(store, 3)
    assert store.claim(free=3) == []
    forgotten = "DELETE FROM limits WHERE name <> '*'"
    with store.database.engine().connect() as connection:
        connection.exec_driver_sql(forgotten)
    assert store.read(limit_care.look) == limit_care.Found([name], [])
    store.write(limits.wake, [name])
    assert store.read(limit_care.look) == limit_care.Found([], [])
    assert len(store.claim(free=3)) == 3


def test_what_gives_back_to_a_limit_whose_row_is_gone_wakes_who_waits(store: Store) -> None:
    """No sweep is needed."""
    limit(store, KEY, 1)
    tasks(store, 3)
    [claimed] = store.claim(free=3)
    with store.database.engine().connect() as connection:
        connection.exec_driver_sql("DELETE FROM limits WHERE name <> '*'")
    store.finish(claimed)
    assert len(store.claim(free=3)) == 2


@pytest.mark.parametrize("words", [{"key_concurrency": 1}, {"key_rate": "1/d"}], ids=["cap", "rate"])
def test_a_template_that_ends_wakes_who_waits_for_its_keys(store: Store, words: dict[str, object]) -> None:
    """At once, whatever the key had them wait for."""
    declare(store, limit_key="k", **words)
    tasks(store, 3)
    assert len(store.claim(free=3)) == 1
    declare(store, limit_key="k")
    assert len(store.claim(free=3)) == 2


def test_an_idle_key_is_forgotten_after_a_day(store: Store) -> None:
    """Not while anybody holds it, waits for it, or an operator spoke of it."""
    declare(store, limit_key="k", key_concurrency=1)
    tasks(store, 1)
    [claimed] = store.claim()
    store.clock.advance(2 * 86_400)
    assert store.write(limit_care.forget, None) == [0]
    store.finish(claimed)
    store.clock.advance(2 * 86_400)
    assert store.write(limit_care.forget, None) == [1]
    tasks(store, 2)
    assert len(store.claim(free=2)) == 1


def test_a_key_is_kept_for_the_whole_period_of_its_rate(store: Store) -> None:
    """However long that is: made anew it would be full."""
    declare(store, limit_key="k", key_rate="2/7d")
    tasks(store, 2)
    for claimed in store.claim(free=2):
        store.finish(claimed)
    store.clock.advance(2 * 86_400)
    assert store.write(limit_care.forget, None) == [0]
    tasks(store, 1)
    assert store.claim() == []
    store.advance(2 * 86_400)
    [last] = store.claim()
    store.finish(last)
    store.clock.advance(8 * 86_400)
    assert store.write(limit_care.forget, None) == [1]


def test_what_ends_before_a_correction_is_given_back_once(store: Store) -> None:
    """In one transaction: the count is that of who runs by then, and nobody is told that it was wrong."""
    limit(store, KEY, 2)
    tasks(store, 2)
    first, second = store.claim(free=2)

    def ends_and_corrects(tx: Transaction, names: Sequence[str]) -> list[object]:
        claims.finish(tx, [ending(first)])
        return [*limit_care.correct(tx, names)]

    assert store.write(ends_and_corrects, KEY) == [None]
    assert taken(store, KEY) == 1
    tasks(store, 2)
    assert len(store.claim(free=2)) == 1
    store.finish(second)
    assert taken(store, KEY) == 1
