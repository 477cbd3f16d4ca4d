"""/api/tasks: submit, list, count, look, wait, cancel, retry, and why a task is not running."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http import paging
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
from duly.store.search import search
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


def _several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Selection(BaseModel):
    """Which tasks a list or a count means; owner and tenant are for administrators."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[Status], BeforeValidator(_several)] | None = Field(
        default=None, max_length=len(Status), description="One of these; said once for each."
    )
    task_type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    error_code: Name | None = Field(default=None, description="The code that a failed task ended with.")
    since: Name | None = Field(
        default=None, description="Ended at this moment or later: ISO 8601 with a zone."
    )
    until: Name | None = Field(default=None, description="Ended before this moment.")
    created_since: Name | None = Field(default=None, description="Accepted at this moment or later.")
    created_until: Name | None = Field(default=None, description="Accepted before this moment.")
    parent: Name | None = Field(default=None, description="Children of this task.")
    batch: Name | None = Field(default=None, description="Members of this batch.")
    owner: Name | None = None
    tenant: Name | None = None

    def filter(self, principal: Principal) -> lists.Filter:
        """The store's filter: a user's own tasks, an administrator's choice.

        Raises:
            InvalidInput: a moment that is none; parent and batch name two tasks.
            Forbidden: a user names somebody else.
        """
        tenant, owner = self.tenant, self.owner
        if not principal.sees_all:
            tenant, owner = principal.acting(tenant, owner)
        if None not in (self.parent, self.batch) and self.parent != self.batch:
            raise InvalidInput("parent and batch name two tasks")
        status = self.status or []
        return lists.Filter(
            tenant=tenant,
            owner=owner,
            status=status[0] if len(status) == 1 else None,
            statuses=tuple(status) if len(status) > 1 else (),
            task_type=self.task_type,
            queue=self.queue,
            tag=self.tag,
            error_code=self.error_code,
            parent=self.parent or self.batch,
            ended_since=moment(self.since, 0, "since"),
            ended_until=moment(self.until, 0, "until"),
            created_since=moment(self.created_since, 0, "created_since"),
            created_until=moment(self.created_until, 0, "created_until"),
        )


class Page(Selection):
    """A selection and which part of it, newest first: `cursor` goes on where a page ended."""

    limit: int = Field(20, ge=1, le=200)
    offset: int = Field(0, ge=0, le=10_000)
    before: Name | None = Field(None, description="Only ids before this one.")
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    text: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Stands in the type or the metadata, or begins the id.",
    )


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


@router.get("", responses=paging.LINKED)
async def list_(caller: CallerDep, parts: PartsDep, page: Annotated[Page, Query()]) -> Response:
    """The caller's tasks, newest first, without results; `Link` leads to the next page."""
    return await answer_page(caller, parts, page, "tasks")


async def answer_page(
    caller: CallerDep, parts: PartsDep, page: Page, what: str, *, task_type: str | None = None
) -> Response:
    """A page of tasks, under the name `what`.

    Raises:
        BadCursor: the cursor is of another list, another caller or another selection.
    """
    where = page.filter(caller.principal)
    where = where if task_type is None else replace(where, task_type=task_type)
    words = page.model_dump(mode="json", exclude={"limit", "offset", "cursor"}, exclude_none=True)
    book = paging.Pages(caller.request, caller.principal, what, words)
    before = page.before if page.cursor is None else str(book.open(page.cursor)[0])
    if page.cursor is not None and page.offset:
        raise InvalidInput("offset counts from the first page, and cursor goes on from another")
    read = parts.app.database.read
    if page.text is not None:
        found, last = await read(search, where, page.text, limit=page.limit, before=before)
    else:
        found = await read(lists.page, where, limit=page.limit + 1, offset=page.offset, before=before)
        last = found[page.limit - 1].id if len(found) > page.limit else None
    tasks = [task_wire(task, language=language(caller.request)) for task in found[: page.limit]]
    body = {what: tasks, "limit": page.limit, "offset": page.offset}
    return book.answer(body, None if last is None else [last])


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
    return await caller.look(await caller.task(task_id), wait)


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
