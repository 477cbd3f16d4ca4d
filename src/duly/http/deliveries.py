"""/api/deliveries: what is owed or was sent, and the log of its sends; dead letters, sent again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

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
    limit: int = Field(100, ge=1, le=200)


@router.get("")
async def list_(principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Choice, Query()]) -> Response:
    """The newest first; `next` is the `before` of the following page, if there may be one."""
    asked = Wanted(**wanted.model_dump())
    found = await parts.app.endpoints.deliveries(asked, owner=seen(principal))
    after = found[-1]["id"] if len(found) == wanted.limit else None
    return JSONResponse({"deliveries": [delivery_wire(row) for row in found], "next": after})


@router.get("/{delivery_id}")
async def look(principal: PrincipalDep, parts: PartsDep, delivery_id: str) -> Response:
    """One delivery."""
    return JSONResponse(delivery_wire(await parts.app.endpoints.delivery(delivery_id, owner=seen(principal))))


@router.post("/{delivery_id}/resend")
async def resend(principal: PrincipalDep, parts: PartsDep, delivery_id: str) -> Response:
    """Send a dead one again, at once, with the same id and the same bytes."""
    return JSONResponse(delivery_wire(await parts.app.endpoints.resend(delivery_id, owner=seen(principal))))
