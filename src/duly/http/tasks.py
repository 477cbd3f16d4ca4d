"""/api/tasks: submit, list, count, look, wait, cancel, retry, and why a task is not running."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.caller import CallerDep
from duly.http.gate import JsonBody, read_object, shaped
from duly.http.identity import Principal
from duly.http.parts import PartsDep
from duly.http.prefer import idempotency_key
from duly.http.titles import language
from duly.model.errors import InvalidInput
from duly.model.render import task_wire
from duly.model.state import Status
from duly.observe.why import why
from duly.store import lists
from duly.submit.admit import moment

router = APIRouter(prefix="/api/tasks", tags=["tasks"])

Name = Annotated[str, Field(max_length=100)]


class TermsRequest(BaseModel):
    """For whom, by when, and where the answer goes. Null is as good as absent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    priority: int | None = Field(None, description="1..10, the larger the sooner; 5 when absent.")
    due: str | float | None = Field(
        None, description="Not before: ISO 8601 with a zone, or seconds from now."
    )
    deadline: str | float | None = Field(None, description="Of no use after: as `due`.")
    timeout: float | None = Field(None, description="Seconds that one attempt may last.")
    result_ttl: float | None = Field(
        None, description="Seconds that it is kept once it has ended, at least 60; a day with a key."
    )
    max_retries: int | None = Field(None, description="Retries after the first attempt: 3 are 4 attempts.")
    unique: str | None = Field(None, description="One living task of this type and tenant with this key.")
    tags: list[str] | None = Field(None, description="At most 20.")
    metadata: dict[str, Any] | None = Field(None, description="Kept and shown with the task.")
    deliver: list[str | dict[str, Any]] | None = Field(
        None, description='Where the answer goes: "inbox", a URL, {channel, url or id}, or {first_of: [...]}.'
    )
    queue: str | None = Field(None, description="Where it waits, if not in its handler's queue.")
    idempotency_key: str | None = Field(None, description="As the header Idempotency-Key.")
    owner: str | None = Field(None, description="For whom; administrators only.")
    tenant: str | None = Field(None, description="Of which tenant; administrators only.")

    def given(self, request: Request) -> dict[str, Any]:
        """What was said, with the header's idempotency key.

        Raises:
            InvalidInput: the header and the body differ.
        """
        said = {name: getattr(self, name) for name in self.model_fields_set}
        said = {name: value for name, value in said.items() if value is not None}
        header = idempotency_key(request)
        if header is not None and said.setdefault("idempotency_key", header) != header:
            raise InvalidInput("the header Idempotency-Key and the body's idempotency_key differ")
        return said


class TaskRequest(TermsRequest):
    """What to do, for whom, by when, and where the answer goes. Null is as good as absent."""

    task_type: str = Field(description="A declared task type.")
    input: dict[str, Any] | None = Field(None, description="The handler's arguments.")


class Selection(BaseModel):
    """Which tasks a list or a count means; owner and tenant are for administrators."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    task_type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    error_code: Name | None = Field(default=None, description="The code that a failed task ended with.")
    since: Name | None = Field(
        default=None, description="Ended at this moment or later: ISO 8601 with a zone."
    )
    parent: Name | None = Field(default=None, description="Children of this task.")
    owner: Name | None = None
    tenant: Name | None = None

    def filter(self, principal: Principal) -> lists.Filter:
        """The store's filter: a user's own tasks, an administrator's choice."""
        tenant, owner = self.tenant, self.owner
        if not principal.admin:
            tenant, owner = principal.acting(tenant, owner)
        return lists.Filter(
            tenant=tenant,
            owner=owner,
            status=self.status,
            task_type=self.task_type,
            queue=self.queue,
            tag=self.tag,
            error_code=self.error_code,
            parent=self.parent,
            ended_since=moment(self.since, 0, "since"),
        )


class Page(Selection):
    """A selection and which part of it, newest first; `before` (an id) pages without counting."""

    limit: int = Field(20, ge=1, le=200)
    offset: int = Field(0, ge=0, le=10_000)
    before: Name | None = None


