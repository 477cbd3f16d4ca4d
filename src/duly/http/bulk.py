"""/api/tasks/cancel, …/retry and …/move: many tasks at once, chosen by the words of a list."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.http.gate import JsonBody, shaped
from duly.http.identity import AdminDep, Principal, PrincipalDep
from duly.http.parts import PartsDep
from duly.http.queues import MOST, USUAL, json_body
from duly.http.tasks import Name, Selection
from duly.model.errors import InvalidInput
from duly.store.lists import Filter
from duly.submit.operator import NOTHING_CHOSEN

router = APIRouter(prefix="/api/tasks", tags=["tasks"])


class RetryRequest(BaseModel):
    """Which failed tasks run again, or cancelled ones if `where.status` says so; at least one word."""

    model_config = ConfigDict(extra="forbid")

    where: Selection = Field(Selection(), description="As the words of a list.")
    ids: list[Name] = Field(default_factory=list, max_length=1000, description="Of these only.")
    limit: int = Field(USUAL, ge=1, le=MOST, strict=True, description="At most so many.")

    def filter(self, principal: Principal) -> Filter:
        """The store's filter.

        Raises:
            InvalidInput: nothing is said of which tasks: all of them are never meant.
        """
        if not self.ids and not any(self.where.model_dump(exclude_none=True)):
            raise InvalidInput(NOTHING_CHOSEN)
        return replace(self.where.filter(principal), ids=tuple(self.ids))


class CancelRequest(RetryRequest):
    """Which tasks are cancelled: those of them that have not ended; at least one word, such as `batch`."""


class MoveRequest(RetryRequest):
    """Which tasks go where. Those that run or have ended stay."""

    queue: str | None = Field(None, description="The queue they go to.")
    priority: int | None = Field(None, strict=True, description="Their new priority, 1..10.")


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
