"""/api/callbacks: where vendors say how an external job stands. The address is the credential."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from duly.http.gate import read_json
from duly.http.parts import PartsDep

router = APIRouter(prefix="/api/callbacks", tags=["callbacks"])

_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}


@router.post("/{task_id}/{name:path}/{secret}", openapi_extra=_BODY)
async def callback(request: Request, parts: PartsDep, task_id: str, name: str, secret: str) -> Response:
    """Tell a task how its external job stands, in any JSON; what is not final does not end its wait."""
    place = await parts.app.callbacks.find(task_id, name, secret)
    kept = await parts.app.callbacks.keep(place, await read_json(request))
    return JSONResponse({"kept": kept})
