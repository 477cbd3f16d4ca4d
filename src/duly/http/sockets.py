"""/ws/tasks and /ws/notifications: the same lines as the streams', and the inbox, a flat message each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.websockets import WebSocket

from duly.clock import iso
from duly.deliver import beat
from duly.deliver.feed import FeedEvent, TooSlow
from duly.deliver.live import PARTIAL, PING, LiveEvent, follow
from duly.http.gate import shaped
from duly.http.parts import Parts, parts
from duly.http.socket import TOO_SLOW, Socket, accept
from duly.http.streams import scope_of
from duly.http.timeline import place_of
from duly.model.batch import BATCH
from duly.model.errors import InvalidInput, QuotaExceeded, TaskNotFound
from duly.model.task import Task
from duly.observe.deliveries import notification_wire
from duly.store import lists
from duly.store.feed import Scope

router = APIRouter()

#: What one connection may follow: tasks, batches, all of one's own.
MOST = 100
PAGE = 200
#: How often the inbox is looked at when no hint comes, in seconds.
LOOK_SECONDS = 5.0
ALL = "all"
Follow = Callable[[], Awaitable[None]]


class Order(BaseModel):
    """What a client says on /ws/tasks. `after` is the `cursor` of the last message it has of one thing."""

    model_config = ConfigDict(extra="forbid", strict=True)

    op: Literal["subscribe", "unsubscribe"]
    task_ids: list[str] = Field(default_factory=list, max_length=MOST)
    batch: str | None = None
    all: bool = False
    owner: str | None = None
    tenant: str | None = None
    after: str = Field("", max_length=64)


@router.websocket("/ws/tasks")
async def tasks(websocket: WebSocket) -> None:
    """Lines of the tasks that the client names, each with task_id and seq."""
    socket = await accept(websocket)
    if socket is not None:
        await socket.serve(_Desk(socket, parts(websocket)).hear)


@router.websocket("/ws/notifications")
async def notifications(websocket: WebSocket) -> None:
    """The caller's inbox: after `?after=` what is there, then each line as it comes."""
    socket = await accept(websocket)
    if socket is not None:
        after = websocket.query_params.get("after", "")
        number = int(after) if after.isdecimal() and len(after) < 16 else None
        socket.begin("inbox", _inbox(socket, parts(websocket), number))
        await socket.serve(_deaf)


class _Desk:
    """What one client of /ws/tasks follows."""

    def __init__(self, socket: Socket, parts_: Parts) -> None:
        self._socket = socket
        self._parts = parts_

    async def hear(self, message: Mapping[str, Any]) -> None:
        """Does what a message says, and says so."""
        order = shaped(Order, dict(message))
        if not (order.task_ids or order.batch or order.all):
            raise InvalidInput("name task_ids, a batch, or all")
        if order.after and len(order.task_ids) + bool(order.batch) + order.all > 1:
            raise InvalidInput("`after` is a place in one thing: subscribe to one at a time")
        names = [*order.task_ids, *([order.batch] if order.batch else []), *([ALL] if order.all else [])]
        if order.op == "subscribe":
            for name, begin in [(name, await self._follow(name, order)) for name in names]:
                self._socket.stop(name)
                if self._socket.running >= MOST:
                    raise QuotaExceeded(f"one connection follows at most {MOST}")
                self._socket.begin(name, begin())
        else:
            names = [name for name in names if self._socket.stop(name)]
        self._socket.say({"type": f"{order.op}d", "names": names})

    async def _follow(self, name: str, order: Order) -> Follow:
        if order.all and name == ALL:
            scope = scope_of(self._socket.visitor.principal, order.tenant, order.owner)
            return lambda: self._feed(scope, order.after)
        task = await self._task(name)
        if name != order.batch:
            return lambda: self._one(name, order.after)
        if task.task_type != BATCH:
            raise TaskNotFound(f"there is no batch {name}")
        return lambda: self._feed(Scope(batch=name), order.after)

    async def _task(self, id_: str) -> Task:
        task = await self._parts.app.database.read(lists.get, id_[:36], result=False)
        if task is None or task.id != id_ or not self._socket.visitor.principal.sees(task):
            raise TaskNotFound(f"there is no task {id_[:36]}")
        return task

    async def _feed(self, scope: Scope, after: str) -> None:
        async with aclosing(self._parts.feed.follow(scope, after)) as events:
            try:
                async for event in events:
                    await self._socket.tell(_of_many(event))
            except TooSlow:
                self._socket.end(TOO_SLOW)

    async def _one(self, id_: str, after: str) -> None:
        database, watch = self._parts.app.database, self._parts.watch
        async with aclosing(follow(database, id_, after=place_of(after), watch=watch)) as events:
            async for event in events:
                if event.type != PING:
                    await self._socket.tell(_of_one(id_, event))


def _of_many(event: FeedEvent) -> dict[str, Any]:
    if not event.seq:
        return {"type": event.type, "cursor": event.cursor, **event.data}
    return {
        "type": event.type,
        "task_id": event.task_id,
        "seq": event.seq,
        "at": iso(event.at),
        "data": event.data,
        "cursor": event.cursor,
    }


def _of_one(id_: str, event: LiveEvent) -> dict[str, Any]:
    told = {"type": event.type, "task_id": id_, "seq": event.seq, "cursor": str(event.place)}
    return (
        {**told, **event.data} if event.type == PARTIAL else {**told, "at": iso(event.at), "data": event.data}
    )


async def _deaf(_message: Mapping[str, Any]) -> None:
    raise InvalidInput("nothing can be said here")


async def _inbox(socket: Socket, parts_: Parts, after: int | None) -> None:
    """From a number on, or from now; numbers of one inbox ascend in the order of commits."""
    whose, database = socket.visitor.principal, parts_.app.database
    with beat.hints(database) as hint:
        if after is None:
            after = await database.read(lists.inbox_end, whose.tenant, whose.owner)
        while True:
            hint.clear()
            rows = await database.read(lists.inbox, whose.tenant, whose.owner, after, PAGE)
            for row in rows:
                await socket.tell(notification_wire(row))
                after = row["id"]
            if len(rows) < PAGE:
                await beat.pause(hint, LOOK_SECONDS)
