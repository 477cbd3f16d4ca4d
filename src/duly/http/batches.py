"""/api/batches: many tasks in one request, with counters and one answer; a batch is a task besides."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from duly.http import paging
from duly.http.caller import CallerDep
from duly.http.gate import JsonBody, shaped
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.http.tasks import Page, TermsRequest, answer_page
from duly.model.batch import BATCH
from duly.model.errors import TaskNotFound

router = APIRouter(prefix="/api/batches", tags=["tasks"])


class BatchRequest(TermsRequest):
    """Many tasks; the other words are those of the batch: its owner, its deadline, where its answer goes."""

    tasks: list[Any] = Field(
        description="1 to 10,000 of {task_type, input, queue, priority, due, timeout, result_ttl,"
        " max_retries, tags, metadata, deliver}."
    )
    policy: Literal["collect", "fail_fast"] | None = Field(
        None, description="collect: wait for all, count those that fail. fail_fast: fail with the first."
    )


@router.post("", status_code=202, openapi_extra=json_body(BatchRequest))
async def submit(caller: CallerDep, body: JsonBody) -> Response:
    """Accept a batch as a whole, or refuse it and name each bad task; otherwise as POST /api/tasks."""
    given = shaped(BatchRequest, body).given(caller.request)
    input_ = {name: given.pop(name) for name in ("tasks", "policy") if name in given}
    return await caller.submit(BATCH, input_, **given)


@router.get("", responses=paging.LINKED)
async def list_(caller: CallerDep, parts: PartsDep, page: Annotated[Page, Query()]) -> Response:
    """The caller's batches, newest first, without counters; `Link` leads to the next page."""
    return await answer_page(caller, parts, page, "batches", task_type=BATCH)


@router.get("/{batch_id}")
async def look(
    caller: CallerDep,
    batch_id: str,
    wait: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds to wait for its end.")] = 0,
) -> Response:
    """The batch as it stands, counted, or when it has ended within `wait` seconds."""
    task = await caller.task(batch_id)
    if task.task_type != BATCH:
        raise TaskNotFound(f"there is no batch {batch_id}")
    return await caller.look(task, wait)
