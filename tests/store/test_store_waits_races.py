"""Suspend against signal and cancel, 400 times each, on servers: nobody waits for ever (DESIGN 4.6)."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import claims, signals, submissions, waits
from support.races import RACES, race
from support.stores import Store, new_id, submission, suspension, wait

pytestmark = pytest.mark.only("postgres", "mariadb")


def suspended(store: Store) -> list[tuple[Claimed, Step]]:
    """Running attempts that have come to a wait for the signal `go`, and found none."""
    store.write(submissions.submit, *[submission() for _ in range(RACES)])
    claimed = store.claim(free=RACES)
    open_ = store.write(waits.wait, *[wait(one, "go") for one in claimed])
    return list(zip(claimed, open_, strict=True))


def suspend(store: Store, runner: tuple[Claimed, Step]) -> None:
    store.write(claims.finish, suspension(*runner))


def test_no_suspension_misses_its_signal(store: Store, others: list[Store]) -> None:
    """Whichever is first: the task is pending, the signal kept for its wait."""
    runners = suspended(store)

    def signal(other: Store, runner: tuple[Claimed, Step]) -> None:
        other.write(signals.signal, signals.Signal(runner[0].id, "go", new_id(), "1"))

    race(others, runners, suspend, signal)
    statuses = store.rows("SELECT status, count(*) FROM task GROUP BY status")
    assert statuses == [(Status.PENDING.value, RACES)]
    again = store.claim(free=RACES)
    assert {step.taken for step in store.write(waits.wait, *[wait(one, "go") for one in again])} == {1}


def test_no_suspension_outlives_a_cancel(store: Store, others: list[Store]) -> None:
    """Whichever is first: the task is cancelled."""
    race(others, suspended(store), suspend, lambda other, runner: other.cancel(runner[0].id))
    statuses = store.rows("SELECT status, count(*) FROM task GROUP BY status")
    assert statuses == [(Status.CANCELLED.value, RACES)]
