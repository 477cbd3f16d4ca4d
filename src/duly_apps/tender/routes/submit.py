"""Submit a tender for analysis, or requirements to be split into work: a text, a file, or many files."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile

from duly.http import Caller, CallerDep

from .terms import Terms

router = APIRouter(prefix="/api/tasks", tags=["tender"])

ANALYSIS, SPLIT = "bidding_analysis", "workload_split"
#: The task type of the core that gathers many tasks (`POST /api/batches`).
BATCH = "duly.batch"

Text = Annotated[str, Form(min_length=1, description="The document as plain text.")]
One = Annotated[UploadFile, File(description="A PDF, DOCX, XLSX, HTML or plain text file.")]
Many = Annotated[list[UploadFile], File(description="At most 20 files; each becomes a task of its own.")]


@router.post("/bidding/text", status_code=202)
async def submit_text(caller: CallerDep, text: Text, terms: Terms) -> Response:
    """Accepts a tender as text for analysis."""
    return await _one(caller, ANALYSIS, {"text": text}, terms)


@router.post("/bidding/file", status_code=202)
async def submit_file(caller: CallerDep, file: One, terms: Terms) -> Response:
    """Accepts a tender as a file for analysis."""
    return await _one(caller, ANALYSIS, {"file": await caller.upload(file)}, terms)


@router.post("/bidding/files", status_code=202)
async def submit_files(caller: CallerDep, files: Many, terms: Terms) -> Response:
    """Accepts several tenders at once: a batch, with a task for each."""
    return await _many(caller, ANALYSIS, files, terms)


@router.post("/workload/text", status_code=202)
async def submit_workload_text(caller: CallerDep, text: Text, terms: Terms) -> Response:
    """Accepts requirements as text, to be split into work."""
    return await _one(caller, SPLIT, {"text": text}, terms)


@router.post("/workload/file", status_code=202)
async def submit_workload_file(caller: CallerDep, file: One, terms: Terms) -> Response:
    """Accepts requirements as a file, to be split into work."""
    return await _one(caller, SPLIT, {"file": await caller.upload(file)}, terms)


@router.post("/workload/files", status_code=202)
async def submit_workload_files(caller: CallerDep, files: Many, terms: Terms) -> Response:
    """Accepts several requirements documents at once: a batch, with a task for each."""
    return await _many(caller, SPLIT, files, terms)


async def _one(caller: Caller, task_type: str, given: dict[str, Any], terms: dict[str, Any]) -> Response:
    return await caller.submit(task_type, given, metadata=source(given), **terms)


async def _many(caller: Caller, task_type: str, files: list[UploadFile], terms: dict[str, Any]) -> Response:
    """The batch answers for all: it is told where the answer goes, its members how they are run."""
    kept = [{"file": await caller.upload(file)} for file in files]
    told = {name: terms[name] for name in ("max_retries", "priority")}
    members = [{"task_type": task_type, "input": one, "metadata": source(one), **told} for one in kept]
    return await caller.submit(
        BATCH, {"tasks": members}, metadata={"source": "files"}, deliver=terms["deliver"]
    )


def source(given: dict[str, Any]) -> dict[str, Any]:
    """What a task's metadata say of where its document came from; of a file, its name for lists."""
    return {"source": "file", "name": given["file"]["name"]} if "file" in given else {"source": "text"}
