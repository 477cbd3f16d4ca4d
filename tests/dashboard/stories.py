"""The app that the browser's tests walk through."""

from __future__ import annotations

import asyncio
from typing import Any

from duly import Duly

duly = Duly("stories")


@duly.task("story", max_retries=1)
async def story(ctx: Any, words: int = 5, file: Any = None) -> dict[str, Any]:
    """Tells word after word, and ends with markup that no page may take for its own."""
    for number in range(words):
        await ctx.progress(number / words, f"word {number}")
        await ctx.emit(f"word {number} 故事 ")
        await asyncio.sleep(0.1)
    return {"end": "<b>the end</b><script>alert(1)</script>", "file": file}


@duly.task("broken", max_retries=0)
async def broken(ctx: Any) -> None:
    """Fails."""
    raise ValueError("it broke")
