"""The tutorial, part 5: handlers that misbehave cost their own task, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import signal
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly, InvalidInput
from duly.store import submissions
from duly.testing import Harness, harness_fixture

duly = Duly()


@duly.task("raises", max_retries=0)
async def raises(ctx: Context, what: str) -> None:
    kinds: dict[str, BaseException] = {
        "exit": SystemExit(0),
        "interrupt": KeyboardInterrupt(),
        "base": BaseException("base"),
        "generator": GeneratorExit(),
        "stop": StopIteration("x"),
        "memory": MemoryError(),
    }
    raise kinds[what]


@duly.task("raises.in.a.thread", max_retries=0)
def raises_in_a_thread(ctx: BlockingContext, what: str) -> None:
    raise {"exit": SystemExit(0), "interrupt": KeyboardInterrupt()}[what]


@duly.task("raises.apart", isolate=True, max_retries=0)
def raises_apart(ctx: BlockingContext, what: str) -> None:
    raise {"exit": SystemExit(0), "interrupt": KeyboardInterrupt()}[what]


@duly.task("returns")
async def returns(ctx: Context, what: str) -> Any:
    values: dict[str, Any] = {
        "set": {1},
        "nan": float("nan"),
        "object": object(),
        "surrogate": "\ud800",
        "nul": "\0",
    }
    return values[what]


@duly.task("says.odd.things")
async def says_odd_things(ctx: Context) -> None:
    await ctx.progress(0.5, "a\ud800b\0")


@duly.task("returns.much")
async def returns_much(ctx: Context, megabytes: int) -> str:
    return noise(megabytes * 500_000)


def noise(size: int) -> str:
    """The same incompressible text every time, two characters per byte."""
    return random.Random(7).randbytes(size).hex()  # noqa: S311 - only has to be hard to compress


@duly.task("dies", isolate=True, max_retries=1, backoff=1)
def dies(ctx: BlockingContext, how: str) -> str:
    ctx.step("before", str, 1)
    if ctx.attempt == 1:
        {"abort": os.abort, "exit": lambda: os._exit(9), "kill": _kill, "segfault": _segfault}[how]()
    return "alive"


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segfault() -> None:
    ctypes.string_at(0)


def _unpicklable() -> Any:
    @duly.task("cannot.travel", isolate=True)
    def inner(ctx: BlockingContext) -> None: ...

    return inner


_unpicklable()


@duly.task("leaves.tasks")
async def leaves_tasks(ctx: Context) -> str:
    """Starts a task of its own and forgets it."""
    ctx.forgotten = asyncio.create_task(asyncio.sleep(3600))  # type: ignore[attr-defined]
    return "done"


@duly.task("closes.its.context")
async def closes_its_context(ctx: Context, depth: int = 5) -> int:
    """Nested contexts with clean-ups, each of which awaits."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(depth):
            stack.push_async_callback(asyncio.sleep, 0)
    return depth


harness = harness_fixture(duly)


@pytest.mark.parametrize("what", ["exit", "interrupt", "base", "generator", "stop", "memory"])
async def test_whatever_is_raised_fails_the_task(harness: Harness, what: str) -> None:
    """SystemExit, KeyboardInterrupt and worse end the task, not the worker."""
    task = await harness.submit("raises", {"what": what})
    other = await harness.submit("leaves.tasks")
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "handler_error")
    await harness.assert_completed(other.id)


@pytest.mark.parametrize("kind", ["raises.in.a.thread", "raises.apart"])
@pytest.mark.parametrize("what", ["exit", "interrupt"])
async def test_an_exit_ends_neither_thread_nor_process(harness: Harness, kind: str, what: str) -> None:
    """In a thread and in a process of its own, an exit is told like any other error."""
    task = await harness.submit(kind, {"what": what})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "handler_error")


@pytest.mark.parametrize("what", ["set", "nan", "object", "surrogate", "nul"])
async def test_a_result_that_is_not_json_is_refused_for_good(harness: Harness, what: str) -> None:
    """It is not retried: the next attempt would cost as much and return the same."""
    task = await harness.submit("returns", {"what": what})
    await harness.run_until_idle()
    assert (await harness.assert_failed(task.id, "not_json")).retry_count == 0


async def test_a_message_is_text_that_every_database_keeps(harness: Harness) -> None:
    """What stands in it may come from anywhere: what is no character is replaced."""
    task = await harness.submit("says.odd.things")
    await harness.run_until_idle()
    await harness.assert_completed(task.id)
    assert (await harness.task(task.id)).progress_message == "a\ufffdb\ufffd"


async def test_a_large_result_comes_back_whole(harness: Harness) -> None:
    """Five megabytes that do not compress well are kept in parts and read back equal."""
    task = await harness.submit("returns.much", {"megabytes": 5})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == noise(2_500_000)


async def test_an_input_that_does_not_fit_is_refused_at_the_door(harness: Harness) -> None:
    """An unknown or missing argument is told to the caller, not found by a worker."""
    with pytest.raises(InvalidInput, match="does not fit its handler"):
        await harness.submit("returns", {"wrong": 1})


async def test_an_input_that_no_longer_fits_fails_for_good(harness: Harness) -> None:
    """Accepted by yesterday's code, refused by today's: the task fails and says why; no retry would help."""
    make = submissions.Submission.of  # the same row that an older version would have written
    item = make(
        id="01900000-0000-7000-8000-000000000001", task_type="returns", input='{"old":1}', body_hash="h"
    )
    await harness.app.database.write(submissions.submit, item)
    await harness.run_until_idle()
    ended = await harness.assert_failed(item.id, "invalid_input")
    assert "does not fit its handler" in (ended.error or "")
    assert ended.retry_count == 0


@pytest.mark.parametrize(
    ("how", "word"),
    [
        pytest.param("abort", "SIGABRT", marks=pytest.mark.slow),
        pytest.param("exit", "exit code 9", marks=pytest.mark.slow),
        ("kill", "SIGKILL"),
        ("segfault", "SIGSEGV"),
    ],
)
async def test_a_process_that_dies_is_retried(harness: Harness, how: str, word: str) -> None:
    """A crash in C ends the task's own process: charged, retried, with its recorded steps."""
    task = await harness.submit("dies", {"how": how})
    await harness.run_until_idle()
    waiting = await harness.assert_status(task.id, "retry")
    assert waiting.error_code == "process_died"
    assert word in (waiting.error or "")
    await harness.advance(2)
    assert await harness.assert_completed(task.id) == "alive"
    assert [step.attempt for step in await harness.steps(task.id)] == [1]


async def test_a_handler_that_cannot_travel_says_so(harness: Harness) -> None:
    """A function inside a function cannot be sent to another process: the task fails and says why."""
    task = await harness.submit("cannot.travel")
    await harness.run_until_idle()
    assert "pickle" in ((await harness.assert_failed(task.id, "not_started")).error or "")


async def test_a_forgotten_task_does_not_hold_its_handler(harness: Harness) -> None:
    """What a handler started and left behind is its own affair; the attempt ends with the handler."""
    task = await harness.submit("leaves.tasks")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "done"


async def test_clean_ups_run(harness: Harness) -> None:
    """Context managers of a handler close before its result is recorded."""
    task = await harness.submit("closes.its.context", {"depth": 3})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == 3
