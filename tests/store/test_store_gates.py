"""What processes agree on about a model provider: who asks, how much, until when nobody does."""

from __future__ import annotations

import random
from typing import Any

import pytest

from duly.model.state import Status
from duly.store import gates
from duly.store.gates import Answered, Failed, Granted, Hold, Lease, Probe, View
from duly.store.minute import Unused
from support.stores import Store


def lease(store: Store, holder: str = "p1", *needs: int, **more: Any) -> Granted:
    """Permits for requests of so many tokens each."""
    [granted] = store.write(gates.lease, Lease(name="a", holder=holder, needs=needs or (10,), **more))
    return granted  # type: ignore[no-any-return]


def fail(store: Store, **more: Any) -> View:
    """A 429, unless it is said otherwise."""
    words: dict[str, Any] = {"kind": "limited", "code": "429", "message": "slow down", "at_once": True}
    words |= {"probe": False, "most": 3, "ms": 5_000, "most_ms": 300_000, **more}
    [view] = store.write(gates.failed, Failed(name="a", **words))
    return view  # type: ignore[no-any-return]


def answer(store: Store, holder: str = "p1", *, probe: bool = False) -> bool:
    """An answer of the provider; whether it opened the gate."""
    [(_, opened)] = store.write(gates.answered, Answered("a", holder, probe))
    return bool(opened)


def well(store: Store) -> None:
    """The provider has answered some time ago."""
    lease(store)
    answer(store)
    store.clock.advance(120)


def view(store: Store) -> View:
    [one] = store.database.read_blocking(gates.views, ["a"])
    return one  # type: ignore[no-any-return]


def test_a_closed_gate_lets_nobody_through(store: Store) -> None:
    """One process sees a 429; another gets no permit, and hears until when and why."""
    well(store)
    fail(store, after_ms=30_000)
    granted = lease(store, "p2")
    assert (granted.permits, granted.wait_ms, granted.view.code) == (0, 30_000, "429")
    assert view(store).shut_ms == 30_000


def test_one_probe_for_all_processes(store: Store) -> None:
    """When the time is over one request goes; only its own answer opens the gate."""
    well(store)
    fail(store, after_ms=1_000)
    store.clock.advance(1)
    first, second = lease(store, "p1"), lease(store, "p2")
    assert (first.permits, first.probe, second.permits) == (1, True, 0)
    assert not answer(store, "p2")  # to a question from before
    assert lease(store, "p2").permits == 0
    assert answer(store, "p1", probe=True)
    assert lease(store, "p2").permits == 1


def test_the_probe_of_a_dead_process_comes_back(store: Store) -> None:
    """In ten seconds; one that is still under way says so and keeps it."""
    well(store)
    fail(store, after_ms=1_000)
    store.clock.advance(1)
    assert lease(store, "p1").probe
    store.clock.advance(9)
    store.write(gates.probe, Probe("a", "p1", True))
    store.clock.advance(9)
    assert lease(store, "p2").permits == 0
    store.clock.advance(2)
    assert lease(store, "p2").probe
    assert not answer(store, "p1", probe=True)


def test_a_probe_that_fails_closes_for_longer(store: Store) -> None:
    """Five seconds, ten, twenty, up to the most; a first answer forgets it."""
    well(store)
    spans = [fail(store, kind="retry", most_ms=15_000).shut_ms]
    for _ in range(2):
        store.clock.advance(60)
        assert lease(store).probe
        spans.append(fail(store, kind="retry", at_once=False, probe=True, most_ms=15_000).shut_ms)
    assert spans == [5_000, 10_000, 15_000]


def test_failures_in_a_row_are_counted_together(store: Store) -> None:
    """Two of one process and one of another are three; an answer between them begins anew."""
    well(store)
    for _ in range(2):
        assert fail(store, kind="retry", at_once=False).shut_ms == 0
    answer(store)
    spans = [fail(store, kind="retry", at_once=False).shut_ms for _ in range(3)]
    assert spans == [0, 0, 5_000]


def test_what_was_under_way_closes_nothing_anew(store: Store) -> None:
    """Sixty requests that fail together are one closing."""
    well(store)
    for _ in range(60):
        fail(store)
    assert (view(store).shut_ms, view(store).closings) == (5_000, 1)


