"""The addresses of before there were tasks: they answer with the analysis itself, when it comes soon enough.

Old and new stand side by side: an old call makes the same task. One that takes longer than `wait_limit` is
answered as the new address answers, 202 with the task.
"""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from duly.http import Caller, CallerDep
from duly.http.problems import problem
from duly.http.sunset import Sunsetting

from .submit import ANALYSIS, SPLIT, One, Text, source

#: Since when the new addresses are the ones to use; there is no day on which the old ones go.
SINCE = dt.datetime(2025, 10, 21, tzinfo=dt.UTC)

router = APIRouter(prefix="/api", tags=["tender, as before"])


def _old(successor: str) -> Any:
    return Depends(Sunsetting(since=SINCE, successor=successor))


@router.post("/bidding/analyze/file", deprecated=True, dependencies=[_old("/api/tasks/bidding/file")])
async def analyze_file(request: Request, caller: CallerDep, file: One) -> Response:
    """The analysis of a tender: its result, or 202 with the task when it takes longer than a caller waits."""
    return await _answered(request, caller, ANALYSIS, {"file": await caller.upload(file)})


@router.post("/bidding/analyze/text", deprecated=True, dependencies=[_old("/api/tasks/bidding/text")])
async def analyze_text(request: Request, caller: CallerDep, text: Text) -> Response:
    """The same of a text."""
    return await _answered(request, caller, ANALYSIS, {"text": text})


@router.post("/workload/analyze/file", deprecated=True, dependencies=[_old("/api/tasks/workload/file")])
async def split_file(request: Request, caller: CallerDep, file: One) -> Response:
    """The split of a requirements document into work, in the same manner."""
    return await _answered(request, caller, SPLIT, {"file": await caller.upload(file)})


@router.post("/workload/analyze/text", deprecated=True, dependencies=[_old("/api/tasks/workload/text")])
async def split_text(request: Request, caller: CallerDep, text: Text) -> Response:
    """The same of a text."""
    return await _answered(request, caller, SPLIT, {"text": text})


async def _answered(request: Request, caller: Caller, task_type: str, given: dict[str, Any]) -> Response:
    """The result as the body; the task's address stands in a header."""
    accepted = await caller.accept(task_type, given, metadata={**source(given), "legacy": True})
    task = await caller.ended(accepted, float("inf"))
    place = {"Content-Location": f"/api/tasks/{task.id}"}
    if not task.status.terminal:
        return caller.answer(task, 202, headers={"Location": place["Content-Location"]})
    if task.result is None:
        said = caller.wire(task)
        code, text = said["error_code"] or said["status"], said["error"] or said["status"]
        return problem(request, 422, str(code), str(text), headers=place)
    return JSONResponse(task.result, headers=place)
