"""Downloads of a task: its result, the files that its input names, and links that need no credentials."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.clock import iso
from duly.http.caller import CallerDep, display_name
from duly.http.gate import read_object, shaped
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.http.ranges import File, send
from duly.http.seals import is_sealed, seal
from duly.model.errors import DulyError, StateConflict, TaskNotFound
from duly.model.state import Status
from duly.model.task import Task
from duly.runtime.app import App
from duly.store import blobs, bodies, lists
from duly.store.transaction import Transaction

router = APIRouter(tags=["files"])

PURPOSE = "link"
LONGEST_SECONDS = 7 * 86_400
RESULT = "result"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The whole file."},
    206: {"content": {"application/octet-stream": {}}, "description": "The bytes that `Range` names."},
    304: {"description": "The caller has it already."},
}

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The file's SHA-256.")]


class UploadNotFound(DulyError):
    """There is no such upload, or it was deleted as nobody used it."""

    code = "unknown_blob"
    http_status = 404


class BadLink(DulyError):
    """The link has expired or was changed; ask for a new one."""

    code = "bad_link"
    http_status = 403


class LinkRequest(BaseModel):
    """What the link leads to, and how long."""

    model_config = ConfigDict(extra="forbid", strict=True)

    what: str = Field(
        RESULT,
        pattern="^(result|[0-9a-f]{64})$",
        description="result, or the SHA-256 of a file of the input.",
    )
    ttl: int = Field(3600, ge=1, le=LONGEST_SECONDS, description="Seconds until it expires.")


@router.get("/api/tasks/{task_id}/result", responses=_BYTES)
async def result(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """The result as a file of JSON; 409 before the task has completed."""
    task = await caller.task(task_id)
    return send(caller.request, await _file(parts.app, task, RESULT))


@router.get("/api/tasks/{task_id}/files/{sha256}", responses=_BYTES)
async def download(caller: CallerDep, parts: PartsDep, task_id: str, sha256: Sha256) -> Response:
    """An upload that the task's input names; whole or a range of it."""
    task = await caller.task(task_id, result=False)
    return send(caller.request, await _file(parts.app, task, sha256))


@router.post(
    "/api/tasks/{task_id}/link", status_code=201, openapi_extra=json_body(LinkRequest, required=False)
)
async def link(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """A link to the result, or to a file of the input, that works without credentials until it expires."""
    task = await caller.task(task_id, result=False)
    body = await read_object(caller.request) if await caller.request.body() else {}
    wanted = shaped(LinkRequest, body)
    if wanted.what != RESULT:
        await _file(parts.app, task, wanted.what)
    expires = parts.app.clock.now_ms() // 1000 + wanted.ttl
    signature = seal(parts.app, PURPOSE, _text(task.id, wanted.what, expires))
    base = parts.app.terms.public_url or caller.request.scope.get("root_path", "")
    url = f"{base}/api/links/{task.id}/{wanted.what}?expires={expires}&signature={signature}"
    return JSONResponse({"url": url, "expires_at": iso(expires * 1000)}, 201)


@router.get("/api/links/{task_id}/{what}", responses=_BYTES)
async def follow(
    request: Request,
    parts: PartsDep,
    task_id: str,
    what: str,
    expires: Annotated[int, Query(ge=0, le=2**40)],
    signature: Annotated[str, Query(max_length=100)],
) -> Response:
    """What a link leads to; the address is the credential."""
    sealed = is_sealed(parts.app, PURPOSE, _text(task_id, what, expires), signature)
    if not sealed or parts.app.clock.now_ms() >= expires * 1000:
        raise BadLink
    task = await parts.app.database.read(lists.get, task_id)
    if task is None:
        raise TaskNotFound(f"there is no task {task_id}")
    return send(request, await _file(parts.app, task, what))


def _text(task_id: str, what: str, expires: int) -> str:
    return json.dumps([task_id, what, expires])


async def _file(app: App, task: Task, what: str) -> File:
    """What can be downloaded of a task.

    Raises:
        StateConflict: it has no result.
        UploadNotFound: its input names no such file, or the file is gone.
    """
    if what != RESULT:
        return await _upload(app, task, what)
    if task.status is not Status.COMPLETED:
        raise StateConflict(f"task {task.id} is {task.status}; only a completed task has a result")
    data = json.dumps(task.result, ensure_ascii=False).encode("utf-8", "replace")

    async def read(first: int, last: int) -> AsyncIterator[bytes]:
        yield data[first : last + 1]

    tag = hashlib.sha256(data).hexdigest()
    return File(name=f"{task.id}.json", size=len(data), tag=tag, media_type="application/json", read=read)


async def _upload(app: App, task: Task, sha256: str) -> File:
    told = await app.database.read(_told, task.id, sha256) if _SHA256.fullmatch(sha256) else None
    size = None if told is None else await app.database.read(blobs.size, sha256)
    if told is None or size is None:
        raise UploadNotFound

    async def read(first: int, last: int) -> AsyncIterator[bytes]:
        for part in range(first // bodies.PART, last // bodies.PART + 1):
            start = part * bodies.PART
            data = await app.database.read(blobs.part, sha256, part)
            yield data[max(0, first - start) : last + 1 - start]

    kind = str(told.get("content_type", "")).lower()
    media_type = kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"
    name = display_name(str(told.get("name", "")))
    return File(name=name, size=size, tag=sha256, media_type=media_type, read=read)


def _told(tx: Transaction, task_id: str, sha256: str) -> dict[str, Any] | None:
    """What the input says of a file, as POST /api/uploads answered it; None: it does not name it."""
    text = bodies.join(tx.run("body", id=task_id, kind="input"))
    if text is None or sha256 not in text:
        return None
    todo: list[Any] = [json.loads(text)]
    while todo:
        one = todo.pop()
        if isinstance(one, dict) and one.get("blob") == sha256:
            return one
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return {}