class SignalRequest(BaseModel):
    """What is said to a task."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: Any = Field(None, description="Any JSON value of at most 64 KB: what the wait answers.")
    id: str | None = Field(
        None, description="The same again is the same signal; as the header Idempotency-Key."
    )


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": model is TaskRequest, "content": schema}}


_BODY, _SIGNAL_BODY = _body(TaskRequest), _body(SignalRequest)

_ENDED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The task has ended within `Prefer: wait=N`."}
}


@router.post("", status_code=202, openapi_extra=_BODY, responses=_ENDED)
async def submit(caller: CallerDep, body: JsonBody) -> Response:
    """Accept a task: 202 with Location, or 200 with its end when that comes within `Prefer: wait=N`."""
    given = shaped(TaskRequest, body).given(caller.request)
    return await caller.submit(given.pop("task_type"), given.pop("input", {}), **given)


@router.get("")
async def list_(caller: CallerDep, parts: PartsDep, page: Annotated[Page, Query()]) -> Response:
    """The caller's tasks, newest first, without results."""
    where = page.filter(caller.principal)
    found = await parts.app.database.read(
        lists.page, where, limit=page.limit, offset=page.offset, before=page.before
    )
    words = language(caller.request)
    tasks = [task_wire(task, language=words) for task in found]
    return JSONResponse({"tasks": tasks, "limit": page.limit, "offset": page.offset})


@router.get("/stats")
async def stats(caller: CallerDep, parts: PartsDep, wanted: Annotated[Selection, Query()]) -> Response:
    """How many of the caller's tasks stand in each status; zeros too."""
    return JSONResponse(
        {"stats": await parts.app.database.read(lists.stats, wanted.filter(caller.principal))}
    )


@router.get("/{task_id}")
async def look(
    caller: CallerDep,
    task_id: str,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for its end.")] = 0,
) -> Response:
    """The task as it stands, or when it has ended within `wait` seconds."""
    return caller.answer(await caller.ended(await caller.task(task_id), wait))


@router.delete("/{task_id}")
@router.post("/{task_id}/cancel")
async def cancel(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """Cancel at once, or ask the running attempt to stop; an ended task stays as it is."""
    await caller.task(task_id, result=False)
    return caller.answer(await parts.app.client.cancel(task_id))


@router.post("/{task_id}/signals/{name}", openapi_extra=_SIGNAL_BODY)
async def signal(caller: CallerDep, parts: PartsDep, task_id: str, name: str) -> Response:
    """Tell a task what it waits for, or will; kept until a wait of this name takes it, and taken once."""
    await caller.task(task_id, result=False)
    body = await read_object(caller.request) if await caller.request.body() else {}
    said = shaped(SignalRequest, body)
    header = idempotency_key(caller.request)
    if None not in (header, said.id) and header != said.id:
        raise InvalidInput("the header Idempotency-Key and the body's id differ")
    key = header if said.id is None else said.id
    return caller.answer(await parts.app.client.signal(task_id, name, said.data, key=key))


@router.post("/{task_id}/retry")
async def retry(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """Give a failed or cancelled task another run; its recorded steps are kept."""
    await caller.task(task_id, result=False)
    return caller.answer(await parts.app.client.retry(task_id))


@router.get("/{task_id}/why")
async def why_(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """Why the task stands where it stands: reasons in order of weight, in the caller's language."""
    await caller.task(task_id, result=False)
    app, zh = parts.app, language(caller.request) == "zh"
    known = {kind.name for kind in app.registry}
    said = await why(app.database, task_id, now_ms=app.clock.now_ms(), known_types=known)
    reasons = [
        {"code": one.code, "text": one.text_zh if zh else one.text_en, "data": one.data}
        for one in said.reasons
    ]
    summary = reasons[0]["text"] if reasons else said.summary
    body = {"task_id": said.task_id, "status": said.status, "summary": summary, "reasons": reasons}
    return JSONResponse(body, headers={"Vary": "Accept-Language"})
