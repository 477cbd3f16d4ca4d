"""The tutorial, part 7: branches that run at once, some of which wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from duly import Context, Duly, Status
from duly.testing import Harness, harness_fixture

duly = Duly()
calls: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()


def note(value: Any) -> Any:
    calls.append(value)
    return value


@duly.task("branches.out")
async def branches_out(ctx: Context) -> list[Any]:
    async def two(name: str) -> list[Any]:
        first = await ctx.step(name, _slowly, name, 1)
        inner = await asyncio.gather(ctx.step(name, _slowly, name, 2), ctx.step(name, _slowly, name, 3))
        return [first, *inner, await ctx.step(name, _slowly, name, 4)]

    _, left, right = await asyncio.gather(ctx.sleep("nap", hours=1), two("left"), two("right"))
    return [left, right]


@duly.task("races")
async def races(ctx: Context) -> str:
    nap = asyncio.ensure_future(ctx.sleep("nap", hours=1))
    answer = asyncio.ensure_future(ctx.wait_for("answer"))
    done, _ = await asyncio.wait({nap, answer}, return_when=asyncio.FIRST_COMPLETED)
    nap.cancel()
    answer.cancel()
    return "nap" if nap in done else "answer"


@duly.task("tidies")
async def tidies(ctx: Context) -> None:
    try:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(ctx.sleep("nap", minutes=1))
    finally:
        calls.append("tidied")


@duly.task("waits.in.a.step", max_retries=0)
async def waits_in_a_step(ctx: Context, name: str) -> None:
    async def waiting() -> None:
        await ctx.sleep("nap", seconds=1)

    await ctx.step(name, waiting)


@duly.task("leaves.behind")
async def leaves_behind(ctx: Context) -> str:
    calls.append(asyncio.ensure_future(ctx.sleep("nap", hours=1)))
    await ctx.step("work", _slowly, "work", 1)
    return "done"


async def _slowly(name: str, number: int) -> str:
    for _ in range(60):  # turns of the loop: more than a handler is given in which nothing happens
        await asyncio.sleep(0)
    return str(note(f"{name}{number}"))


harness = harness_fixture(duly)


async def test_other_branches_go_on_until_they_wait_too(harness: Harness) -> None:
    """Steps beside a sleep end and are recorded before the task is suspended; none is computed twice."""
    task = await harness.submit("branches.out")
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    before = sorted(calls)
    assert before == [f"{side}{number}" for side in ("left", "right") for number in (1, 2, 3, 4)]
    await harness.advance(3600)
    assert await harness.assert_completed(task.id) == [before[:4], before[4:]]
    assert sorted(calls) == before


async def test_whichever_of_two_waits_is_over_first_wakes_the_task(harness: Harness) -> None:
    """`asyncio.wait` sees only what is over: a suspended branch has not ended."""
    answered, slept = await harness.submit("races"), await harness.submit("races")
    await harness.run_until_idle()
    await harness.signal(answered.id, "answer")
    await harness.run_until_idle()
    assert await harness.assert_completed(answered.id) == "answer"
    await harness.advance(3600)
    assert await harness.assert_completed(slept.id) == "nap"


async def test_a_handler_is_left_as_by_a_cancel(harness: Harness) -> None:
    """Its `finally` runs, its task groups end; `asyncio.timeout` does not count the time asleep."""
    task = await harness.submit("tidies")
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    assert calls == ["tidied"]
    await harness.advance(60)
    await harness.assert_completed(task.id)


async def test_a_branch_that_is_left_behind_holds_nothing(harness: Harness) -> None:
    """The handler returned: its result counts, and the wait for which nobody asks is over."""
    task = await harness.submit("leaves.behind")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "done"
    assert calls[0].cancelled()


async def test_a_step_cannot_wait(harness: Harness) -> None:
    """It would never be recorded."""
    task = await harness.submit("waits.in.a.step", {"name": "s"})
    await harness.run_until_idle()
    assert "a step cannot wait" in ((await harness.assert_failed(task.id, "invalid_input")).error or "")
