"""/api/gates: how each model provider stands; close and open one by hand, for operators."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.gate import read_object, shaped
from duly.http.identity import PrincipalDep, only_administrators
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.observe.gates import gate_wire
from duly.submit.gates import LONGEST_SECONDS

router = APIRouter(prefix="/api/gates", tags=["gates"])


class CloseRequest(BaseModel):
    """For how long, whose word it is, and why; all of it is shown to whoever asks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    seconds: float | None = Field(
        None, gt=0, le=LONGEST_SECONDS, description="For so long; absent: until it is opened."
    )
    by: str | None = Field(None, max_length=64, description="Who closes it.")
    reason: str | None = Field(None, max_length=500, description="Why.")


@router.get("")
async def list_(parts: PartsDep, principal: PrincipalDep) -> Response:
    """All gates by name: open or closed, until when, and why."""
    del principal  # whoever may read at all
    return JSONResponse({"gates": [gate_wire(one) for one in await parts.app.gates.page()]})


@router.get("/{name}")
async def look(parts: PartsDep, principal: PrincipalDep, name: str) -> Response:
    """One gate."""
    del principal
    return JSONResponse(gate_wire(await parts.app.gates.get(name)))


@router.post(
    "/{name}/close",
    openapi_extra=json_body(CloseRequest, required=False),
    dependencies=[only_administrators],
)
async def close(request: Request, parts: PartsDep, name: str) -> Response:
    """Nobody asks this provider any more; tasks that need it wait and are charged nothing."""
    said = shaped(CloseRequest, await read_object(request) if await request.body() else {})
    return JSONResponse(gate_wire(await parts.app.gates.close(name, **said.model_dump())))


@router.post("/{name}/open", dependencies=[only_administrators])
async def open_(parts: PartsDep, name: str) -> Response:
    """The provider may be asked, whatever closed it: a few requests at first. Tasks that wait look again."""
    return JSONResponse(gate_wire(await parts.app.gates.open(name)))
