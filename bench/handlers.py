"""Duly's side of the measurements as a user writes it: `duly worker --app handlers:duly`."""

from __future__ import annotations

import asyncio

import marks

from duly import Context, Duly

duly = Duly()


@duly.task("noop")
async def noop(ctx: Context, x: float = 0.0) -> float:
    """Does nothing, and has a result that is kept."""
    del ctx
    marks.ran()
    return x


@duly.task("latency")
async def latency(ctx: Context, x: float) -> int:
    """Marks how long after `x` it began."""
    del ctx
    marks.picked_up(x)
    return 1


@duly.task("wait")
async def wait(ctx: Context, x: float = 0.0) -> int:
    """Waits for a second."""
    del ctx, x
    marks.waits()
    await asyncio.sleep(1.0)
    return 1
