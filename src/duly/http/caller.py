"""`Caller`: who calls and how, for routes. It submits for him, answers or acknowledges, keeps his uploads."""

from __future__ import annotations

import asyncio
import json
import math
import re
import unicodedata
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.conditional import asks, etag, has
from duly.http.identity import Principal, PrincipalDep
from duly.http.parts import parts
from duly.http.prefer import Preference, idempotency_key, preference
from duly.http.titles import language
from duly.model.errors import StateConflict, TaskNotFound
from duly.model.render import task_wire
from duly.model.state import Status
from duly.model.task import Target, Task
from duly.store import blobs, lists
from duly.submit.admit import Options

CHUNK = 262_144
POLL_SECONDS = 2
NAME_BYTES = 255
_ID = re.compile(r"[0-9a-f-]{36}")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")


class Caller:
    """One request's caller. A route takes it as a parameter: `async def analyse(caller: CallerDep)`."""

    def __init__(self, request: Request, principal: Principal) -> None:
        self.request = request
        self.principal = principal
        self._parts = parts(request)
        self._app = self._parts.app

    async def submit(
        self,
        task_type: str,
        input: Any = None,  # noqa: A002 - the word of the API
        *,
        max_retries: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        deliver: Sequence[Target | Mapping[str, Any] | str] = (),
        **options: Any,
    ) -> Response:
        """Accepts a task for the caller: 200 with its end if that comes within `Prefer: wait=N`, else 202.

        Args:
            task_type: a declared task type.
            input: its handler's arguments as a JSON object.
            max_retries: None takes the handler's.
            metadata: kept with the task and shown with it.
            deliver: where the answer goes besides.
            **options: see `duly.submit.admit.Options`; `idempotency_key` replaces the request's header.

        Raises:
            InvalidInput: an unknown type, an input the handler does not take, an option out of range.
            Forbidden: a user names another owner or tenant.
            StateConflict: another owner's task holds the unique key.
        """
        options.setdefault("idempotency_key", idempotency_key(self.request))
        given = {"max_retries": max_retries, "metadata": metadata or {}, "deliver": deliver, **options}
        wanted = preference(self.request, self._app.settings.wait_limit)
        accepted = await self.accept(task_type, input, **given)
        task = replace(await self.ended(accepted, wanted.wait), deduplicated=accepted.deduplicated)
        return self._acknowledge(task, wanted, replayed=task.deduplicated and bool(given["idempotency_key"]))

    async def accept(self, task_type: str, input: Any = None, **options: Any) -> Task:  # noqa: A002
        """Accepts a task for the caller, as `submit`, and leaves the answer to the route."""
        tenant, owner = self.principal.acting(options.pop("tenant", None), options.pop("owner", None))
        options.setdefault("idempotency_key", idempotency_key(self.request))
        terms = Options(tenant=tenant, owner=owner, **options)
        task = await self._app.client.submit(task_type, {} if input is None else input, terms)
        if not self.principal.sees(task):
            raise StateConflict(
                "another owner's task of this type holds this unique key", code="unique_taken"
            )
        return task

    def _acknowledge(self, task: Task, wanted: Preference, *, replayed: bool) -> Response:
        """A new task is answered with 200 only if a wait was asked for, however quickly it has ended."""
        headers = {"Vary": "Prefer, Accept-Language"}
        headers |= {"Preference-Applied": wanted.applied} if wanted.applied else {}
        headers |= {"Idempotency-Replayed": "true"} if replayed else {}
        place = f"{self.request.scope.get('root_path', '')}/api/tasks/{task.id}"
        if task.status.terminal and (wanted.wait > 0 or task.deduplicated):
            return self.answer(task, headers={**headers, "Content-Location": place})
        return self.answer(task, 202, headers={**headers, "Location": place})

    def answer(self, task: Task, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """The task in its wire shape, its error in the caller's language; an entity tag names this answer."""
        answer = JSONResponse(self.wire(task), status, {"Vary": "Accept-Language", **(headers or {})})
        answer.headers["ETag"] = etag(bytes(answer.body))
        answer.headers["Duly-Retention"] = str(self._retention(task))
        if not task.status.terminal:
            answer.headers["Retry-After"] = str(_poll_hint(task, self._app.clock.now_ms()))
        return answer

    async def look(self, task: Task, wait: float) -> Response:
        """The task when it has ended, or as it stands after `wait` seconds. A caller that sends If-None-Match
        waits for any change instead, and gets 304 if there is none."""
        wanted = preference(self.request, self._app.settings.wait_limit)
        wait = min(wait or wanted.wait, self._app.settings.wait_limit)
        headers = {"Vary": "Prefer, Accept-Language"}
        headers |= {"Preference-Applied": wanted.applied} if wanted.applied else {}
        if not asks(self.request):
            return self.answer(await self.ended(task, wait), headers=headers)
        task = await self._until(task.id, self._app.client.follow(task.id, wait, self._is_news))
        answer = self.answer(task, headers=headers)
        if not has(self.request, answer.headers["ETag"]):
            return answer
        kept = ("etag", "vary", "retry-after", "duly-retention", "preference-applied")
        return Response(status_code=304, headers={k: v for k, v in answer.headers.items() if k in kept})

    def wire(self, task: Task) -> dict[str, Any]:
        """The task in its wire shape, its error in the caller's language."""
        return task_wire(task, language=language(self.request))

    def _is_news(self, task: Task) -> bool:
        return not has(self.request, etag(bytes(JSONResponse(self.wire(task)).body)))

    def _retention(self, task: Task) -> int:
        """Seconds that the task is kept once it has ended."""
        ttl = self._app.terms.retention_ms if task.result_ttl_ms is None else task.result_ttl_ms
        return ttl // 1000

    async def task(self, task_id: str, *, result: bool = True) -> Task:
        """A task that the caller may see.

        Raises:
            TaskNotFound: there is none, or it is somebody else's: the same answer.
        """
        known = _ID.fullmatch(task_id) is not None
        task = await self._app.database.read(lists.get, task_id, result=result) if known else None
        if task is None or not self.principal.sees(task):
            raise TaskNotFound(f"there is no task {task_id}")
        return task

    async def recorded(self, task: Task, step: str) -> Any:
        """What the task's first step of this name has answered; None: nothing yet."""
        text = await self._app.database.read(lists.recorded, task.id, step)
        return None if text is None else await asyncio.to_thread(json.loads, text)

    async def ended(self, task: Task, seconds: float) -> Task:
        """The task when it has ended, or as it stands after `seconds`, or at once when the server stops."""
        if seconds <= 0 or task.status.terminal:
            return task
        seconds = min(seconds, self._app.settings.wait_limit)
        return await self._until(task.id, self._app.client.wait(task.id, seconds))

    async def _until(self, task_id: str, coming: Coroutine[Any, Any, Task]) -> Task:
        """What `coming` answers, or the task as it stands when the server stops."""
        waiting = asyncio.create_task(coming)
        stopping = asyncio.create_task(self._parts.stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return await waiting if waiting.done() else await self._app.client.get(task_id)
        finally:
            waiting.cancel()
            stopping.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)

    async def upload(self, upload_file: UploadFile) -> dict[str, Any]:
        """Keeps a file of a form; see `keep`."""
        name, kind = upload_file.filename or "", upload_file.content_type or ""
        return await self.keep(_chunks(upload_file), name=name, content_type=kind)

    async def keep(
        self,
        stream: AsyncIterator[bytes],
        *,
        name: str = "",
        content_type: str = "",
        sha256: str | None = None,
    ) -> dict[str, Any]:
        """Keeps a file; the answer goes into a task's input: blob (SHA-256), name, size, content_type.

        Raises:
            TooLarge: larger than the setting `upload_limit`.
            InvalidInput: an empty file; `DigestDiffers` when it is not what `sha256` (hex) says.
        """
        limit = self._app.settings.upload_limit
        kept, size = await blobs.put(self._app.database, stream, limit=limit, expected=sha256)
        kind = content_type.partition(";")[0].strip().lower()
        return {
            "blob": kept,
            "name": display_name(name),
            "size": size,
            "content_type": kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream",
        }


async def _caller(request: Request, principal: PrincipalDep) -> Caller:
    return Caller(request, principal)


#: A route's parameter of this type is its caller; without credentials the route is not entered.
CallerDep = Annotated[Caller, Depends(_caller)]


async def _chunks(upload_file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await upload_file.read(CHUNK):
        yield chunk


def display_name(given: str) -> str:
    """A file's name as it may be shown: no folders, no control or direction characters, at most 255 bytes.

    It names nothing on our disk; uploads are kept under their SHA-256.
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    kept = "".join(
        one for one in base if unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    )
    short = kept.strip(" .").encode("utf-8")[:NAME_BYTES].decode("utf-8", "ignore")
    return short or "file"


def _poll_hint(task: Task, now: int) -> int:
    """Seconds after which it is worth asking again."""
    if task.status in (Status.SCHEDULED, Status.RETRY, Status.WAITING) and task.due_at is not None:
        return min(max(POLL_SECONDS, math.ceil((task.due_at - now) / 1000)), 3600)
    return POLL_SECONDS
