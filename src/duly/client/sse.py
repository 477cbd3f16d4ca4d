"""Reads server-sent events off a stream of lines, as the standard (9.2) asks; comments are dropped."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

#: A CR at the end of a piece may be half of a line's end: it waits for the next piece.
_LINE_END = re.compile(r"\r\n|\n|\r(?=.)", re.DOTALL)


@dataclass(slots=True)
class ServerEvent:
    """One event: its name, its text, and the id to resume after (empty: none)."""

    name: str = "message"
    id: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The data lines together."""
        return "\n".join(self.lines)


async def lines(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of a stream that comes in pieces. Only CR, LF and both end one: httpx2's `aiter_lines` would
    cut at U+2028 and U+0085 too, which a text may hold."""
    rest = ""
    async for text in texts:
        *whole, rest = _LINE_END.split(rest + text)
        for line in whole:
            yield line


async def events(lines: AsyncIterator[str]) -> AsyncIterator[ServerEvent]:
    """The events of a stream; one that is cut off in its middle is dropped, as the standard says."""
    event = ServerEvent()
    async for line in lines:
        if not line:
            if event.lines:
                yield event
            event = ServerEvent()
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event.name = value
        elif name == "id":
            event.id = value
        elif name == "data":
            event.lines.append(value)
