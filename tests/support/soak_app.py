"""The app that a soak runs: every handler notes in a ledger outside the database what it does, and when.

Copied into the run's folder and loaded by API and workers as `soak_app:duly`.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from functools import partial
from typing import Any

import soak_breakage  # type: ignore[import-not-found]

from duly import BlockingContext, ChildFailed, Context, Duly, Polling
from duly.model.job import Job

soak_breakage.plant()
duly = Duly()
#: Open from the start: a handler notes what it did when no file can be opened any more, too.
LEDGER = os.open("ledger.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what: str, task: str, attempt: int, n: int = 0) -> dict[str, int]:
    """One line, in one write to a file opened with O_APPEND: processes do not mix lines."""
    line = {
        "what": what,
        "task": task,
        "attempt": attempt,
        "n": n,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    os.write(LEDGER, (json.dumps(line) + "\n").encode())
    return {"n": n, "attempt": attempt}


def result(attempt: int, steps: list[Any]) -> dict[str, Any]:
    """What a handler returns: which attempt it was, and the values of its steps as it got them."""
    return {"attempt": attempt, "steps": steps}


async def _steps(ctx: Context, n: int, pause: float) -> list[Any]:
    values = []
    try:
        for number in range(n):
            values.append(await ctx.step("mark", partial(note, "step", ctx.task_id, ctx.attempt), number))
            await asyncio.sleep(pause)
    except asyncio.CancelledError:
        note("stopped", ctx.task_id, ctx.attempt)
        raise
    return values


@duly.task("soak.work", timeout=120, max_retries=3)
async def work(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Some recorded steps, each with an effect."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.thread", timeout=120, max_retries=3)
def in_a_thread(ctx: BlockingContext, n: int, pause: float) -> dict[str, Any]:
    """The same in a plain handler."""
    note("start", ctx.task_id, ctx.attempt)
    values = []
    for number in range(n):
        values.append(ctx.step("mark", partial(note, "step", ctx.task_id, ctx.attempt), number))
        threading.Event().wait(pause)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.flaky", timeout=120, max_retries=3, backoff=0.2)
async def flaky(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Fails once after its steps, then replays them."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)
    if ctx.retry_count == 0:
        note("retry", ctx.task_id, ctx.attempt)
        raise RuntimeError("not this time")
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.sleep", timeout=120, max_retries=3)
async def sleeper(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Is suspended after its steps, several times, and replays them."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)
    for _ in range(n):
        await ctx.sleep("nap", seconds=pause)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.signal", timeout=120, max_retries=3)
async def listener(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Waits for a signal that most clients send, and goes on without it."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)
    await ctx.wait_for("go", timeout=5, default=None)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.track", timeout=120, max_retries=3)
async def tracker(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Has its last mark made by a vendor, whose job ends after some polls."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)

    def submit(job: Job) -> str:
        note("step", ctx.task_id, ctx.attempt, n)
        return str(time.monotonic() + n * pause)

    def poll(ends_at: str) -> dict[str, str]:
        return {"status": "done" if time.monotonic() >= float(ends_at) else "running"}

    await ctx.track("mark", submit=submit, poll=poll, interval=Polling(interval=pause, cap=1))
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, values)


@duly.task("soak.family", timeout=120, max_retries=3)
async def family(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Spawns children after its steps, and waits for them without a worker."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)
    children = [await ctx.spawn("child", "soak.work", {"n": 1, "pause": pause}) for _ in range(n)]
    ends = await ctx.gather(*children, policy="collect")
    note("completed", ctx.task_id, ctx.attempt)
    kin = {
        child.id: None if isinstance(end, ChildFailed) else end
        for child, end in zip(children, ends, strict=True)
    }
    return {**result(ctx.attempt, values), "kin": kin}


@duly.task("soak.map", timeout=120, max_retries=3)
async def mapped(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Has an effect for each of several items."""
    note("start", ctx.task_id, ctx.attempt)
    values = await _steps(ctx, n, pause)

    async def effect(number: int) -> dict[str, int]:
        await asyncio.sleep(pause)
        return note("item", ctx.task_id, ctx.attempt, number)

    done = await ctx.map("items", range(4 * n), effect, concurrency=4)
    note("completed", ctx.task_id, ctx.attempt)
    return {**result(ctx.attempt, values), "items": list(done.results)}


@duly.task("soak.limited", timeout=120, max_retries=3, concurrency=2)
async def limited(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Runs beside one other of its type at most, on all workers together."""
    return await work(ctx, n, pause)


@duly.task("soak.beat", timeout=300, max_retries=3)
async def beat(ctx: Context, n: int, pause: float) -> dict[str, Any]:
    """Asks nothing of the database, and notes that it is there; a later attempt is soon done."""
    note("start", ctx.task_id, ctx.attempt)
    for number in range(n if ctx.attempt == 1 else 3):
        note("beat", ctx.task_id, ctx.attempt, number)
        await asyncio.sleep(pause)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, [])


@duly.task("soak.tick", timeout=120, max_retries=3)
async def tick(ctx: Context) -> dict[str, Any]:
    """Is submitted by a schedule."""
    note("start", ctx.task_id, ctx.attempt)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, [])


@duly.task("soak.ballast", timeout=120, max_retries=3)
async def ballast(ctx: Context, text: str) -> None:
    """Takes room in the database, by its input."""


@duly.task("soak.hog", timeout=120, max_retries=3)
def hog(ctx: BlockingContext, megabytes: int) -> dict[str, Any]:
    """Takes so much memory, page by page."""
    note("start", ctx.task_id, ctx.attempt)
    taken = [b"x" * 2**20 for _ in range(megabytes)]
    note("completed", ctx.task_id, ctx.attempt)
    return {**result(ctx.attempt, []), "taken": len(taken)}


@duly.task("soak.files", timeout=120, max_retries=3)
async def files(ctx: Context, seconds: float) -> dict[str, Any]:
    """Opens files until there are no more to open, and keeps them for a while."""
    note("start", ctx.task_id, ctx.attempt)
    taken: list[int] = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        note("exhausted", ctx.task_id, ctx.attempt, len(taken))
    await asyncio.sleep(seconds)
    for descriptor in taken:
        os.close(descriptor)
    note("completed", ctx.task_id, ctx.attempt)
    return result(ctx.attempt, [])


duly.schedule("beat", 2, "soak.tick", catch_up="all")
