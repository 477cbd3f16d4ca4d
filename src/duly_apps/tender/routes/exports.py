"""A result as a file: DOCX and XLSX for people, JSON for programs."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from duly import Task, TaskNotFound
from duly.http import CallerDep
from duly.http.caller import display_name
from duly.http.problems import problem
from duly.http.ranges import File, send
from duly_apps.tender.export import FORMATS, written

from .submit import ANALYSIS, SPLIT

router = APIRouter(prefix="/api/tender", tags=["tender"])


class Format(StrEnum):
    """What a result can be written as."""

    DOCX = "docx"
    XLSX = "xlsx"
    JSON = "json"


@router.get("/tasks/{task_id}/export/{format}")
async def export(caller: CallerDep, task_id: str, format: Format) -> Response:  # noqa: A002 - its public name
    """The result of an analysis or a split as a file; 409 before the task has completed."""
    task = await caller.task(task_id)
    if task.task_type not in (ANALYSIS, SPLIT):
        raise TaskNotFound(f"there is no task {task_id} of the tender desk")
    if task.result is None:
        text = f"task {task.id} is {task.status}; only a completed task has a result"
        return problem(caller.request, 409, "state_conflict", text)
    data = await asyncio.to_thread(written, format, task.result)
    return send(caller.request, _file(task, format, data))


def _file(task: Task, kind: Format, data: bytes) -> File:
    """The tag names the result, not the bytes: a package holds the moment at which it was made."""

    async def read(first: int, last: int) -> AsyncIterator[bytes]:
        yield data[first : last + 1]

    told = json.dumps([kind, len(data), task.result], sort_keys=True)
    tag = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
    return File(name=_name(task.result, kind), size=len(data), tag=tag, media_type=FORMATS[kind], read=read)


def _name(result: Any, kind: Format) -> str:
    """The document's name with another ending; nothing of it leads to a folder."""
    stem = PurePath(display_name(str(result["document"]["name"]))).stem
    word = "workload" if "items" in result else "analysis"
    return f"{stem[:80] or 'tender'}-{word}.{kind}"
