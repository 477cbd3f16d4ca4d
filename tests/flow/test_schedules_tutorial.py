"""The tutorial, part 6: a schedule submits a task at each tick, once, and goes on after an absence."""

from __future__ import annotations

from typing import Any

import pytest

from duly import Context, Duly, InvalidInput
from duly.clock import iso
from duly.model.schedule import Schedule
from duly.model.task import Task
from duly.store import lists
from duly.testing import Harness, harness_fixture

duly = Duly()


@duly.task("report")
async def report(ctx: Context, company: str) -> dict[str, Any]:
    return {"company": company, "tick": ctx.metadata.get("tick")}


@duly.task("probe")
async def probe(ctx: Context) -> str:
    return "alive"


# At eight in Shanghai from Monday to Friday, and every five minutes.
duly.schedule(
    "morning",
    "0 8 * * 1-5",
    "report",
    {"company": "ACME"},
    zone="Asia/Shanghai",
    owner="ann",
    deliver=["inbox"],
)
duly.schedule("pulse", 300, "probe", catch_up="skip")

made = harness_fixture(duly)


async def of_type(harness: Harness, task_type: str) -> list[Task]:
    """The tasks of a type, oldest first."""
    found = await harness.app.database.read(lists.page, lists.Filter(task_type=task_type), limit=1000)
    return found[::-1]


async def schedule(harness: Harness, name: str) -> Schedule:
    return await harness.app.schedules.get(("", name))


async def test_a_declared_schedule_ticks(made: Harness) -> None:
    """The clock starts on a Friday, at 16:00 in Shanghai: the next report is on Monday."""
    await made.run_until_idle()
    assert iso((await schedule(made, "morning")).next_at) == "2027-01-18T00:00:00.000Z"
    await made.advance(64 * 3600)
    [task] = await of_type(made, "report")
    assert await made.assert_completed(task.id) == {"company": "ACME", "tick": "2027-01-18T00:00:00.000Z"}
    assert task.metadata["schedule"] == "morning"
    [notice] = await made.inbox("ann")
    assert notice["task_id"] == task.id


async def test_after_an_absence_it_goes_on_in_its_old_beat(made: Harness) -> None:
    """Five hours without a worker: `one`, what is usual, makes up for the last tick, `skip` for none."""
    await made.run_until_idle()
    await made.advance(5 * 3600 + 100)
    assert await of_type(made, "probe") == []
    await made.advance(200)
    [first] = await of_type(made, "probe")
    assert first.metadata["tick"] == iso(made.clock.now_ms())


async def test_a_schedule_does_not_keep_a_worker_from_being_idle(made: Harness) -> None:
    """What ticks is done, and what will tick is for later."""
    await made.run_until_idle()
    for _ in range(3):
        await made.advance(300)
    assert [task.status for task in await of_type(made, "probe")] == ["completed"] * 3


async def test_it_is_paused_resumed_and_run_at_once(made: Harness) -> None:
    """A pause stops the ticks; run now is beside them."""
    await made.run_until_idle()
    schedules = made.app.schedules
    await schedules.pause(("", "pulse"))
    await made.advance(3600)
    assert await of_type(made, "probe") == []
    task = await schedules.run(("", "pulse"))
    await made.run_until_idle()
    assert await made.assert_completed(task.id) == "alive"
    again = await schedules.resume(("", "pulse"))
    assert again.next_at == made.clock.now_ms() + 300_000


async def test_the_next_ticks_can_be_asked_for(made: Harness) -> None:
    """Five of them, unless more are wanted; the weekend is left out."""
    await made.run_until_idle()
    coming = made.app.schedules.upcoming(await schedule(made, "morning"))
    assert [iso(tick)[:10] for tick in coming] == [f"2027-01-{day}" for day in (18, 19, 20, 21, 22)]


async def test_a_new_start_writes_down_what_the_code_says(
    made: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed there, changed here; gone there, gone here; a pause stays."""
    await made.run_until_idle()
    await made.app.schedules.pause(("", "pulse"))
    newer = Duly()
    newer.task("probe")(probe)
    newer.schedule("pulse", 600, "probe")
    await made.app.schedules.sync(newer.schedules)
    [only] = await made.app.schedules.page()
    assert (only.name, only.paused_at) == ("pulse", made.clock.now_ms())
    await made.app.schedules.resume(("", "pulse"))
    assert (await schedule(made, "pulse")).next_at == made.clock.now_ms() + 600_000


async def test_several_workers_tick_once(made: Harness, on: None) -> None:
    """Each looks for itself, and the row decides."""
    other = Harness(made.app, made.clock)
    await made.run_until_idle()
    made.clock.advance(300)
    assert sum([await made.worker.ticker.tick(), await other.worker.ticker.tick()]) == 1
    await made.run_until_idle()


def test_a_wrong_schedule_is_refused_where_it_is_declared() -> None:
    """Before anything runs, with a line that says what is wrong."""
    wrong = Duly()
    for when, options, problem in (
        ("0 25 * * *", {}, "bad hour"),
        ("0 8 * * *", {"zone": "Asia/Nowhere"}, "no time zone"),
        (0.1, {}, "every must be"),
        (60, {"catch_up": "some"}, "catch_up must be skip, one, all"),
        (60, {"prio": 3}, "has no prio"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            wrong.schedule("wrong", when, "probe", **options)


@pytest.mark.parametrize(
    ("task_type", "input_", "problem"),
    [
        ("report", {}, "schedule wrong: the input of 'report' does not fit"),
        ("nothing", {}, "schedule wrong: unknown task type 'nothing'"),
    ],
)
async def test_a_schedule_whose_task_could_not_be_submitted_stops_the_start(
    made: Harness, task_type: str, input_: dict[str, Any], problem: str
) -> None:
    """Its type may be declared after it, so this is seen when a worker starts."""
    wrong = Duly()
    wrong.schedule("wrong", 60, task_type, input_)
    with pytest.raises(InvalidInput, match=problem):
        await made.app.schedules.sync(wrong.schedules)
