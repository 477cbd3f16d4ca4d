"""Why a task stands where it stands: behind more than a claim looks at."""

from __future__ import annotations

import pytest

from duly.observe import why as why_module
from duly.observe.why import Why, why
from duly.store import sessions
from support.world import World


async def ask(world: World, id_: str) -> Why:
    return await why(world.database, id_, now_ms=world.clock.now_ms())


async def serving(world: World, id_: str, *types: str) -> None:
    """A living worker of the queue that says what it has."""
    session = sessions.Session(id=id_, host="h", pid=1, queues=("default",), types=types)
    await world.database.write(sessions.start, session)


async def test_behind_a_front_that_no_worker_can_take(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim looks at the first thousand of a queue: what stands behind them only seems to move up."""
    monkeypatch.setattr(why_module, "AHEAD_MOST", 3)
    await serving(world, "w1", "demo", "demo@")
    for _ in range(3):
        await world.submit(task_type="gone")
    id_ = await world.submit()
    said = await ask(world, id_)
    assert [reason.code for reason in said.reasons] == ["front_not_served", "position"]
    assert said.summary == (
        "No worker has the code for the first 3 tasks of the queue default; a claim looks no further."
    )
    await serving(world, "w2", "gone", "gone@")
    assert [reason.code for reason in (await ask(world, id_)).reasons] == ["position"]


async def test_what_a_worker_does_not_tell_is_not_guessed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of an older release may have the code."""
    monkeypatch.setattr(why_module, "AHEAD_MOST", 3)
    await world.session("old")
    for _ in range(3):
        await world.submit(task_type="gone")
    assert [reason.code for reason in (await ask(world, await world.submit())).reasons] == ["position"]
