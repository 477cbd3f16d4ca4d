"""/api/uploads: keeps a file, to be named in the input of a task; raw, or in a form."""

from __future__ import annotations

import base64
import binascii
import re
from email.message import Message
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from duly.http.caller import CallerDep
from duly.http.prefer import BadHeader
from duly.model.errors import InvalidInput

router = APIRouter(prefix="/api/uploads", tags=["uploads"])

FORM = "multipart/form-data"
_DIGEST = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([^:]*):\s*(?=[;,]|$)", re.IGNORECASE)
_ANY_DIGEST = re.compile(r"(?:^|,)\s*sha-256\s*=", re.IGNORECASE)
_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {FORM: {"schema": _FORM}, "application/octet-stream": {"schema": _BINARY}},
    },
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "The SHA-256 of what is sent: `sha-256=:<base64>:` (RFC 9530).",
        }
        for name in ("Content-Digest", "Repr-Digest")
    ],
}

Name = Annotated[str | None, Query(max_length=1000, description="The file's name, if no header says it.")]


@router.post("", status_code=201, openapi_extra=_BODY)
async def keep(caller: CallerDep, request: Request, name: Name = None) -> Response:
    """Keep a file; the answer is what a task's input takes: blob (SHA-256), name, size, content_type.

    The body is the file itself, of any media type, or a form with the field `file`.
    """
    if request.headers.get("content-type", "").lower().startswith(FORM):
        return JSONResponse(await _from_form(caller, request, name), 201)
    kept = await caller.keep(
        request.stream(),
        name=name or _given_name(request),
        content_type=request.headers.get("content-type", ""),
        sha256=_digest(request),
    )
    return JSONResponse(kept, 201)


async def _from_form(caller: CallerDep, request: Request, name: str | None) -> dict[str, Any]:
    async with request.form(max_files=20, max_fields=100) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            errors = [{"detail": "Field required", "pointer": "#/body/file"}]
            raise InvalidInput("body/file: Field required", errors=errors)
        if name is not None:
            file.filename = name
        return await caller.upload(file)


def _given_name(request: Request) -> str:
    """The file's name in Content-Disposition, plain or extended (RFC 6266)."""
    message = Message()
    message["content-disposition"] = re.sub(
        r"[\r\n]", " ", request.headers.get("content-disposition", "")[:4000]
    )
    return message.get_filename("") or ""


def _digest(request: Request) -> str | None:
    """The SHA-256 (hex) that the caller says its bytes have; other algorithms are not looked at.

    Raises:
        BadHeader: it cannot be read, or two headers say two things.
    """
    said = {
        _sha256(request.headers[name])
        for name in ("content-digest", "repr-digest")
        if name in request.headers
    }
    said.discard(None)
    if len(said) > 1:
        raise BadHeader("Content-Digest and Repr-Digest name two files")
    return said.pop() if said else None


def _sha256(header: str) -> str | None:
    match = _DIGEST.search(header[:1000])
    if match is None and not _ANY_DIGEST.search(header[:1000]):
        return None
    try:
        digest = base64.b64decode(match[1] if match else "", validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 32:
        raise BadHeader("a digest is written as sha-256=:<base64>:")
    return digest.hex()
