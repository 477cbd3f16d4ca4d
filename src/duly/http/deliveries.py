"""/api/deliveries: what is owed or was sent, and the log of its sends; dead letters, sent again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.endpoints import seen
from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.observe.deliveries import delivery_wire
from duly.store.delivery_lists import Wanted

router = APIRouter(prefix="/api/deliveries", tags=["endpoints"])


class Choice(BaseModel):
    """Which deliveries, and how many."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["held", "pending", "sending", "delivered", "dead"] | None = None
    endpoint: str | None = Field(None, max_length=36)
    task: str | None = Field(None, max_length=36)
    before: str | None = Field(None, max_length=36, description="Only those older than this one.")
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    limit: int = Field(100, ge=1, le=200)


@router.get("", responses=paging.LINKED)
async def list_(
    request: Request, principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Choice, Query()]
) -> Response:
    """Deliveries, the newest first; `Link` leads to the next page."""
    words = wanted.model_dump(include={"status", "endpoint", "task"})
    book = paging.Pages(request, principal, "deliveries", words)
    before = book.behind(wanted.cursor, wanted.before or "") or None
    asked = Wanted(**words, before=before, limit=wanted.limit + 1)
    found = await parts.app.endpoints.deliveries(asked, owner=seen(principal))
    return book.rows("deliveries", found, wanted.limit, delivery_wire, lambda row: row["id"])


@router.get("/{delivery_id}")
async def look(principal: PrincipalDep, parts: PartsDep, delivery_id: str) -> Response:
    """One delivery."""
    return JSONResponse(delivery_wire(await parts.app.endpoints.delivery(delivery_id, owner=seen(principal))))


@router.post("/{delivery_id}/resend")
async def resend(principal: PrincipalDep, parts: PartsDep, delivery_id: str) -> Response:
    """Send a dead one again, at once, with the same id and the same bytes."""
    return JSONResponse(delivery_wire(await parts.app.endpoints.resend(delivery_id, owner=seen(principal))))
