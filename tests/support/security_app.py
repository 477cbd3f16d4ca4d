"""The app of `make security`: a task that does nothing, and one that says what it is told."""

from __future__ import annotations

from typing import Any

from duly import Context, Duly

duly = Duly()


@duly.task("echo")
async def echo(ctx: Context, **anything: Any) -> Any:
    """Answers what it got."""
    return anything


@duly.task("say")
async def say(ctx: Context, text: str) -> str:
    """Reports a text."""
    await ctx.progress(0.5, text)
    return text
