"""One WebSocket: what is to be sent waits in a bounded queue; whatever ends it does so with its code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from duly.http.handshake import Visitor, admit, protocol
from duly.http.parts import parts
from duly.http.problems import FULL_SECONDS, problem
from duly.http.titles import language
from duly.model import wire
from duly.model.errors import DulyError, InvalidInput, NotAllowed, TooManyStreams

GOING_AWAY, POLICY, TOO_SLOW, UNSUPPORTED, BROKEN = 1001, 1008, 1013, 1003, 1011
#: Messages that wait for one client; one that is so far behind is closed, and may come back.
QUEUE = 256
#: How long a full queue may stay full.
PATIENCE_SECONDS = 10.0
#: How often credentials are looked at again, besides when they expire.
RECHECK_SECONDS = 30.0
#: How long the last word may take, to a client that does not read.
CLOSE_SECONDS = 1.0


class Socket:
    """An accepted connection and what waits to be sent on it."""

    def __init__(
        self, websocket: WebSocket, visitor: Visitor, leave: Callable[[], None] = lambda: None
    ) -> None:
        self._websocket = websocket
        self._parts = parts(websocket)
        self.visitor = visitor
        self.language = language(websocket)
        self._waiting: asyncio.Queue[str] = asyncio.Queue(QUEUE)
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leave = leave

    def say(self, message: Mapping[str, Any]) -> None:
        """Queues an answer; a client that does not take them is closed."""
        try:
            self._waiting.put_nowait(_text(message))
        except asyncio.QueueFull:
            self.end(TOO_SLOW)

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Queues what was followed, as soon as there is room; a client that makes none is closed."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._waiting.put(_text(message))
        except TimeoutError:
            self.end(TOO_SLOW)

    def end(self, code: int) -> None:
        """Closes with this code, soon; the first one counts."""
        if not self._end.done():
            self._end.set_result(code)

    @property
    def running(self) -> int:
        """How many things it follows."""
        return len(self._tasks)

    def begin(self, name: str, follow: Awaitable[None]) -> None:
        """Follows something until `stop`; what it breaks with breaks the connection."""
        task = asyncio.ensure_future(follow)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._over(name, task))

    def stop(self, name: str) -> bool:
        """Follows it no longer; whether it did."""
        task = self._tasks.pop(name, None)
        return task is not None and task.cancel()

    def _over(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, DulyError):
            self.refuse(error)
        else:
            self._parts.app.emit("http.error", method="WS", path=self._websocket.url.path, error=repr(error))
            self.end(BROKEN)

    def refuse(self, error: DulyError) -> None:
        """Tells that something asked for is not possible."""
        self.say({"type": "error", "code": error.code, "detail": error.message})

    async def serve(self, hear: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
        """Until somebody ends it: the client, the server's stop, its credentials, or a queue that is full."""
        work = (self._read(hear), self._write(), self._check(), self._drain())
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(one) for one in work]
        try:
            await asyncio.wait([*tasks, self._end], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave()
            for task in (*tasks, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(*tasks, *self._tasks.values(), return_exceptions=True)
        if self._end.done():
            await self._close(self._end.result())

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code)
        except (TimeoutError, RuntimeError, OSError):
            return

    async def _read(self, hear: Callable[[Mapping[str, Any]], Awaitable[None]]) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is None:
                self.end(UNSUPPORTED)
                return
            try:
                given = wire.loads(message["text"])
                if not isinstance(given, dict):
                    raise InvalidInput("a message is a JSON object")
                await hear(given)
            except DulyError as error:
                self.refuse(error)

    async def _write(self) -> None:
        try:
            while True:
                await self._websocket.send_text(await self._waiting.get())
        except (WebSocketDisconnect, RuntimeError, OSError):
            return

    async def _check(self) -> None:
        """Until the credentials are over."""
        clock = self._parts.app.clock
        until = self.visitor.principal.expires_at
        while await self.visitor.still():
            left = RECHECK_SECONDS
            if until is not None:
                left = min(left, (until - clock.now_ms()) / 1000)
            await asyncio.sleep(max(0.0, left))
        self.end(POLICY)

    async def _drain(self) -> None:
        await self._parts.stopping.wait()
        self.end(GOING_AWAY)


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


async def accept(websocket: WebSocket) -> Socket | None:
    """The connection, accepted; None when it was refused: 1008 (HTTP: 403), or with too many open a 429."""
    try:
        visitor = await admit(websocket)
        leave = parts(websocket).seats.take(visitor.principal)
    except NotAllowed:
        await websocket.close(POLICY)
        return None
    except TooManyStreams as error:
        await _full(websocket, error)
        return None
    try:
        await websocket.accept(protocol(websocket))
    except BaseException:
        leave()
        raise
    return Socket(websocket, visitor, leave)


async def _full(websocket: WebSocket, error: TooManyStreams) -> None:
    """A problem, where the server can send one before a handshake; else the code for "later"."""
    if "websocket.http.response" not in websocket.scope.get("extensions", {}):
        await websocket.close(TOO_SLOW)
        return
    headers = {"Retry-After": str(FULL_SECONDS)}
    answer = problem(websocket, error.http_status, error.code, error.message, headers=headers)
    await websocket.send_denial_response(answer)
