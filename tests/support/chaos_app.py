"""The app that the chaos tests run: each handler writes what it did into one ledger file, line by line.

Copied into the folder of a cluster and loaded by its workers as `chaos_app:duly`.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import threading
import time
from functools import partial
from typing import Any

from duly import BlockingContext, Context, Duly, Retry

duly = Duly()


def note(what: str, task: str, attempt: int, n: int = 0) -> int:
    """One line in the ledger, in one write to a file opened with O_APPEND: processes do not mix lines."""
    line = {
        "what": what,
        "task": task,
        "attempt": attempt,
        "n": n,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    ledger = os.open("ledger.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(ledger, (json.dumps(line) + "\n").encode())
    os.close(ledger)
    return n


@duly.task("steps", timeout=120, version=os.environ.get("CHAOS_VERSION", ""))
async def steps(ctx: Context, n: int = 3, pause: float = 0.05, rest: float = 0.0) -> int:
    note("start", ctx.task_id, ctx.attempt)
    for number in range(n):
        await ctx.step("mark", partial(note, "step", ctx.task_id, ctx.attempt), number)
        if rest and not number:
            await ctx.sleep("rest", seconds=rest)
        await asyncio.sleep(pause)
    note("end", ctx.task_id, ctx.attempt)
    return n


@duly.task("asks", timeout=120)
async def asks(ctx: Context, sections: int) -> int:
    """Asks a model about each section."""
    for number in range(sections):
        await ctx.llm.chat("section", f"{ctx.task_id}: section {number}")
    return sections


@duly.task("asks.by.chapter", timeout=120)
async def asks_by_chapter(ctx: Context, chapters: int, sections: int) -> list[str]:
    """Asks a model about each section of each chapter, and rests after each: who has rested is no suspect."""
    told = []
    for chapter in range(chapters):
        for number in range(sections):
            answer = await ctx.llm.chat("section", f"chapter {chapter}, section {number}")
            told.append(f"{answer.request_id} {answer.text}")
        await ctx.sleep("rest", seconds=0.2)
    return told


@duly.task("flaky", timeout=120)
async def flaky(ctx: Context) -> int:
    """Fails once."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        raise Retry("not yet", after=0.2)
    return ctx.attempt


@duly.task("keyed", limit_key="key", key_concurrency=2, timeout=120)
async def keyed(ctx: Context, key: int, pause: float = 0.05) -> int:
    note("start", ctx.task_id, ctx.attempt, key)
    await asyncio.sleep(pause)
    note("end", ctx.task_id, ctx.attempt, key)
    return key


@duly.task("brief", timeout=120)
async def brief(ctx: Context, key: int | str, pause: float = 0.0) -> None:
    """Notes nothing: what it costs is what the tasks of any type cost."""
    if pause:
        await asyncio.sleep(pause)


@duly.task("brief.keyed", limit_key="key", key_concurrency=2, timeout=120)
async def brief_keyed(ctx: Context, key: int | str, pause: float = 0.0) -> None:
    await brief(ctx, key, pause)


@duly.task("steps.apart", isolate=True, timeout=120)
async def steps_apart(ctx: Context, n: int = 3, pause: float = 0.05) -> int:
    return await steps(ctx, n, pause)


@duly.task("steps.plain.apart", isolate=True, timeout=120)
def steps_plain_apart(ctx: BlockingContext, n: int = 3, pause: float = 0.05) -> int:
    for number in range(n):
        ctx.step("mark", partial(note, "step", ctx.task_id, ctx.attempt), number)
        threading.Event().wait(pause)
    return n


@duly.task("member", timeout=120)
async def member(ctx: Context, n: int, pause: float = 0.0) -> int:
    note("member", ctx.task_id, ctx.attempt, n)
    await asyncio.sleep(pause)
    return n


@duly.task("family", timeout=120)
async def family(ctx: Context, n: int, pause: float) -> list[int]:
    note("start", ctx.task_id, ctx.attempt)
    children = [await ctx.spawn("member", "member", {"n": number, "pause": pause}) for number in range(n)]
    return await ctx.gather(*children)


@duly.task("called", timeout=120)
async def called(ctx: Context) -> None:
    """Waits for a signal that nobody sends."""
    await ctx.wait_for("call")


