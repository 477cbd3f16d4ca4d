"""One fault at one named place, on each database: nothing is lost, nothing recorded runs again, all are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import servers
from support.faults import Fault, Ground, ground

#: Each place with the pass at which it happens: around a claim, a step, an outcome, a send, and around commits.
#: Of these the first opens the session, the second claims, and the fourth keeps a step.
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
ACTIONS = ("kill", "raise", "hang")
KINDS = ("sqlite", *servers.KINDS)
TASKS = 3


@pytest.fixture(
    params=[
        pytest.param(kind, marks=[pytest.mark.services] if kind in servers.KINDS else []) for kind in KINDS
    ]
)
async def field(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path, request.param) as one:
        yield one


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("place", "n"), PLACES, ids=str)
async def test_every_promise_holds_after_a_fault(field: Ground, place: str, n: int, action: str) -> None:
    fault = Fault(place=place, n=n, action=action)
    first = field.begin(fault)
    ids = await field.owed(TASKS)
    stopped = await field.struck()
    if action == "hang":
        assert await field.paused(first, stopped, ids) or field.kind == "sqlite"
    await field.done(ids)
    assert await field.complaints(ids) == []
