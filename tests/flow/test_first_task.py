"""The tutorial, part 1: declare a task, submit it, let a worker do it, read the answer."""

from __future__ import annotations

from typing import Any

from duly import Context, Duly, Fail, Retry, Snooze
from duly.execute.context import BlockingContext
from duly.testing import Harness, harness_fixture

duly = Duly()
calls: list[str] = []


@duly.task("greet")
async def greet(ctx: Context, name: str = "world") -> dict[str, str]:
    await ctx.progress(0.5, "half way")
    return {"hello": name}


@duly.task("plain")
def plain(ctx: BlockingContext, n: int) -> int:
    return int(ctx.step("double", lambda value: value * 2, n))


@duly.task("isolated", isolate=True)
def isolated(ctx: BlockingContext, n: int) -> int:
    ctx.progress(0.3, "in a process of my own")
    return int(ctx.step("square", pow, n, 2))


@duly.task("isolated.async", isolate=True)
async def isolated_async(ctx: Context, n: int) -> Any:
    await ctx.log("hello from the process", n=n)
    return await ctx.step("square", pow, n, 2)


@duly.task("flaky", max_retries=3)
async def flaky(ctx: Context, fail_times: int) -> str:
    await ctx.step("once", note, f"once {ctx.task_id}")
    if ctx.retry_count < fail_times:
        raise Retry("not yet", code="not_yet")
    return "at last"


def note(line: str) -> str:
    calls.append(line)
    return line


@duly.task("hopeless")
async def hopeless(ctx: Context) -> None:
    raise Fail("no_chance", "This can never work.")


@duly.task("breaks", max_retries=1)
async def breaks(ctx: Context) -> None:
    raise ZeroDivisionError("oops")


@duly.task("later")
async def later(ctx: Context) -> str:
    if ctx.attempt == 1:
        raise Snooze(60, "the bank is closed")
    return "done"


harness = harness_fixture(duly)


async def test_a_task_is_accepted_at_once_and_done_by_a_worker(harness: Harness) -> None:
    """What a handler returns is the task's result."""
    task = await harness.submit("greet", {"name": "Duly"})
    assert task.status == "pending"
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == {"hello": "Duly"}


async def test_the_timeline_tells_what_happened(harness: Harness) -> None:
    """Events ascend from 1 without a gap."""
    task = await harness.submit("greet")
    await harness.run_until_idle()
    events = await harness.events(task.id)
    assert [event.type for event in events] == ["accepted", "started", "progress", "completed"]
    assert [event.seq for event in events] == [1, 2, 3, 4]


async def test_plain_handlers_run_in_threads(harness: Harness) -> None:
    """A handler need not be async; its context has the same words."""
    task = await harness.submit("plain", {"n": 21})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == 42


async def test_isolated_handlers_run_in_a_process(harness: Harness) -> None:
    """A handler with isolate=True has a process of its own, and the whole context in it."""
    one = await harness.submit("isolated", {"n": 7})
    two = await harness.submit("isolated.async", {"n": 8})
    await harness.run_until_idle()
    assert await harness.assert_completed(one.id) == 49
    assert await harness.assert_completed(two.id) == 64
    assert [step.name for step in await harness.steps(two.id)] == ["square"]


async def test_a_failed_attempt_is_retried_later(harness: Harness) -> None:
    """Retries come after about 2, 4 and 8 seconds, and recorded steps are not run again."""
    calls.clear()
    task = await harness.submit("flaky", {"fail_times": 2})
    await harness.run_until_idle()
    assert (await harness.assert_status(task.id, "retry")).error_code == "not_yet"
    await harness.advance(1.5)
    await harness.assert_status(task.id, "retry")
    await harness.advance(1.0)
    await harness.advance(5.0)
    assert await harness.assert_completed(task.id) == "at last"
    assert (await harness.task(task.id)).retry_count == 2
    assert len(calls) == 1


async def test_retries_run_out(harness: Harness) -> None:
    """One retry is two attempts; then the task has failed and says that its retries are exhausted."""
    task = await harness.submit("breaks")
    await harness.run_until_idle()
    await harness.advance(10)
    ended = await harness.assert_failed(task.id, "handler_error")
    assert ended.exhausted
    assert ended.attempt == 2
    assert ended.error == "ZeroDivisionError: oops"


async def test_fail_ends_a_task_for_good(harness: Harness) -> None:
    """`Fail` is not retried."""
    task = await harness.submit("hopeless")
    await harness.run_until_idle()
    ended = await harness.assert_failed(task.id, "no_chance")
    assert ended.retry_count == 0
    assert not ended.exhausted


async def test_snooze_costs_no_retry(harness: Harness) -> None:
    """A snoozed task waits without a worker and goes on when its time has come."""
    task = await harness.submit("later")
    await harness.run_until_idle()
    assert (await harness.assert_status(task.id, "waiting")).wait_kind == "snooze"
    await harness.advance(61)
    assert await harness.assert_completed(task.id) == "done"
    assert (await harness.task(task.id)).retry_count == 0