def test_a_gate_that_opens_lets_more_and_more_through(store: Store) -> None:
    """Four at first, twice as many each half second, two more for each answer; then as many as come."""
    well(store)
    fail(store, after_ms=1_000)
    store.clock.advance(1)
    lease(store)
    answer(store, probe=True)
    many = (1,) * 100
    assert lease(store, "p2", *many).permits == 6
    answer(store, "p2")
    assert lease(store, "p1", *many).permits == 2
    store.clock.advance(0.5)
    assert lease(store, "p2", *many).permits == 4
    store.clock.advance(5)
    assert lease(store, "p2", *many).permits == 100
    assert not view(store).leased


def test_one_that_never_answered_is_asked_by_few(store: Store) -> None:
    """Four requests of all processes together, until one is answered; one more each ten seconds."""
    assert [lease(store, f"p{n}").permits for n in range(6)] == [1, 1, 1, 1, 0, 0]
    store.clock.advance(10)
    assert lease(store, "p5").permits == 1


@pytest.mark.parametrize("rates", [(600, None), (None, 90_000), (600, 60_000)], ids=str)
def test_no_minute_sees_more_than_its_rate(store: Store, rates: tuple[int | None, int | None]) -> None:
    """Four processes that take what they can, of all sizes, for four minutes; nearly all of it is used."""
    draw, took = random.Random(7), []  # noqa: S311 - the same in each run
    well(store)
    for _ in range(480):
        asked = [tuple(draw.choices((10, 100, 900), k=draw.randint(1, 5))) for _ in range(4)]
        leases = [Lease(name="a", holder=f"p{n}", needs=needs, rates=rates) for n, needs in enumerate(asked)]
        for needs, granted in zip(asked, store.write(gates.lease, *leases), strict=True):
            took += [(store.clock.now_ms(), need) for need in needs[: granted.permits]]
        store.clock.advance(draw.choice((0.05, 0.3, 1.2)))
    ends = sorted({at for at, _ in took})
    for which, rate in enumerate(rates):
        if rate is None:
            continue
        sums = [sum((1, need)[which] for at, need in took if end - 60_000 < at <= end) for end in ends]
        assert max(sums) <= rate
        if rates.count(None):
            assert max(sums) > 0.9 * rate


def test_what_was_not_used_comes_back(store: Store) -> None:
    """Tokens that a provider did not count are somebody's again; more than is reserved counts too."""
    well(store)
    first = lease(store, "p1", 2_000, rates=(None, 60_000))
    assert lease(store, "p2", 2_000, rates=(None, 60_000)).wait_ms > 1_900
    back = (Unused(first.second, 0, 2_000),)
    assert lease(store, "p2", 2_000, rates=(None, 60_000), unused=back).permits == 1
    more = (Unused(first.second, 0, -59_000),)
    assert lease(store, "p2", 1, rates=(None, 60_000), unused=more).wait_ms > 55_000


def test_a_request_above_the_rate_waits_for_an_empty_minute(store: Store) -> None:
    """And goes then; it is not refused for ever."""
    well(store)
    assert lease(store, "p1", 9_000, rates=(None, 1_000)).permits == 1
    assert lease(store, "p2", 1, rates=(None, 1_000)).permits == 0
    store.clock.advance(600)
    assert lease(store, "p2", 9_000, rates=(None, 1_000)).permits == 1


def test_an_operators_word_holds(store: Store) -> None:
    """Until its end, or until he opens the gate; an answer in between changes nothing."""
    well(store)
    store.write(gates.hold, Hold(name="a", by="ann", reason="a new key comes"))
    answer(store)
    assert lease(store).permits == 0
    assert (view(store).code, view(store).message) == ("held", "a new key comes")
    store.write(gates.release, "a")
    assert lease(store).permits == 1
    store.write(gates.hold, Hold(name="a", ms=5_000))
    store.clock.advance(5)
    assert lease(store).permits == 1


def test_tasks_that_wait_for_a_gate_are_woken(store: Store) -> None:
    """Those, and no others that wait."""
    ids = []
    for kind in ("model", "snooze"):
        id_ = store.submit()
        ids.append(id_)
        [claimed] = store.claim()
        store.finish(claimed, Status.WAITING, wait_kind=kind)
    assert store.write(gates.wake, None) == [1]
    assert store.write(gates.wake, None) == [0]
    store.promote()
    assert [store.status(id_) for id_ in ids] == [Status.PENDING, Status.WAITING]
