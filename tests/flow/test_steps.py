"""The tutorial, part 2: steps are remembered, and a handler tells what it does."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly, Retry
from duly.model.events import current_task
from duly.store import lists
from duly.testing import Harness, harness_fixture

duly = Duly()
calls: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()


async def draw(most: int) -> dict[str, float]:
    calls.append(most)
    return {"drawn": random.random()}  # noqa: S311 - only has to differ


def note(value: Any) -> Any:
    calls.append(value)
    return value


@duly.task("draws")
async def draws(ctx: Context) -> list[Any]:
    first = await ctx.step("draw", draw, 10)
    again = [await ctx.step("draw", draw, 20) for _ in range(2)]
    if ctx.attempt == 1:
        raise Retry(after=0)
    return [first, *again]


@duly.task("changed")
async def changed(ctx: Context) -> None:
    await ctx.step("read", note, ctx.attempt)
    raise Retry(after=0)


@duly.task("nests")
async def nests(ctx: Context, within: str) -> None:
    async def inner(item: Any = None) -> Any:
        return await ctx.step("inner", note, item)

    try:
        await (ctx.step("outer", inner) if within == "step" else ctx.map("items", [1], inner, max_retries=0))
    finally:
        await ctx.step("after", note, "after")


@duly.task("nests.in.a.thread")
def nests_in_a_thread(ctx: BlockingContext, within: str) -> None:
    def inner(item: Any = None) -> Any:
        return ctx.step("inner", note, item)

    ctx.step("outer", inner) if within == "step" else ctx.map("items", [1], inner, max_retries=0)


@duly.task("loses.a.step.apart", isolate=True)
def loses_a_step_apart(ctx: BlockingContext) -> None:
    ctx.step("pay" if ctx.attempt == 1 else "charge", abs, -1)
    if ctx.attempt == 1:
        raise Retry(after=0)


@duly.task("gathers")
async def gathers(ctx: Context) -> list[int]:
    numbers = await asyncio.gather(*[ctx.step("square", pow, n, 2) for n in range(5)])
    if ctx.attempt == 1:
        raise Retry(after=0)
    return list(numbers)


@duly.task("branches")
async def branches(ctx: Context, keyed: bool) -> list[Any]:
    async def branch(name: str) -> Any:
        await asyncio.sleep(0)
        return await ctx.step("look", note, name, key=name if keyed else None)

    return list(await asyncio.gather(branch("a"), branch("b")))


@duly.task("tells")
async def tells(ctx: Context) -> None:
    await ctx.log("first", detail=1)
    await ctx.progress(0.2, "beginning")
    await ctx.progress(0.7, "nearly")
    await ctx.emit("hel")
    await ctx.emit("lo")
    await ctx.usage(tokens=12)


@duly.task("streams")
async def streams(ctx: Context) -> None:
    await ctx.emit("x" * 3000)
    await _seen.put(None)
    await _go_on.get()


_seen: asyncio.Queue[None]
_go_on: asyncio.Queue[None]


@duly.task("knows.itself")
async def knows_itself(ctx: Context) -> list[bool]:
    here = current_task.get() == ctx.task_id
    in_step = await ctx.step("async", _current_async)
    in_thread = await ctx.step("plain", current_task.get)
    return [here, in_step == ctx.task_id, in_thread == ctx.task_id]


@duly.task("knows.itself.in.a.thread")
def knows_itself_in_a_thread(ctx: BlockingContext) -> list[bool]:
    return [current_task.get() == ctx.task_id, ctx.step("plain", current_task.get) == ctx.task_id]


@duly.task("knows.itself.apart", isolate=True)
def knows_itself_apart(ctx: BlockingContext) -> list[bool]:
    return [current_task.get() == ctx.task_id, ctx.step("plain", current_task.get) == ctx.task_id]


async def _current_async() -> str | None:
    return current_task.get()


@duly.task("keeps.badly", max_retries=3)
async def keeps_badly(ctx: Context, what: str) -> Any:
    values: dict[str, Any] = {"set": {1}, "nan": float("nan"), "big": 2**70}
    return await ctx.step("make", lambda: values[what])


@duly.task("exits.in.step", max_retries=0)
async def exits_in_step(ctx: Context, gather: bool) -> Any:
    step = ctx.step("leave", _leave)
    return await asyncio.gather(step) if gather else await step


def _leave() -> None:
    raise SystemExit(0)


harness = harness_fixture(duly)


async def test_a_recorded_step_is_never_computed_again(harness: Harness) -> None:
    """A later attempt gets the recorded values, equal to the digit, without a call."""
    task = await harness.submit("draws")
    await harness.run_until_idle()
    recorded = [json.loads(step.value) for step in await harness.steps(task.id)]
    await harness.advance(1)
    assert await harness.assert_completed(task.id) == recorded
    assert calls == [10, 20, 20]
    assert (await harness.task(task.id)).attempt == 2


async def test_changed_arguments_are_refused_on_replay(harness: Harness) -> None:
    """A value that was recorded for other arguments is not handed out: the task fails and says which step."""
    task = await harness.submit("changed")
    await harness.run_until_idle()
    await harness.advance(1)
    ended = await harness.assert_failed(task.id, "replay_mismatch")
    assert "step 'read' number 1" in (ended.error or "")
    assert calls == [1]


async def test_a_step_that_is_not_called_again_is_told(harness: Harness) -> None:
    """A handler that takes another way in its second run ends as failed, not as if it had never paid."""
    task = await harness.submit("loses.a.step.apart")
    await harness.run_until_idle()
    await harness.advance(1)
    ended = await harness.assert_failed(task.id, "replay_mismatch")
    assert "step 'pay' number 1 was recorded" in (ended.error or "")


async def test_calls_of_one_name_are_numbered_as_they_are_made(harness: Harness) -> None:
    """`gather` over steps of one name keeps its order on replay, whichever ends first."""
    task = await harness.submit("gathers")
    await harness.run_until_idle()
    await harness.advance(1)
    assert await harness.assert_completed(task.id) == [0, 1, 4, 9, 16]
    assert sorted(step.n for step in await harness.steps(task.id)) == [1, 2, 3, 4, 5]
    assert {step.attempt for step in await harness.steps(task.id)} == {1}


async def test_branches_tell_their_steps_apart_with_a_key(harness: Harness) -> None:
    """Branches that share a step's name would take each other's numbers on replay, so they need `key=`."""
    task = await harness.submit("branches", {"keyed": True})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == ["a", "b"]
    assert sorted(step.name for step in await harness.steps(task.id)) == ["look[a]", "look[b]"]


async def test_branches_without_a_key_are_refused(harness: Harness) -> None:
    """Better a clear error in the first run than another branch's result in the second."""
    task = await harness.submit("branches", {"keyed": False})
    await harness.run_until_idle()
    assert "key=" in ((await harness.assert_failed(task.id, "replay_mismatch")).error or "")


