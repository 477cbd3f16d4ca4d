"""/api/queues: what is in each queue, pause, resume, purge; for administrators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.gate import JsonBody, read_object, shaped
from duly.http.identity import AdminDep, only_administrators
from duly.http.parts import PartsDep
from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.observe.queues import queue_wire

router = APIRouter(prefix="/api/queues", tags=["queues"], dependencies=[only_administrators])

#: How many tasks one request acts on when it does not say, and at most.
USUAL, MOST = 1000, 10_000


class PauseRequest(BaseModel):
    """Whose word it is, and why; both are shown to whoever asks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    by: str | None = Field(None, max_length=64, description="Who pauses it.")
    reason: str | None = Field(None, max_length=500, description="Why.")


class PurgeRequest(BaseModel):
    """Which of the queue's tasks are cancelled. None that runs is."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(description="The queue's name once more: this cannot be undone.")
    statuses: list[Status] = Field(
        default_factory=list, description="pending, scheduled, blocked and retry when absent; waiting."
    )
    limit: int = Field(USUAL, ge=1, le=MOST, strict=True, description="At most so many.")


def json_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """How a body that the strict gate reads stands in OpenAPI."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": required, "content": content}}


@router.get("", responses=paging.LINKED)
async def list_(
    request: Request,
    admin: AdminDep,
    parts: PartsDep,
    after: str = "",
    limit: int = Query(1000, ge=1, le=1000),
    cursor: paging.Cursor = None,
) -> Response:
    """Queues by name, behind `after`: whether paused, and how many tasks stand in each state that has not
    ended well; `Link` leads to the next page."""
    book = paging.Pages(request, admin, "queues", {})
    last = book.behind(cursor, after)
    found = [one for one in await parts.app.operator.queues() if one.name > last]
    return book.rows("queues", found, limit, queue_wire, lambda one: one.name)


@router.get("/{name}")
async def look(parts: PartsDep, name: str) -> Response:
    """One queue; ask again until `tasks.running` is 0 to see a paused one drain."""
    return JSONResponse(queue_wire(await parts.app.operator.queue(name)))


@router.post("/{name}/pause", openapi_extra=json_body(PauseRequest, required=False))
async def pause(request: Request, parts: PartsDep, name: str) -> Response:
    """From this answer on no worker starts a task of the queue; what runs goes on."""
    body = await read_object(request) if await request.body() else {}
    said = shaped(PauseRequest, body)
    return JSONResponse(queue_wire(await parts.app.operator.pause(name, by=said.by, reason=said.reason)))


@router.post("/{name}/resume")
async def resume(parts: PartsDep, name: str) -> Response:
    """Open the queue again; an open one stays as it is."""
    return JSONResponse(queue_wire(await parts.app.operator.resume(name)))


@router.post("/{name}/purge", openapi_extra=json_body(PurgeRequest))
async def purge(parts: PartsDep, name: str, body: JsonBody) -> Response:
    """Cancel what waits in the queue and does not run; history is kept. `more`: the limit left some."""
    wanted = shaped(PurgeRequest, body)
    if wanted.confirm != name:
        raise InvalidInput(f"confirm must be the queue's name, {name!r}, not {wanted.confirm!r}")
    tally = await parts.app.operator.purge(name, tuple(wanted.statuses), limit=wanted.limit)
    return JSONResponse({"cancelled": tally.count, "more": tally.more})
