"""What is measured, the same for every system. Each metric begins with an empty database and answers figures.

`submit_one`, `submit_64`, `submit_bulk`, `drain`: tasks per second · `latency`: from before the submit to
the handler's first line, the worker being another process · `waits`: 1,000 handlers of a second · `idle` ·
`startup`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import marks
from measure import Noise, percentiles_ms
from processes import Worker, cpu_seconds, fine_cpu_seconds, memory_mb
from system import System

Figures = dict[str, float]
CALLERS = 64
LOOK_SECONDS = 0.02
GAP_SECONDS = 0.05
LIMIT_SECONDS = 120.0
SUBMIT_SECONDS = 12.0
SETTLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; `small()` is for a look whether it works at all."""

    submit: int = 2000
    callers: int = 6400
    bulk: int = 10_000
    drain: int = 10_000
    latency: int = 300
    waits: int = 1000
    idle_seconds: float = 20.0
    #: Pending tasks. The fewest must outlast what is claimed of them: twice 60 times 64.
    backlog: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    held_seconds: float = 60.0

    @classmethod
    def small(cls) -> Sizes:
        """A few seconds in all."""
        return cls(
            submit=100,
            callers=640,
            bulk=1000,
            drain=1000,
            latency=20,
            waits=50,
            idle_seconds=2,
            backlog=(8000,),
            held_seconds=2,
        )


async def submit_one(system: System, sizes: Sizes) -> Figures:
    """One caller that waits for each answer."""
    await system.setup()
    await _one_by_one(system, 20)
    noise, start = begin(system), time.perf_counter()
    count = await _one_by_one(system, sizes.submit)
    seconds = time.perf_counter() - start
    return {"n": count, "per_s": round(count / seconds, 1), **noise.figures()}


async def _one_by_one(system: System, count: int) -> int:
    """Submits `count` tasks, fewer when that takes too long; answers how many."""
    until = time.perf_counter() + SUBMIT_SECONDS
    for number in range(count):
        await system.submit("noop", 0.0)
        if time.perf_counter() > until:
            return number + 1
    return count


