"""The ticker: what is declared is written down first, one bad schedule stops no other, and it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from duly import Context, Duly
from duly.claim.ticker import Ticker
from duly.model.calendar import Every
from duly.model.errors import NotReady
from duly.model.schedule import Schedule
from duly.model.task import Conditions
from duly.store import lists, schedules
from duly.store.schedules import Tick, Wish
from duly.testing import harness
from support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.database.close()


async def add(world: World, *names: str) -> None:
    """Schedules that tick each second."""
    told = Conditions(task_type="demo")
    for name in names:
        one = Schedule(name=name, rhythm=Every(every_ms=1_000), input="{}", conditions=told)
        await world.database.write(schedules.keep, Wish(one))


def ticker(world: World, **overrides: Any) -> Ticker:
    async def nothing() -> None: ...

    return Ticker(world.database, emit=world.emitted, **{"sync": nothing, **overrides})


async def test_what_is_declared_is_written_down_before_the_first_look(world: World) -> None:
    """Once; when that fails, the next look tries it again."""
    calls: list[bool] = []

    async def sync() -> None:
        calls.append(True)
        if len(calls) == 1:
            raise NotReady
        await add(world, "pulse")

    one = ticker(world, sync=sync)
    with pytest.raises(NotReady):
        await one.tick()
    await one.tick()
    world.clock.advance(1)
    assert await one.tick() == 1
    assert len(calls) == 2


async def test_a_schedule_that_cannot_be_submitted_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that share its transaction are submitted without it, and its error is told once."""
    await add(world, "a", "broken", "c")
    verb = schedules.tick

    def tick(tx: Any, items: Sequence[Tick]) -> Any:
        if any(item.schedule.name == "broken" for item in items):
            raise ZeroDivisionError
        return verb(tx, items)

    monkeypatch.setattr(schedules, "tick", tick)
    one = ticker(world)
    for _ in range(2):
        world.clock.advance(1)
        assert await one.tick() == 2
    found = await world.database.read(lists.page, lists.Filter())
    assert sorted(task.metadata["schedule"] for task in found) == ["a", "a", "c", "c"]
    assert world.emitted.names().count("schedule.failed") == 1


async def test_a_database_that_is_away_is_no_fault_of_a_schedule(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop hears of it, and rests."""
    await add(world, "pulse")
    world.clock.advance(1)

    def away(tx: Any, items: Sequence[Tick]) -> Any:
        raise NotReady

    monkeypatch.setattr(schedules, "tick", away)
    with pytest.raises(NotReady):
        await ticker(world).tick()
    assert "schedule.failed" not in world.emitted.names()


async def test_a_schedule_that_is_quicker_than_its_tasks_lets_a_worker_be_idle(tmp_path: Path) -> None:
    """It ticks once for each time that the worker is told to do what is due."""
    duly = Duly()
    runs: list[str] = []

    @duly.task("slow")
    async def slow(ctx: Context) -> None:
        runs.append(ctx.task_id)
        if len(runs) < 5:
            one.clock.advance(3)

    duly.schedule("quick", 1, "slow")
    async with harness(duly, tmp_path) as one:
        await one.run_until_idle()
        await one.advance(1)
        assert len(runs) == 1
