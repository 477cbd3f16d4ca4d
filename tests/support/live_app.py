"""The app whose tasks are followed: each says a few things, and streams a little."""

from __future__ import annotations

import asyncio

from duly import Context, Duly

duly = Duly()


@duly.task("talk", timeout=60)
async def talk(ctx: Context, lines: int = 3) -> int:
    """So many lines of progress with output between them."""
    for number in range(lines):
        await ctx.progress((number + 1) / (lines + 1), f"line {number}")
        await ctx.emit(f"part {number}\n")
        await asyncio.sleep(0.01)
    return lines
