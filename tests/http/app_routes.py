"""The routes of an app, as a user would write them."""

import errno
from typing import Any

from fastapi import APIRouter, HTTPException, Request, UploadFile
from fastapi.responses import HTMLResponse

from duly.http import CallerDep, JsonBody
from duly.model.errors import DulyError

router = APIRouter()


@router.post("/api/notes", status_code=202)
async def note(caller: CallerDep, body: JsonBody) -> Any:
    return await caller.submit("echo", body, max_retries=0, metadata={"source": "note"}, deliver=["inbox"])


@router.post("/api/files")
async def keep(caller: CallerDep, file: UploadFile) -> Any:
    return await caller.upload(file)


@router.post("/api/raw")
async def raw(request: Request) -> Any:
    return {"size": len(await request.body())}


@router.get("/api/crash")
async def crash() -> None:
    raise RuntimeError("the password is swordfish")


@router.get("/api/crash/duly")
async def crash_duly() -> None:
    raise DulyError("the password is swordfish")


@router.get("/api/crash/files")
async def crash_files() -> None:
    raise OSError(errno.EMFILE, "Too many open files", "swordfish")


@router.get("/api/teapot")
async def teapot() -> None:
    raise HTTPException(418, {"short": "stout"}, {"X-Pot": "tea"})


@router.get("/api/private")
async def private() -> dict[str, str]:
    return {"secret": "yes"}


@router.get("/apps/notes/")
async def page() -> HTMLResponse:
    return HTMLResponse("<p>notes</p>")
