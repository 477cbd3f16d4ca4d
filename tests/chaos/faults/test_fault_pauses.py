"""A worker stands still for two leases, as in a frozen virtual machine, and goes on where it stood."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import closing, suppress

import pytest

from duly.model.state import Status
from duly.store import sqlite
from support.cluster import until
from support.fault_case import Case
from support.fault_site import KINDS, QUICK, Site, lost, site
from support.soak_units import Unit

#: What a sweep, a poll and a busy host may add to a lease before lost tasks run again.
MARGIN = 8.0


def write_lock_is_free(one: Site) -> bool:
    """Whether nobody holds SQLite's one write lock."""
    if one.kind != "sqlite":
        return True
    with closing(sqlite.connect(one.folder / "duly.db", "WAL", patience=0.0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite.driver.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


async def stand_still(one: Site, unit: Unit, *, whole: bool) -> set[tuple[str, int]]:
    """Stops a busy worker at a moment at which it holds no lock of SQLite's; the attempts that it holds."""
    unit.paused = True
    while True:
        await until(lambda: _held(one, unit), 30)
        victims = unit.family() if whole else unit.children(apart=False)
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        held = _held(one, unit)
        if held and write_lock_is_free(one):
            return held
        for pid in victims:
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0)


def _held(one: Site, unit: Unit) -> set[tuple[str, int]]:
    """The attempts that a worker's ordinary child is in the middle of, as its handlers noted."""
    one.ledger.read()
    return {attempt for pid in unit.children(apart=False) for attempt in one.ledger.running[pid]}


@pytest.mark.fault("worker-paused")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_that_stood_still_is_refused(kind: str, case: Case) -> None:
    """Parent and child: its tasks run elsewhere after the lease, what it writes late is refused, and it goes
    on with a new session."""
    async with site(kind, **QUICK) as one:
        victim = one.workers[0]
        async with one.load():
            held = await stand_still(one, victim, whole=True)
            [child], stopped = victim.children(apart=False), time.monotonic()
            await one.elapse(2 * one.lease)
            sessions = len(one.said("session.opened", victim))
            victim.resume()
            with suppress(AssertionError):
                await until(lambda: len(one.said("session.opened", victim)) > sessions, 20)
            case.holds("a new session", len(one.said("session.opened", victim)) > sessions)
            case.figure(works_again_s=await one.works(victim))
            case.holds("the same process", victim.children(apart=False) == [child])
        found = await one.close_books(case)
        refused = {(line["task_id"], line["attempt"]) for line in one.said("attempt.lease_lost", victim)}
        rows = {(row.task_id, row.attempt): row.outcome for row in found.attempts}
        given = {attempt for attempt in held if rows[attempt] == "lost"}
        cancelled = {row.id for row in found.tasks if row.status == Status.CANCELLED}
        others = {attempt for attempt in given if attempt[0] not in cancelled}
        waits = [_again(one, at, child) - stopped for at in others]
    case.holds("given to others", bool(given), f"none of {len(held)} attempts was lost")
    case.wrong("run again elsewhere, in time", [w for w in waits if w > one.lease + MARGIN])
    case.wrong("refused", others - refused)  # a late retry of what was cancelled meanwhile is told just that
    case.figure(held=len(held), refused=len(given & refused), again_s=round(max(waits, default=0), 1))


def _again(one: Site, attempt: tuple[str, int], child: int) -> float:
    """When a lost attempt's task began again in another process; else never."""
    task, number = attempt
    began = [
        line.at
        for line in one.ledger.lines
        if line.task == task and line.what == "start" and line.attempt > number and line.pid != child
    ]
    return min(began, default=float("inf"))


@pytest.mark.fault("child-paused")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_that_stood_still_loses_nothing(kind: str, case: Case) -> None:
    """The child alone, while its parent renews the lease: silence is not death, and its tasks go on there."""
    async with site(kind, **QUICK) as one:
        async with one.load():
            held = await stand_still(one, one.workers[0], whole=False)
            await one.elapse(2 * one.lease)
            one.workers[0].resume()
            case.figure(works_again_s=await one.works(one.workers[0]))
        found = await one.close_books(case)
    case.wrong("no lease lost", lost(found))
    case.figure(held=len(held))
