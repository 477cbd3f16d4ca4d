"""/api/keys: API keys, made, listed, rotated, revoked; for administrators. A key's text is shown once."""

from __future__ import annotations

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.audited import line_of
from duly.http.gate import JsonBody, read_object, shaped
from duly.http.identity import AdminDep, only_administrators
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.observe.accounts import key_wire
from duly.submit.keys import OVERLAP_SECONDS, KeyRequest

router = APIRouter(prefix="/api/keys", tags=["keys"], dependencies=[only_administrators])


class NewKeyRequest(BaseModel):
    """What the key is for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(description="What it is for, for whoever finds it in the list.")
    owner: str = Field("", description="Whose tasks it opens; roles that see all tasks need none.")
    tenant: str = Field("", description="The owner's tenant.")
    role: str = Field("user", description="viewer, user, operator or admin.")
    scopes: list[str] = Field(
        default_factory=list,
        max_length=10,
        description="Of the role's scopes these only; empty: all.",
    )
    lifetime: float | None = Field(None, description="Seconds until it expires; null: never.")


class RotateRequest(BaseModel):
    """How long the present secret stays good."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap: float = Field(OVERLAP_SECONDS, description="Seconds, 0 to a year.")


@router.get("", responses=paging.LINKED)
async def list_(
    request: Request,
    admin: AdminDep,
    parts: PartsDep,
    after: str = "",
    limit: int = Query(1000, ge=1, le=1000),
    cursor: paging.Cursor = None,
) -> Response:
    """Keys by id, behind `after`, without their secrets; `Link` leads to the next page."""
    book = paging.Pages(request, admin, "keys", {})
    found = await parts.app.keys.page(after=book.behind(cursor, after), limit=limit + 1)
    return book.rows("keys", found, limit, key_wire, lambda one: one["id"])


@router.post("", status_code=201, openapi_extra=json_body(NewKeyRequest))
async def make(request: Request, admin: AdminDep, parts: PartsDep, body: JsonBody) -> Response:
    """Make a key. `key` is its text, which is kept nowhere: note it now."""
    said = shaped(NewKeyRequest, body)
    row, text = await parts.app.keys.make(KeyRequest(**said.model_dump()), line_of(request, admin, 201))
    return JSONResponse({**key_wire(row), "key": text}, 201)


@router.post("/{key_id}/rotate", openapi_extra=json_body(RotateRequest, required=False))
async def rotate(request: Request, admin: AdminDep, parts: PartsDep, key_id: str) -> Response:
    """Give a key its next secret; `key` is the new text, the old one stays good for `overlap` seconds."""
    body = await read_object(request) if await request.body() else {}
    overlap = shaped(RotateRequest, body).overlap
    row, text = await parts.app.keys.rotate(key_id, line_of(request, admin, 200), overlap)
    return JSONResponse({**key_wire(row), "key": text})


@router.delete("/{key_id}")
async def revoke(request: Request, admin: AdminDep, parts: PartsDep, key_id: str) -> Response:
    """From this answer on the key opens nothing, nor do browser sessions begun with it."""
    row = await parts.app.keys.revoke(key_id, line_of(request, admin, 200))
    return JSONResponse(key_wire(row))