async def test_what_a_handler_tells_stands_in_its_timeline(harness: Harness) -> None:
    """Log and usage lines are all kept; of the progress within a quarter second, the latest."""
    task = await harness.submit("tells")
    await harness.run_until_idle()
    events = [(event.type, event.data) for event in await harness.events(task.id)]
    assert ("log", {"detail": 1, "level": "info", "message": "first"}) in events
    assert ("progress", {"progress": 0.7, "message": "nearly"}) in events
    assert ("usage", {"tokens": 12}) in events
    assert [event[0] for event in events].count("progress") == 1


async def test_streamed_output_can_be_read_while_it_grows(harness: Harness) -> None:
    """What was emitted is there for whoever watches, and gone when the result is there."""
    global _seen, _go_on
    _seen, _go_on = asyncio.Queue(), asyncio.Queue()
    task = await harness.submit("streams")
    work = asyncio.create_task(harness.run_until_idle())
    await _seen.get()
    parts = await harness.app.database.read(lists.partial, task.id)
    assert "".join(text for _, _, text in parts) == "x" * 3000
    await _go_on.put(None)
    await work
    await harness.assert_completed(task.id)
    assert await harness.app.database.read(lists.partial, task.id) == []


@pytest.mark.parametrize("kind", ["knows.itself", "knows.itself.in.a.thread", "knows.itself.apart"])
async def test_log_lines_know_their_task_wherever_they_are_written(harness: Harness, kind: str) -> None:
    """Handler, async step, step in a thread, process: the current task is known in each."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    assert set(await harness.assert_completed(task.id)) == {True}


@pytest.mark.parametrize("what", ["set", "nan", "big"])
async def test_a_steps_value_must_be_json(harness: Harness, what: str) -> None:
    """A value that could not be replayed unchanged is refused, for good, and the step is named."""
    task = await harness.submit("keeps.badly", {"what": what})
    await harness.run_until_idle()
    assert "'make'" in ((await harness.assert_failed(task.id, "not_json")).error or "")


@pytest.mark.parametrize("gather", [False, True])
async def test_a_step_that_exits_fails_its_task_only(harness: Harness, gather: bool) -> None:
    """`sys.exit` in a library is that task's failure, also inside `asyncio.gather`."""
    task = await harness.submit("exits.in.step", {"gather": gather})
    await harness.run_until_idle()
    assert "SystemExit" in ((await harness.assert_failed(task.id, "handler_error")).error or "")


@pytest.mark.parametrize("name", ["nests", "nests.in.a.thread"])
@pytest.mark.parametrize("within", ["step", "item"])
async def test_a_step_has_no_steps_of_its_own(harness: Harness, name: str, within: str) -> None:
    """The next round would not ask for them again: it is refused in the first, not for good in the second."""
    task = await harness.submit(name, {"within": within}, max_retries=0)
    await harness.run_until_idle()
    failed = await harness.assert_failed(task.id)
    assert "a step cannot wait, nor have steps of its own: call 'inner' in the handler" in (
        failed.error or ""
    )
    assert calls == (["after"] if name == "nests" else [])
