"""/client.js: the client for pages, open to read and kept by browsers until it changes."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

router = APIRouter()

HEADERS = {"Cache-Control": "no-cache"}


@router.get("/client.js", include_in_schema=False)
async def client_js(request: Request) -> Response:
    """The file; 304 for who has it."""
    body, tag = _file("client.js")
    headers = {**HEADERS, "ETag": tag}
    if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)


@cache
def _file(name: str) -> tuple[bytes, str]:
    body = resources.files("duly.http").joinpath("static", name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
