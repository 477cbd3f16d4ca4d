"""One fault at one named place, on each database: nothing is lost, nothing recorded runs again, all are told.

`kill` is SIGKILL, `raise` an exception, `hang` a host that stands still for longer than a lease and goes on.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duly.store import migrate
from duly.store.database import Database
from support import servers
from support.faults import Fault, Ground, ground

#: Each place with the pass at which it happens: around a claim, a step, an outcome, a send, and commits. Of
#: these the first opens the session, the second claims, and the fourth keeps a step.
PLACES = (
    ("claim.claimed", 1),
    ("step.before_record", 2),
    ("step.recorded", 2),
    ("attempt.before_finish", 1),
    ("store.before_commit", 1),
    ("store.before_commit", 2),
    ("store.before_commit", 4),
    ("store.half_written", 1),
    ("store.committed", 1),
    ("store.committed", 2),
    ("store.committed", 4),
    ("delivery.before_send", 1),
    ("delivery.sent", 1),
)
#: In the ordinary run: a kill on SQLite where a promise hangs by a thread. The others are slow.
CORE = {("claim.claimed", 1), ("step.recorded", 2), ("store.committed", 4), ("delivery.sent", 1)}
ACTIONS = ("kill", "raise", "hang")
KINDS = ("sqlite", *servers.KINDS)
TASKS = 3


def cells() -> list[object]:
    """Each fault on each database, with its marks."""
    made = []
    for kind in KINDS:
        for (place, n), action in itertools.product(PLACES, ACTIONS):
            core = kind == "sqlite" and action == "kill" and (place, n) in CORE
            marks = [pytest.mark.slow] * (not core) + [pytest.mark.services] * (kind in servers.KINDS)
            fault = Fault(place=place, n=n, action=action)
            made.append(pytest.param(kind, fault, marks=marks, id=f"{kind}-{fault}"))
    return made


@pytest.fixture
async def field(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path, request.param) as one:
        yield one


@pytest.mark.parametrize(("field", "fault"), cells(), indirect=["field"])
async def test_every_promise_holds_after_a_fault(field: Ground, fault: Fault) -> None:
    """Tasks complete, recorded steps run once, webhooks come with one id each, the invariants hold."""
    first = field.begin(fault)
    # On PostgreSQL what completes is one statement, which cannot be half written; a suspension is several.
    ids = await field.owed(TASKS, rest=0.1 if fault.place == "store.half_written" else 0.0)
    stopped = await field.struck()
    if fault.action == "hang":
        assert await field.paused(first, stopped, ids) or field.kind == "sqlite"
    await field.done(ids)
    assert await field.complaints(ids) == []


MIGRATE = (
    "import sys; from duly.store import database, migrate; migrate.ensure(database.Database(sys.argv[1]))"
)
FRESH = [pytest.param(kind, marks=[pytest.mark.services] * (kind in servers.KINDS)) for kind in KINDS]


@pytest.mark.parametrize("kind", FRESH)
@pytest.mark.parametrize("action", ["kill", "raise"])
def test_a_migration_that_is_cut_off_is_done_again(tmp_path: Path, kind: str, action: str) -> None:
    """The next start brings the schema to its end, wherever the last one stopped."""
    url = f"sqlite:///{tmp_path / 'new.db'}" if kind == "sqlite" else servers.fresh_url(kind, f"cut_{action}")
    fault = {"DULY_FAILPOINTS": str(Fault(place="migration.table", n=4, action=action))}
    command = [sys.executable, "-c", MIGRATE, url]
    cut = subprocess.run(command, env={**os.environ, **fault}, capture_output=True, text=True, timeout=60)
    assert cut.returncode == {"kill": -9, "raise": 1}[action], cut.stderr
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stderr[-500:]
    assert migrate.differences(Database(url)) == []