async def submit_64(system: System, sizes: Sizes) -> Figures:
    """64 callers, each of which waits for its answers: coroutines, or threads where the client blocks."""
    await system.setup()
    await _one_by_one(system, 20)
    each = max(1, sizes.callers // CALLERS)
    noise, start = begin(system), time.perf_counter()
    counts = await _callers(system, each)
    seconds = time.perf_counter() - start
    return {"n": sum(counts), "per_s": round(sum(counts) / seconds, 1), **noise.figures()}


async def _callers(system: System, each: int) -> list[int]:
    if not system.blocking:
        return await asyncio.gather(*(_one_by_one(system, each) for _ in range(CALLERS)))
    with ThreadPoolExecutor(CALLERS) as threads:
        return list(threads.map(lambda _: asyncio.run(_one_by_one(system, each)), range(CALLERS)))


async def submit_bulk(system: System, sizes: Sizes) -> Figures:
    """Many at once, in the way that the system documents as the fastest."""
    await system.setup()
    noise, start = begin(system), time.perf_counter()
    await system.submit_bulk(sizes.bulk)
    seconds = time.perf_counter() - start
    return {"n": sizes.bulk, "per_s": round(sizes.bulk / seconds, 1), **noise.figures()}


async def drain(system: System, sizes: Sizes) -> Figures:
    """A backlog, one worker: from the first handler's start until all ends are in the database."""
    count = max(1, round(sizes.drain * system.drain_share))
    await _backlog(system, "noop", count)
    noise, begun = begin(system), time.time()
    with _worker(system, system.drain_concurrency) as worker:
        await _until_finished(system, count, worker)
        ended, seconds, around = time.time(), cpu_seconds(worker.pids), noise.figures()
    first = min(marks.read("ran"))
    return {
        "n": count,
        "concurrency": system.drain_concurrency,
        "per_s": round(count / (ended - first), 1),
        "start_to_first_s": round(first - begun, 3),
        "worker_cpu_s": round(seconds, 2),
        **around,
    }


async def latency(system: System, sizes: Sizes) -> Figures:
    """A task every 50 ms to an idle worker in another process; n is what was picked up."""
    await system.setup()
    marks.clear()
    with _worker(system, system.drain_concurrency) as worker:
        await system.submit("latency", time.time())
        await _until(_marked("latency", 1), worker.check)
        await asyncio.sleep(SETTLE_SECONDS)
        return await trickle(system, sizes.latency, worker.check)


async def trickle(system: System, count: int, check: Callable[[], None] = lambda: None) -> Figures:
    """Submits a task every 50 ms; percentiles of what their handlers mark. A first one has warmed up."""
    noise, before = begin(system), len(marks.read("latency"))
    for _ in range(count):
        await system.submit("latency", time.time())
        await asyncio.sleep(GAP_SECONDS)
    await _until(_marked("latency", before + count), check)
    found = marks.read("latency")[before:]
    return {"n": len(found), **percentiles_ms(found), **noise.figures()}


async def waits(system: System, sizes: Sizes) -> Figures:
    """Handlers that each wait one second, all at once: wall time, processor time, memory above idle."""
    idle_mb = await _idle_mb(system)
    await _backlog(system, "wait", sizes.waits)
    noise = begin(system)
    with _worker(system, system.wait_concurrency) as worker:
        await _until_finished(system, sizes.waits, worker)
        ended, seconds, around = time.time(), cpu_seconds(worker.pids), noise.figures()
        peak_mb = memory_mb(worker.pids, "VmHWM")
    begun = marks.read("waits")
    return {
        "n": sizes.waits,
        "concurrency": system.wait_concurrency,
        "wall_s": round(ended - min(begun), 3),
        "last_begun_s": round(max(begun) - min(begun), 3),
        "cpu_s": round(seconds, 2),
        "peak_mb": peak_mb,
        "above_idle_mb": round(peak_mb - idle_mb, 1),
        **around,
    }


async def _idle_mb(system: System) -> float:
    """The memory of a worker for as many tasks that has done one and waits for more."""
    await system.setup()
    marks.clear()
    with _worker(system, system.wait_concurrency) as worker:
        await _warm_up(system, worker)
        return memory_mb(worker.pids, "VmRSS")


async def idle(system: System, sizes: Sizes) -> Figures:
    """A worker that has done one task and waits for more: processor share, memory, transactions."""
    await system.setup()
    marks.clear()
    with _worker(system, system.drain_concurrency) as worker:
        await _warm_up(system, worker)
        noise, before = begin(system), await system.transactions()
        cpu, start = fine_cpu_seconds(worker.pids), time.monotonic()
        await asyncio.sleep(sizes.idle_seconds)
        seconds = time.monotonic() - start
        share = (fine_cpu_seconds(worker.pids) - cpu) / seconds
        after = await system.transactions()
        figures = {"cpu_percent": round(share * 100, 2), "rss_mb": memory_mb(worker.pids, "VmRSS")}
        around = noise.figures()
    if before is not None and after is not None:
        figures["transactions_per_s"] = round((after - before) / seconds, 2)
    return {**figures, **around}


async def startup(system: System, sizes: Sizes) -> Figures:
    """From the worker's command to the first line of the handler of a task that is due."""
    del sizes
    await _backlog(system, "noop", 1)
    noise, begun = begin(system), time.time()
    with _worker(system, system.drain_concurrency) as worker:
        await _until(_marked("ran", 1), worker.check)
        around = noise.figures()
    return {"first_handler_ms": round((marks.read("ran")[0] - begun) * 1000), **around}


def begin(system: System) -> Noise:
    """The noise from now on."""
    return Noise(system.folder, system.database)


def _worker(system: System, concurrency: int) -> Worker:
    return Worker(system.worker(concurrency), system.environment(), system.folder)


async def _backlog(system: System, kind: str, count: int) -> None:
    await system.setup()
    marks.clear()
    await system.fill(kind, count)
    await system.settle()


async def _warm_up(system: System, worker: Worker) -> None:
    await system.submit("noop", 0.0)
    await _until_finished(system, 1, worker)
    await asyncio.sleep(SETTLE_SECONDS)


async def _until_finished(system: System, count: int, worker: Worker) -> None:
    async def all_finished() -> bool:
        return await system.finished() >= count

    await _until(all_finished, worker.check)


def _marked(what: str, count: int) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        return len(marks.read(what)) >= count

    return there


async def _until(done: Callable[[], Awaitable[bool]], check: Callable[[], None]) -> None:
    """Looks until it is so; a worker that ended, or two minutes, end the measurement."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await done():
            check()
            await asyncio.sleep(LOOK_SECONDS)


METRICS: dict[str, Callable[[System, Sizes], Awaitable[Figures]]] = {
    one.__name__: one for one in (submit_one, submit_64, submit_bulk, drain, latency, waits, idle, startup)
}
