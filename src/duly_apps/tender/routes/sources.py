"""The text around a finding, from what the task has read: the page it stands on, or the lines around it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from duly import TaskNotFound
from duly.documents import Document
from duly.http import CallerDep

from .submit import ANALYSIS, SPLIT

router = APIRouter(prefix="/api/tender", tags=["tender"])

#: Passages on each side, where there are no pages; and of a page at most, on each side.
AROUND, MOST = 12, 200


@router.get("/tasks/{task_id}/source")
async def source(
    caller: CallerDep,
    task_id: str,
    at: Annotated[
        int, Query(ge=0, le=10_000_000, description="An offset into the text, as of a finding.")
    ] = 0,
) -> Response:
    """The passages around a place in a task's document, with their offsets; 404 before it has been read."""
    task = await caller.task(task_id, result=False)
    read = await caller.recorded(task, "read") if task.task_type in (ANALYSIS, SPLIT) else None
    if read is None:
        raise TaskNotFound(f"task {task_id} has not read a document")
    return JSONResponse(await asyncio.to_thread(_around, read, at))


def _around(read: Any, at: int) -> dict[str, Any]:
    document = Document.from_json(read)
    at = min(at, max(len(document.text) - 1, 0))
    page = document.place(at).page
    here = document.passages.index(document.passage_at(at))
    around = MOST if page is not None else AROUND
    near = document.passages[max(0, here - around) : here + around + 1]
    passages = [
        {"text": one.text, "page": one.page, "paragraph": one.paragraph, "start": one.start, "end": one.end}
        for one in near
        if one.page == page
    ]
    return {"at": at, "page": page, "passages": passages}
