"""/api/limits: what limits tasks and how much of it is taken; set and clear them; for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.gate import JsonBody, shaped
from duly.http.identity import AdminDep, only_administrators
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.observe.limits import limit_wire

router = APIRouter(prefix="/api/limits", tags=["limits"], dependencies=[only_administrators])


class LimitRequest(BaseModel):
    """What holds from now on; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    concurrency: int | None = Field(None, description="So many tasks run at once.")
    rate: str | None = Field(None, description="So many start in a time: 10/s, 100/m, 1/15s.")
    waiting: int | None = Field(None, description="So many may wait to start when another one is submitted.")
    by: str | None = Field(None, description="Who says so.")


@router.get("", responses=paging.LINKED)
async def list_(
    request: Request,
    admin: AdminDep,
    parts: PartsDep,
    after: str = "",
    limit: int = Query(1000, ge=1, le=1000),
    cursor: paging.Cursor = None,
) -> Response:
    """Limits by name, behind `after`; `Link` leads to the next page."""
    book = paging.Pages(request, admin, "limits", {})
    found = await parts.app.limits.page(after=book.behind(cursor, after), limit=limit + 1)
    return book.rows("limits", found, limit, limit_wire, lambda one: one["name"])


@router.get("/{name:path}")
async def look(parts: PartsDep, name: str) -> Response:
    """One limit."""
    return JSONResponse(limit_wire(await parts.app.limits.get(name)))


@router.put("/{name:path}", openapi_extra=json_body(LimitRequest))
async def put(parts: PartsDep, name: str, body: JsonBody) -> Response:
    """From this answer on it holds in all processes, whatever the code declares; what runs goes on."""
    said = shaped(LimitRequest, body)
    return JSONResponse(limit_wire(await parts.app.limits.put(name, **said.model_dump())))


@router.delete("/{name:path}")
async def clear(parts: PartsDep, name: str) -> Response:
    """What the code declares holds again, or nothing; answers what that is."""
    return JSONResponse(limit_wire(await parts.app.limits.clear(name)))
