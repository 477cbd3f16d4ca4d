"""/problems/<code>: what an error means, for whoever follows a problem's `type`; open to read."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from duly.http.meanings import MEANINGS
from duly.http.titles import language, title

router = APIRouter(prefix="/problems", tags=["problems"])

_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1><p>{detail}</p><p><code>{code}</code> · HTTP {status}</p></html>
"""


@router.get("", summary="All problems")
async def all_(request: Request) -> Response:
    """Every code that an error of this server can have, with its status and meaning."""
    return JSONResponse({"problems": [_said(request, code) for code in MEANINGS]}, headers=_VARY)


@router.get("/{name}", responses=_HTML)
async def look(request: Request, name: str) -> Response:
    """What a problem of this type means and what to do; a page for `Accept: text/html`."""
    code = name.replace("-", "_")
    if code not in MEANINGS:
        raise HTTPException(404, "Not Found")
    said = _said(request, code)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(said, headers=_VARY)
    words = {key: escape(str(value)) for key, value in said.items()}
    return HTMLResponse(_PAGE.format(language=language(request), **words), headers=_VARY)


_VARY = {"Vary": "Accept, Accept-Language"}


def _said(request: Request, code: str) -> dict[str, str | int]:
    meaning, words = MEANINGS[code], language(request)
    return {
        "type": f"/problems/{code.replace('_', '-')}",
        "code": code,
        "status": meaning.status,
        "title": title(code, meaning.status, words),
        "detail": meaning.zh if words == "zh" else meaning.en,
    }
