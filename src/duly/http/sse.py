"""Server-sent events: an encoder that no text can escape from, and a stream that pings and ends when told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

PING_SECONDS = 15.0
RETRY_MS = 2000
#: What ends a line for an EventSource; U+2028 and the like do not.
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
#: Keep proxies from holding it back.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"
#: Of each event of a stream, as OpenAPI 3.1 describes one; comments and fields of no event are not told.
SCHEMA = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "string"}},
}


def encode(event: str, data: str, id_: int | str | None = None) -> str:
    """One event as its fields: whatever `data` holds arrives as that data, and as one event."""
    lines = [f"event: {_one_line(event)}"]
    lines += [] if id_ is None else [f"id: {_one_line(str(id_))}"]
    lines += [f"data: {line}" for line in _LINE_ENDS.split(data)]
    return "\n".join(lines) + "\n\n"


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\0]", " ", text)


async def stream(
    frames: AsyncGenerator[str], stopping: asyncio.Event, *, ping: float = PING_SECONDS
) -> AsyncIterator[str]:
    """The frames after a retry hint, with a comment per `ping` seconds of silence; ends with `stopping`."""
    yield f"retry: {RETRY_MS}\n\n"
    stop = asyncio.ensure_future(stopping.wait())
    following = asyncio.ensure_future(anext(frames, None))
    try:
        while not stop.done():
            await asyncio.wait({following, stop}, timeout=ping, return_when=asyncio.FIRST_COMPLETED)
            if not following.done() and not stop.done():
                yield ": ping\n\n"
            if not following.done():
                continue
            frame = following.result()
            if frame is None:
                return
            yield frame
            following = asyncio.ensure_future(anext(frames, None))
    finally:
        stop.cancel()
        following.cancel()
        await asyncio.gather(stop, following, return_exceptions=True)
        await frames.aclose()


class Seated(StreamingResponse):
    """A streaming answer that gives back its seat however it ends, also when nobody has read a line of it."""

    def __init__(self, frames: AsyncIterator[str], leave: Callable[[], None]) -> None:
        super().__init__(frames, media_type=MEDIA_TYPE, headers=HEADERS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
