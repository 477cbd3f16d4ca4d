"""Bulk jobs: one thing done to all tasks that fit, by a worker, part by part, with progress and counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from duly import Context, Duly, Fail, InvalidInput, Status
from duly.execute import bulk
from duly.model.bulk import BULK
from duly.store import lists
from duly.store.lists import Filter
from duly.submit.admit import Options
from duly.testing import Harness, harness_fixture

duly = Duly()
broken = True


@duly.task("later", queue="side")
async def later(ctx: Context) -> None: ...


@duly.task("brittle", max_retries=0)
async def brittle(ctx: Context) -> str:
    if broken:
        raise Fail("torn", "it broke")
    return "whole"


@duly.task("sneaky", max_retries=0)
async def sneaky(ctx: Context) -> Any:
    return await ctx.spawn("job", BULK, {"action": "cancel", "where": {"task_type": "later"}})


harness = harness_fixture(duly)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PART", 3)


async def begun(harness: Harness, action: str, wanted: Filter, **place: Any) -> str:
    job = harness.app.operator.job(action, wanted, **place)
    return (await harness.app.client.submit(BULK, job, Options(owner="ann"))).id


async def stand(harness: Harness, **wanted: Any) -> Counter[str]:
    tasks = await harness.app.database.read(lists.page, Filter(**wanted), limit=200)
    return Counter(f"{one.queue} {one.status}" for one in tasks)


async def test_all_that_fit_are_cancelled_with_counts_and_progress(harness: Harness) -> None:
    """Ten tasks in parts of three: one line of progress a part, a step each, and what was not meant stays."""
    for _ in range(10):
        await harness.submit("later", due=600, tags=["old"])
    await harness.submit("later", due=600)
    id_ = await begun(harness, "cancel", Filter(tag="old"))
    await harness.submit("later", due=600, tags=["old"])
    await harness.run_until_idle()
    ended = await harness.task(id_)
    assert ended.result == {"action": "cancel", "matched": 10, "changed": 10, "unchanged": 0}
    assert await stand(harness, task_type="later") == {"side cancelled": 10, "side scheduled": 2}
    lines = [one for one in await harness.events(id_) if one.type == "progress"]
    assert [one.data["message"] for one in lines][-1] == "9 of 10, 9 changed"
    assert 1 <= len(lines) <= 3


async def test_failed_tasks_get_another_run_by_a_job(harness: Harness) -> None:
    """Once each, also when they fail again meanwhile."""
    global broken  # noqa: PLW0603 - what the handler meets
    broken = True
    for _ in range(5):
        await harness.submit("brittle")
    await harness.run_until_idle()
    id_ = await begun(harness, "retry", Filter(task_type="brittle"))
    broken = False
    await harness.run_until_idle()
    assert (await harness.task(id_)).result["changed"] == 5
    assert await stand(harness, task_type="brittle") == {"default completed": 5}


async def test_tasks_are_moved_by_a_job(harness: Harness) -> None:
    """Those that were there already are counted as unchanged."""
    for n in range(5):
        await harness.submit("later", due=600, queue="side" if n else "other")
    id_ = await begun(harness, "move", Filter(task_type="later"), to="other")
    await harness.run_until_idle()
    result = (await harness.task(id_)).result
    assert (result["matched"], result["changed"], result["unchanged"]) == (5, 4, 1)
    assert await stand(harness, task_type="later") == {"other scheduled": 5}


async def test_a_job_that_takes_all_of_its_owner_spares_itself(harness: Harness) -> None:
    """It stops at its own id."""
    await harness.submit("later", due=600, owner="ann")
    id_ = await begun(harness, "cancel", Filter(owner="ann"))
    await harness.run_until_idle()
    ended = await harness.task(id_)
    assert (ended.status, ended.result["changed"]) == (Status.COMPLETED, 1)


async def test_nobody_submits_a_job_as_a_task(harness: Harness) -> None:
    """Its input could name everybody's tasks: neither a submit, a batch's member nor a child is one."""
    input_ = {"action": "cancel", "where": {"task_type": "later"}}
    with pytest.raises(InvalidInput, match="not submitted"):
        await harness.submit(BULK, input_)
    with pytest.raises(InvalidInput, match="not submitted"):
        await harness.submit("duly.batch", {"tasks": [{"task_type": BULK, "input": input_}]})
    id_ = (await harness.submit("sneaky")).id
    await harness.run_until_idle()
    assert "not submitted" in ((await harness.task(id_)).error or "")


def test_what_a_job_cannot_do_is_said_before(harness: Harness) -> None:
    """A state that does not fit, no place to move to, a place for what is not moved, nothing chosen."""
    job = harness.app.operator.job
    for action, wanted, place in (
        ("cancel", Filter(status=Status.FAILED), {}),
        ("retry", Filter(status=Status.PENDING), {}),
        ("move", Filter(task_type="later"), {}),
        ("cancel", Filter(task_type="later"), {"to": "side"}),
        ("cancel", Filter(), {}),
    ):
        with pytest.raises(InvalidInput):
            job(action, wanted, **place)