@duly.task("household", timeout=120)
async def household(ctx: Context, working: int, waiting: int) -> list[int]:
    """Some children work for long, or wait for a free slot to; others are suspended."""
    tasks: list[dict[str, Any]] = [{"task_type": "called"}] * waiting
    tasks += [{"task_type": "member", "input": {"n": n, "pause": 600.0}} for n in range(working)]
    return await ctx.gather(*await ctx.spawn_many("them", tasks))


@duly.task("mapping", timeout=120)
async def mapping(ctx: Context, n: int, pause: float, at_once: int = 5) -> int:
    note("start", ctx.task_id, ctx.attempt)

    async def work(number: int) -> int:
        await asyncio.sleep(pause)
        return note("item", ctx.task_id, ctx.attempt, number)

    return sum((await ctx.map("numbers", range(n), work, concurrency=at_once)).ok)


@duly.task("silent.loop", timeout=3600)
async def silent_loop(ctx: Context, seconds: float, later: float | None = None) -> None:
    """Silent for `seconds`; in later attempts for `later` seconds, if given."""
    note("start", ctx.task_id, ctx.attempt)
    await asyncio.sleep(seconds if ctx.attempt == 1 or later is None else later)
    note("end", ctx.task_id, ctx.attempt)


@duly.task("silent.thread", timeout=3600)
def silent_thread(ctx: BlockingContext, seconds: float) -> None:
    note("start", ctx.task_id, ctx.attempt)
    threading.Event().wait(seconds)
    note("end", ctx.task_id, ctx.attempt)


@duly.task("silent.gil", timeout=3600)
def silent_gil(ctx: BlockingContext, seconds: float) -> None:
    """A C call that keeps the interpreter's lock: nothing else in this process can run meanwhile."""
    note("start", ctx.task_id, ctx.attempt)
    ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1_000_000)))
    note("end", ctx.task_id, ctx.attempt)


@duly.task("stubborn", timeout=1, max_retries=1, backoff=0.1)
def stubborn(ctx: BlockingContext, seconds: float) -> None:
    """Ignores its timeout in the first attempt."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        threading.Event().wait(seconds)
    note("end", ctx.task_id, ctx.attempt)


@duly.task("blocked.loop", timeout=1, max_retries=1, backoff=0.1)
async def blocked_loop(ctx: Context, seconds: float) -> None:
    """Blocks the worker's event loop in the first attempt, as a forgotten `requests.get` does."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        threading.Event().wait(seconds)
    note("end", ctx.task_id, ctx.attempt)


@duly.task("isolated", isolate=True, timeout=60, backoff=0.1)
def isolated(ctx: BlockingContext, seconds: float = 0) -> int:
    """Hangs in the first attempt."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        threading.Event().wait(seconds)
    note("end", ctx.task_id, ctx.attempt)
    return ctx.attempt


@duly.task("leaves.child", timeout=60)
def leaves_child(ctx: BlockingContext, seconds: float) -> Any:
    """Forks a process that outlives the worker and holds all that was open in it."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1 and os.fork() == 0:
        threading.Event().wait(seconds)
        os._exit(0)
    note("forked", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        threading.Event().wait(seconds)
    return ctx.attempt


@duly.task("says.goodbye", timeout=60)
def says_goodbye(ctx: BlockingContext) -> None:
    """Ends the whole process as if all were well, in the first attempt."""
    note("start", ctx.task_id, ctx.attempt)
    if ctx.attempt == 1:
        os._exit(0)


@duly.task("kills.worker", timeout=60)
async def kills_worker(ctx: Context, how: str, seconds: float = 0.1) -> None:
    """Takes its process with it, each time, a little after its start."""
    note("start", ctx.task_id, ctx.attempt)
    await asyncio.sleep(seconds)
    if how == "exit":
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


@duly.task("exits.in.gather", timeout=60, max_retries=0)
async def exits_in_gather(ctx: Context) -> None:
    """A task of the handler's own raises SystemExit, which asyncio passes through the event loop."""
    note("start", ctx.task_id, ctx.attempt)
    await asyncio.gather(_exit())


async def _exit() -> None:
    raise SystemExit(0)
