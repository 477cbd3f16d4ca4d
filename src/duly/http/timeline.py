"""/api/tasks/{id}/events and /deliveries: a task's timeline, as a list or live, and its answers' fate."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from duly.clock import iso
from duly.deliver.live import PARTIAL, PING, LiveEvent, Place, follow
from duly.http import sse
from duly.http.caller import CallerDep
from duly.http.edge import is_head
from duly.http.parts import PartsDep
from duly.http.prefer import last_event_id
from duly.model.events import Event
from duly.observe.deliveries import delivery_wire
from duly.store import lists

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

After = Annotated[int, Query(ge=0, le=2**31, description="Only events after this number.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


_PLACE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9})\.([0-9]{1,9}))?")
_LIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {sse.MEDIA_TYPE: {"schema": sse.SCHEMA}}},
    204: {"description": "The task has ended and Last-Event-ID was its last event."},
}


@router.get("/{task_id}/events", responses=_LIVE)
async def events(
    caller: CallerDep, parts: PartsDep, task_id: str, after: After = 0, limit: Limit = 1000
) -> Response:
    """The events after number `after`; live with `Accept: text/event-stream`, resumed by Last-Event-ID.

    A live event's id is its number, and when streamed output came before it, that of the last part:
    `<seq>.<attempt>.<part>`. Whoever comes back with it gets the rest only.
    """
    request = caller.request
    task = await caller.task(task_id, result=False)
    if sse.MEDIA_TYPE not in request.headers.get("accept", ""):
        found = await parts.app.database.read(lists.events, task_id, after, limit)
        return JSONResponse({"events": [_wire(event) for event in found]})
    place = place_of(last_event_id(request))
    place = Place(max(after, place.seq), place.part)
    if task.status.terminal and place.seq >= task.seq:
        return Response(status_code=204)  # an EventSource reconnects after any other answer
    if is_head(request):
        return Response(media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
    frames = _frames(follow(parts.app.database, task_id, after=place, watch=parts.watch))
    return sse.Seated(sse.stream(frames, parts.stopping), parts.seats.take(caller.principal))


@router.get("/{task_id}/deliveries")
async def deliveries(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """The answers owed for the task: where to, how often tried, how it ended."""
    task = await caller.task(task_id, result=False)
    rows = await parts.app.database.read(lists.rows_of, "delivery", task.id)
    return JSONResponse({"deliveries": [delivery_wire(row) for row in rows]})


async def _frames(events: AsyncGenerator[LiveEvent]) -> AsyncGenerator[str]:
    """Each with the place to resume from as its id."""
    async with aclosing(events):
        async for event in events:
            if event.type != PING:
                data = event.data if event.type == PARTIAL else _wire(event)
                yield sse.encode(event.type, _json(data), str(event.place))


def place_of(text: str) -> Place:
    """The place that an id names; the beginning when it is none of ours."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return Place()
    part = (int(match[2]), int(match[3])) if match[2] else Place().part
    return Place(int(match[1]), part)


def _wire(event: Event | LiveEvent) -> dict[str, Any]:
    return {"seq": event.seq, "type": event.type, "at": iso(event.at), "data": event.data}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
