"""/api/uploads: keeps a file, to be named in the input of a task."""

from __future__ import annotations

from fastapi import APIRouter, UploadFile
from starlette.responses import JSONResponse, Response

from duly.http.caller import CallerDep

router = APIRouter(prefix="/api/uploads", tags=["uploads"])


@router.post("", status_code=201)
async def keep(caller: CallerDep, file: UploadFile) -> Response:
    """Keep a file; the answer is what a task's input takes: blob (SHA-256), name, size, content_type."""
    return JSONResponse(await caller.upload(file), 201)
