"""Another program holds a SQLite file's one write lock, for longer than anybody waits for it."""

from __future__ import annotations

from contextlib import closing

import pytest

from duly.store import sqlite
from support.cluster import until
from support.fault_case import Case
from support.fault_site import lost, site

LOCKED = 30.0
#: A lock may last a lease less the time between two renewals: else nobody knows whether the worker lives.
LEASE = 60
#: What one loop may log while it backs off: one line for each wait, of 5 s at most.
MOST_FAILURES = 12


@pytest.mark.fault("file-locked")
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_file_that_another_process_has_locked(kind: str, case: Case) -> None:
    """503 after the busy timeout, workers back off, and no lease is lost."""
    async with site(kind, lease=LEASE) as one:
        one.crowd.patience = 15.0
        async with one.load():
            await one.accepts()
            with closing(sqlite.connect(one.folder / "duly.db", "WAL")) as other:
                other.execute("BEGIN IMMEDIATE")
                await one.elapse(LOCKED)
                case.holds("alive", await one.status("/livez") == 200)
                case.holds("not ready", await one.status("/readyz") == 503)
                other.execute("ROLLBACK")
            case.holds("sheds", one.crowd.shed.total() > 0, one.crowd.shed)
            case.figure(shed=one.crowd.shed.total(), accepts_again_s=await one.accepts())
            await until(one.manned, 30, every=0.5)
        found = await one.close_books(case)
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")
        failures = len(one.said("loop.failed", *one.workers)) + len(one.said("worker.unready", *one.workers))
        case.holds("backs off", failures < MOST_FAILURES * len(one.workers) * 6, failures)
        case.figure(failed_ticks=failures, renewals_that_failed=len(one.said("lease.renew_failed")))
