"""Suspend against signal and cancel, 400 times each, on servers: nobody waits for ever (DESIGN 4.6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import claims, signals, submissions, waits
from support.races import LANES, RACES
from support.stores import Store, new_id, submission, suspension, wait

pytestmark = pytest.mark.only("postgres", "mariadb")


def suspended(store: Store) -> list[tuple[Claimed, Step]]:
    """Running attempts that have come to a wait for the signal `go`, and found none."""
    store.write(submissions.submit, *[submission() for _ in range(RACES)])
    claimed = store.claim(free=RACES)
    open_ = store.write(waits.wait, *[wait(one, "go") for one in claimed])
    return list(zip(claimed, open_, strict=True))


def race(
    stores: list[Store], runners: list[tuple[Claimed, Step]], other: Callable[[Store, str], Any]
) -> None:
    """For each attempt: its suspension and the other verb, begun at the same moment by two processes."""

    def run(lane: int) -> None:
        mine, theirs = stores[2 * lane], stores[2 * lane + 1]
        start = threading.Barrier(2)

        def suspend() -> None:
            for claimed, step in runners[lane::LANES]:
                start.wait(30)
                mine.write(claims.finish, suspension(claimed, step))

        with ThreadPoolExecutor(1) as thread:
            suspending = thread.submit(suspend)
            for claimed, _ in runners[lane::LANES]:
                start.wait(30)
                other(theirs, claimed.id)
            suspending.result(60)

    with ThreadPoolExecutor(LANES) as lanes:
        list(lanes.map(run, range(LANES)))


def test_no_suspension_misses_its_signal(store: Store, others: list[Store]) -> None:
    """Whichever is first: the task is pending, the signal kept for its wait."""
    runners = suspended(store)

    def signal(other: Store, id_: str) -> None:
        other.write(signals.signal, signals.Signal(id_, "go", new_id(), "1"))

    race(others, runners, signal)
    statuses = store.rows("SELECT status, count(*) FROM task GROUP BY status")
    assert statuses == [(Status.PENDING.value, RACES)]
    again = store.claim(free=RACES)
    assert {step.taken for step in store.write(waits.wait, *[wait(one, "go") for one in again])} == {1}


def test_no_suspension_outlives_a_cancel(store: Store, others: list[Store]) -> None:
    """Whichever is first: the task is cancelled."""
    race(others, suspended(store), lambda other, id_: other.cancel(id_))
    statuses = store.rows("SELECT status, count(*) FROM task GROUP BY status")
    assert statuses == [(Status.CANCELLED.value, RACES)]
