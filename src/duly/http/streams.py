"""/api/events and /api/batches/{id}/events: many tasks in one stream of server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from duly.clock import iso
from duly.deliver.feed import END, Feed, FeedEvent, TooSlow
from duly.http import sse
from duly.http.caller import CallerDep
from duly.http.edge import is_head
from duly.http.identity import Principal
from duly.http.parts import PartsDep
from duly.http.prefer import last_event_id
from duly.model.batch import BATCH
from duly.model.errors import TaskNotFound
from duly.store.feed import Scope

router = APIRouter(prefix="/api", tags=["live"])

_LIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {sse.MEDIA_TYPE: {"schema": sse.SCHEMA}}},
}
_ENDED: dict[int | str, dict[str, Any]] = {
    **_LIVE,
    204: {"description": "Last-Event-ID was the batch's `end`."},
}
Name = Annotated[str | None, Query(max_length=64)]


@router.get("/events", responses=_LIVE)
async def events(caller: CallerDep, parts: PartsDep, owner: Name = None, tenant: Name = None) -> Response:
    """The lines of all tasks of the caller as they commit; of all owners for an administrator who names none.

    First comes `reset` with the living tasks, or after a Last-Event-ID what was missed. Drop what you have
    by (task_id, seq).
    """
    frames = _frames(parts.feed, scope_of(caller.principal, tenant, owner), last_event_id(caller.request))
    if is_head(caller.request):
        return Response(media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
    return sse.Seated(sse.stream(frames, parts.stopping), parts.seats.take(caller.principal))


@router.get("/batches/{batch_id}/events", responses=_ENDED)
async def batch_events(caller: CallerDep, parts: PartsDep, batch_id: str) -> Response:
    """The lines of a batch and of its members; `end` when the last of them has ended."""
    task = await caller.task(batch_id, result=False)
    if task.task_type != BATCH:
        raise TaskNotFound(f"there is no batch {batch_id}")
    after = last_event_id(caller.request)
    if after == END:
        return Response(status_code=204)  # an EventSource reconnects after any other answer
    if is_head(caller.request):
        return Response(media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
    frames = _frames(parts.feed, Scope(batch=batch_id), after)
    return sse.Seated(sse.stream(frames, parts.stopping), parts.seats.take(caller.principal))


def scope_of(principal: Principal, tenant: str | None, owner: str | None) -> Scope:
    """Whose tasks: a user's own; whose an administrator names.

    Raises:
        Forbidden: a user names somebody else.
    """
    if principal.sees_all:
        return Scope(tenant=tenant, owner=owner)
    tenant, owner = principal.acting(tenant, owner)
    return Scope(tenant=tenant, owner=owner)


async def _frames(feed: Feed, scope: Scope, after: str) -> AsyncGenerator[str]:
    """A reader who is too slow is cut off, and resumes after what he has."""
    async with aclosing(feed.follow(scope, after)) as events:
        try:
            async for event in events:
                yield sse.encode(event.type, wire(event), event.cursor)
        except TooSlow:
            return


def wire(event: FeedEvent) -> str:
    """As JSON: a line with its task and number, or what a `reset` or an `end` says."""
    said: dict[str, Any] = event.data
    if event.seq:
        line = {"task_id": event.task_id, "seq": event.seq, "type": event.type, "at": iso(event.at)}
        said = {**line, "data": event.data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
