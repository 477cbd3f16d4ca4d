"""The tutorial, part 3: timeouts, cancels and deadlines, wherever a handler runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.testing import Harness, harness_fixture
from support.cluster import until

duly = Duly()
started: list[str] = []
ended: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    started.clear()
    ended.clear()


@duly.task("waits", timeout=60)
async def waits(ctx: Context) -> None:
    started.append(ctx.task_id)
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(ctx.task_id)


@duly.task("waits.in.a.thread", timeout=60)
def waits_in_a_thread(ctx: BlockingContext) -> str:
    started.append(ctx.task_id)
    pause = threading.Event()
    while not ctx.cancelled:
        pause.wait(0.01)
    ended.append(ctx.task_id)
    return "stopped early"


@duly.task("waits.apart", isolate=True, timeout=60)
def waits_apart(ctx: BlockingContext) -> None:
    ctx.log("I am here")
    threading.Event().wait()


@duly.task("slow", timeout=0.3, max_retries=3)
async def slow(ctx: Context) -> None:
    await asyncio.Event().wait()


@duly.task("slow.apart", isolate=True, timeout=2, max_retries=0)
def slow_apart(ctx: BlockingContext) -> None:
    threading.Event().wait()


@duly.task("refuses", timeout=60)
async def refuses(ctx: Context, times: int) -> str:
    """Swallows its cancel some times, as a bare `except` around an `await` does."""
    started.append(ctx.task_id)
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return "finished after all"


@duly.task("swallows", timeout=60)
async def swallows(ctx: Context) -> None:
    started.append(ctx.task_id)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if ended:
            raise RuntimeError("enough")


@duly.task("cancels.itself", max_retries=0)
async def cancels_itself(ctx: Context) -> None:
    raise asyncio.CancelledError


harness = harness_fixture(duly, poll=0.05, stuck=0.2)


async def begin(
    harness: Harness, kind: str, input_: Any = None, **options: Any
) -> tuple[str, asyncio.Task[None]]:
    """A task that runs, and the work that ends when it does."""
    task = await harness.submit(kind, input_, **options)
    work = asyncio.create_task(harness.run_until_idle())

    async def runs() -> bool:
        return task.id in started or any(event.type == "log" for event in await harness.events(task.id))

    await until(runs)
    return task.id, work


async def test_a_handler_that_takes_too_long_is_stopped_and_retried(harness: Harness) -> None:
    """A timeout is charged like any failure: after 2, 4 and 8 seconds, then the task has failed."""
    task = await harness.submit("slow")
    await harness.run_until_idle()
    for seconds in (2, 4, 8):
        waiting = await harness.assert_status(task.id, "retry")
        assert waiting.due_at is not None
        assert 0.8 * seconds <= (waiting.due_at - harness.clock.now_ms()) / 1000 <= 1.2 * seconds
        await harness.advance(1.2 * seconds + 0.001)
    failed = await harness.assert_failed(task.id, "timeout")
    assert failed.exhausted
    assert (failed.attempt, failed.retry_count) == (4, 3)


async def test_an_isolated_handler_is_killed_at_its_timeout(harness: Harness) -> None:
    """A process is stopped whatever it does."""
    task = await harness.submit("slow.apart")
    begun = time.monotonic()
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "timeout")
    assert 2 <= time.monotonic() - begun < 4


@pytest.mark.parametrize("kind", ["waits", "waits.in.a.thread", "waits.apart"])
async def test_a_running_task_is_cancelled_within_two_seconds(harness: Harness, kind: str) -> None:
    """A coroutine gets `CancelledError`, a thread sees `ctx.cancelled`, a process is killed."""
    id_, work = await begin(harness, kind)
    begun = time.monotonic()
    assert (await harness.app.client.cancel(id_)).status == "running"
    await work
    assert time.monotonic() - begun < 2
    events = [event.type for event in await harness.events(id_)]
    await harness.assert_status(id_, "cancelled")
    assert events[-2:] == ["cancel_requested", "cancelled"]


async def test_a_task_that_waits_is_cancelled_at_once(harness: Harness) -> None:
    """Before its start a cancel needs no worker, and its handler never runs."""
    task = await harness.submit("waits")
    assert (await harness.app.client.cancel(task.id)).status == "cancelled"
    await harness.run_until_idle()
    assert started == []


async def test_a_cancel_between_claim_and_start_is_in_time(harness: Harness) -> None:
    """The handler of a task that was cancelled as it was claimed does not begin."""
    task = await harness.submit("waits")
    await harness.worker.claim()
    await harness.app.client.cancel(task.id)
    await harness.run_until_idle()
    await harness.assert_status(task.id, "cancelled")
    assert len(started) == len(ended)


async def test_cancelling_twice_is_cancelling(harness: Harness) -> None:
    """A second request adds nothing, and an ended task stays as it is."""
    id_, work = await begin(harness, "waits")
    await harness.app.client.cancel(id_)
    await harness.app.client.cancel(id_)
    await work
    assert [event.type for event in await harness.events(id_)].count("cancel_requested") == 1
    assert (await harness.app.client.cancel(id_)).status == "cancelled"


async def test_a_result_beats_a_cancel(harness: Harness) -> None:
    """A handler that finishes in spite of a cancel has done paid work: its result is kept."""
    id_, work = await begin(harness, "refuses", {"times": 1})
    await harness.app.client.cancel(id_)
    await work
    assert await harness.assert_completed(id_) == "finished after all"


async def test_a_handler_that_swallows_its_cancel_is_asked_again(harness: Harness) -> None:
    """One `except` too broad does not make a task uncancellable."""
    id_, work = await begin(harness, "swallows")
    await harness.app.client.cancel(id_)
    await asyncio.sleep(0)
    ended.append("now")
    await work
    await harness.assert_status(id_, "cancelled")


async def test_a_handler_that_raises_cancelled_error_has_failed(harness: Harness) -> None:
    """Nobody asked for a cancel, so it is an error like another: the task does not hang."""
    task = await harness.submit("cancels.itself")
    await harness.run_until_idle()
    assert "CancelledError" in ((await harness.assert_failed(task.id, "handler_error")).error or "")


async def test_a_deadline_that_passes_in_the_queue_fails_the_task(harness: Harness) -> None:
    """Nobody wants the answer any more: it is not started."""
    task = await harness.submit("waits", deadline=60)
    harness.clock.advance(61)
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "expired")
    assert started == []


async def test_a_deadline_cuts_a_running_attempt_short(harness: Harness) -> None:
    """It is not retried: there would be no time left."""
    task = await harness.submit("waits", deadline=0.2)
    work = asyncio.create_task(harness.run_until_idle())
    await until(lambda: started)
    harness.clock.advance(1)
    await work
    assert (await harness.assert_failed(task.id, "deadline_exceeded")).retry_count == 0


async def test_a_retry_beyond_the_deadline_is_not_waited_for(harness: Harness) -> None:
    """When the next attempt would begin too late, the task has failed now."""
    task = await harness.submit("slow", deadline=1)
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "deadline_exceeded")
