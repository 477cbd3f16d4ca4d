"""/api/shares: the weights of owners in the line of a queue; for administrators."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.http.gate import JsonBody, shaped
from duly.http.identity import only_administrators
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.observe.shares import share_wire
from duly.store.weights import MOST

router = APIRouter(prefix="/api/shares", tags=["shares"], dependencies=[only_administrators])


class ShareRequest(BaseModel):
    """Whose weight, and how many turns for each turn of others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    owner: str = Field(max_length=64, description="The owner; empty: all who have no weight of their own.")
    tenant: str = Field("", max_length=64, description="Of which tenant.")
    weight: int = Field(ge=1, le=MOST, description="Turns for each turn of an owner of weight 1.")


@router.get("")
async def list_(parts: PartsDep) -> Response:
    """All weights that were given, by tenant and owner; whoever is not there has 1."""
    found = await parts.app.operator.shares()
    return JSONResponse({"shares": [share_wire(one) for one in found]})


@router.put("", openapi_extra=json_body(ShareRequest))
async def put(parts: PartsDep, body: JsonBody) -> Response:
    """Give an owner a weight, for tasks submitted from now on."""
    said = shaped(ShareRequest, body)
    share = await parts.app.operator.weigh(said.owner, said.weight, tenant=said.tenant)
    return JSONResponse(share_wire(share))


@router.delete("")
async def clear(parts: PartsDep, owner: str, tenant: str = "") -> Response:
    """Take an owner's weight away; `cleared`: whether there was one."""
    return JSONResponse({"cleared": await parts.app.operator.unweigh(owner, tenant=tenant)})
