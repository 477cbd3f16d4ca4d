"""/api/endpoints: where a caller's ended tasks are told to; add, look, change, rotate, test, disable, remove.

Each caller has his own; an administrator sees and names all.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.gate import JsonBody, read_object, shaped
from duly.http.identity import Principal, PrincipalDep
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.observe.deliveries import endpoint_wire
from duly.runtime.channels import tested

router = APIRouter(prefix="/api/endpoints", tags=["endpoints"])


class Words(BaseModel):
    """What an endpoint says; what is absent stays as it is, or as the default is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str | None = Field(None, description="Where it listens: http:// or https://.")
    format: str | None = Field(None, description="standard-webhooks or cloudevents.")
    events: list[str] | None = Field(
        None, description="task.completed, task.failed, task.cancelled; else all."
    )
    task_types: list[str] | None = Field(None, description="Of which task types; else of all.")
    headers: dict[str, str] | None = Field(None, description="Headers of its own, sent along.")
    ordered: bool | None = Field(None, description="One after the other, each when the one before has ended.")


class NewEndpoint(Words):
    """An endpoint to be made."""

    url: str = Field(description="Where it listens: http:// or https://.")
    secret: str | None = Field(None, description="A secret that it has already (whsec_…); else one is made.")
    ed25519: bool = Field(False, description="Sign with a private key; it verifies with the public one.")
    tenant: str | None = Field(None, max_length=64, description="Whose tenant; for administrators.")
    owner: str | None = Field(None, max_length=64, description="Whose ends; for administrators.")


class Rotate(BaseModel):
    """A new secret."""

    model_config = ConfigDict(extra="forbid", strict=True)

    secret: str | None = Field(None, description="The new one (whsec_…); else one is made.")
    ed25519: bool | None = Field(None, description="Another kind of signature; else the same as before.")
    window: float = Field(86_400.0, description="Seconds for which the old one signs too.")


class Disable(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str | None = Field(None, max_length=200)


class Reading(BaseModel):
    """From where, how much, and (for administrators) whose."""

    model_config = ConfigDict(extra="forbid")

    after: str = Field("", max_length=36)
    limit: int = Field(100, ge=1, le=200)
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    tenant: str | None = Field(None, max_length=64)
    owner: str | None = Field(None, max_length=64)


def seen(principal: Principal) -> tuple[str, str] | None:
    """Whose rows a caller sees; None: all."""
    return None if principal.sees_all else (principal.tenant, principal.owner)


@router.get("", responses=paging.LINKED)
async def list_(
    request: Request, principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Reading, Query()]
) -> Response:
    """Endpoints, the oldest first, behind `after`, without their secrets; `Link` leads to the next page."""
    owner = seen(principal)
    if owner is not None or wanted.tenant is not None or wanted.owner is not None:
        owner = principal.acting(wanted.tenant, wanted.owner)
    book = paging.Pages(request, principal, "endpoints", {"owner": owner})
    after = book.behind(wanted.cursor, wanted.after)
    found = await parts.app.endpoints.page(owner=owner, after=after, limit=wanted.limit + 1)
    return book.rows("endpoints", found, wanted.limit, endpoint_wire, lambda one: one.id)


@router.post("", status_code=201, openapi_extra=json_body(NewEndpoint))
async def add(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """Make one. The answer shows its secret, this once."""
    asked = shaped(NewEndpoint, body)
    tenant, owner = principal.acting(asked.tenant, asked.owner)
    own: dict[str, Any] = {"secret": asked.secret, "ed25519": asked.ed25519}
    made = await parts.app.endpoints.add(tenant, owner, _words(asked), **own)
    headers = {"Location": f"{router.prefix}/{made.id}", "Cache-Control": "no-store"}
    return JSONResponse(endpoint_wire(made, secret=asked.secret is None), 201, headers)


@router.get("/{endpoint_id}")
async def look(principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """One endpoint, without its secret."""
    return JSONResponse(endpoint_wire(await parts.app.endpoints.get(endpoint_id, owner=seen(principal))))


@router.patch("/{endpoint_id}", openapi_extra=json_body(Words))
async def change(principal: PrincipalDep, parts: PartsDep, endpoint_id: str, body: JsonBody) -> Response:
    """Other words for it; what is absent stays as it is."""
    words = _words(shaped(Words, body))
    changed = await parts.app.endpoints.change(endpoint_id, words, owner=seen(principal))
    return JSONResponse(endpoint_wire(changed))


@router.delete("/{endpoint_id}", status_code=204)
async def remove(principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Forget it; what is still owed to it ends as dead."""
    await parts.app.endpoints.remove(endpoint_id, owner=seen(principal))
    return Response(status_code=204)


@router.post("/{endpoint_id}/rotate", openapi_extra=json_body(Rotate, required=False))
async def rotate(request: Request, principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Give it a new secret, which the answer shows this once; the old one signs too for a while."""
    asked = shaped(Rotate, await _maybe(request))
    rotated = await parts.app.endpoints.rotate(endpoint_id, owner=seen(principal), **asked.model_dump())
    body = endpoint_wire(rotated, secret=asked.secret is None)
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.post("/{endpoint_id}/enable")
async def enable(principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Tell it of ends again, from now on."""
    return JSONResponse(endpoint_wire(await parts.app.endpoints.enable(endpoint_id, owner=seen(principal))))


@router.post("/{endpoint_id}/disable", openapi_extra=json_body(Disable, required=False))
async def disable(request: Request, principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Tell it nothing any more."""
    asked = shaped(Disable, await _maybe(request))
    off = await parts.app.endpoints.disable(endpoint_id, owner=seen(principal), reason=asked.reason)
    return JSONResponse(endpoint_wire(off))


@router.post("/{endpoint_id}/test")
async def test(principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Send it a test event, now and once; the answer says how that ended."""
    endpoint = await parts.app.endpoints.get(endpoint_id, owner=seen(principal))
    return JSONResponse(await tested(parts.app, endpoint))


@router.post("/{endpoint_id}/resend")
async def resend(principal: PrincipalDep, parts: PartsDep, endpoint_id: str) -> Response:
    """Send all its dead deliveries again, at most 1000 a call."""
    count = await parts.app.endpoints.resend_dead(endpoint_id, owner=seen(principal))
    return JSONResponse({"resent": count})


async def _maybe(request: Request) -> dict[str, Any]:
    return await read_object(request) if await request.body() else {}


def _words(asked: Words) -> dict[str, Any]:
    return asked.model_dump(include=set(Words.model_fields), exclude_none=True)
