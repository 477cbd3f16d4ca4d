"""/api/tasks/cancel, …/retry and …/move: some tasks at once, chosen by the words of a list; /api/bulk: a job
that does it to all that fit, with progress and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.http.caller import CallerDep
from duly.http.gate import JsonBody, shaped
from duly.http.identity import AdminDep, Forbidden, Principal, PrincipalDep
from duly.http.parts import PartsDep
from duly.http.queues import MOST, USUAL, json_body
from duly.http.tasks import Name, Selection, TermsRequest
from duly.model.access import Scope
from duly.model.bulk import BULK
from duly.model.errors import InvalidInput
from duly.store.lists import Filter
from duly.submit.operator import NOTHING_CHOSEN

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
jobs = APIRouter(prefix="/api/bulk", tags=["tasks"])


class RetryRequest(BaseModel):
    """Which failed tasks run again, or cancelled ones if `where.status` says so; at least one word."""

    model_config = ConfigDict(extra="forbid")

    where: Selection = Field(Selection(), description="As the words of a list.")
    ids: list[Name] = Field(default_factory=list, max_length=1000, description="Of these only.")
    limit: int = Field(USUAL, ge=1, le=MOST, strict=True, description="At most so many.")

    def filter(self, principal: Principal) -> Filter:
        """The store's filter; see `chosen`."""
        return chosen(self.where, self.ids, principal)


def chosen(where: Selection, ids: Sequence[str], principal: Principal) -> Filter:
    """Which of the caller's tasks are meant.

    Raises:
        InvalidInput: nothing is said of which tasks: all of them are never meant.
    """
    if not ids and not any(where.model_dump(exclude_none=True)):
        raise InvalidInput(NOTHING_CHOSEN)
    return replace(where.filter(principal), ids=tuple(ids))


class CancelRequest(RetryRequest):
    """Which tasks are cancelled: those of them that have not ended; at least one word, such as `batch`."""


class MoveRequest(RetryRequest):
    """Which tasks go where. Those that run or have ended stay."""

    queue: str | None = Field(None, description="The queue they go to.")
    priority: int | None = Field(None, strict=True, description="Their new priority, 1..10.")


class PlaceRequest(BaseModel):
    """Where tasks are moved: a queue, a priority, or both."""

    model_config = ConfigDict(extra="forbid", strict=True)

    queue: str | None = Field(default=None, description="Their new queue.")
    priority: int | None = Field(default=None, description="Their new priority, 1..10.")


class BulkRequest(TermsRequest):
    """What is done to which tasks; the other words are the job's own: its queue, its deadline, its tags."""

    action: Literal["cancel", "retry", "move"]
    where: Selection = Field(Selection(), description="As a list's words; `batch`: the members of one.")
    ids: list[Name] = Field(default_factory=list, max_length=1000, description="Of these only.")
    to: PlaceRequest = Field(default_factory=PlaceRequest, description="For `move`: where to.")


@jobs.post("", status_code=202, openapi_extra=json_body(BulkRequest))
async def begin(caller: CallerDep, parts: PartsDep, body: JsonBody) -> Response:
    """Begin a job that acts on all tasks that fit and were accepted before it; otherwise as POST /api/tasks.

    Its progress is the task's; its result {action, matched, changed, unchanged}. `move` is for operators.
    """
    asked = shaped(BulkRequest, body)
    if asked.action == "move" and not caller.principal.may(Scope.OPERATE):
        raise Forbidden("only an administrator may do this")
    wanted = chosen(asked.where, asked.ids, caller.principal)
    to, priority = asked.to.queue, asked.to.priority
    job = parts.app.operator.job(asked.action, wanted, to=to, priority=priority)
    given = asked.given(caller.request)
    own = {name: value for name, value in given.items() if name in TermsRequest.model_fields}
    return await caller.submit(BULK, job, **own)


@router.post("/retry", openapi_extra=json_body(RetryRequest))
async def retry(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """Give failed tasks another run, as the retry of each does. `more`: the limit left some."""
    wanted = shaped(RetryRequest, body)
    tally = await parts.app.operator.retry(wanted.filter(principal), limit=wanted.limit)
    return JSONResponse({"retried": tally.count, "more": tally.more})


@router.post("/cancel", openapi_extra=json_body(CancelRequest))
async def cancel(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """Cancel many tasks; those that run are asked to stop. `more`: the limit left some, so send it again."""
    wanted = shaped(CancelRequest, body)
    tally = await parts.app.operator.cancel(wanted.filter(principal), limit=wanted.limit)
    return JSONResponse({"cancelled": tally.count, "more": tally.more})


@router.post("/move", openapi_extra=json_body(MoveRequest))
async def move(admin: AdminDep, parts: PartsDep, body: JsonBody) -> Response:
    """Put tasks into another queue or to another priority; for administrators."""
    wanted = shaped(MoveRequest, body)
    tally = await parts.app.operator.move(
        wanted.filter(admin), to=wanted.queue, priority=wanted.priority, limit=wanted.limit
    )
    return JSONResponse({"moved": tally.count, "more": tally.more})
