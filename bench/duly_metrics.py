"""What only Duly is asked: the latency inside one process, and what a claim costs behind a backlog."""

from __future__ import annotations

from backlog import backlog
from duly_system import DulySystem
from metrics import Figures, Sizes, trickle

from duly.runtime.worker import Worker


async def latency_inside(system: DulySystem, sizes: Sizes) -> Figures:
    """A task every 50 ms, submitted by the process that works on it, as `duly serve` does."""
    await system.setup()
    worker = Worker(await system.open())
    await worker.start()
    try:
        await trickle(system, 20)
        return await trickle(system, sizes.latency)
    finally:
        await worker.drain(5)
        await worker.stop()


METRICS = {one.__name__: one for one in (latency_inside, backlog)}
