"""HTTP of the tender desk: submit a text or a file. Everything after that is the common task API."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile

from duly.http import Caller, CallerDep

router = APIRouter(prefix="/api/tasks/bidding", tags=["tender"])

Retries = Annotated[int, Form(ge=0, le=10, description="Retries after the first attempt.")]
CallbackUrl = Annotated[str | None, Form(description="Where the result is posted as a signed webhook.")]


@router.post("/text", status_code=202)
async def submit_text(
    caller: CallerDep,
    text: Annotated[str, Form(min_length=1, description="The tender as plain text.")],
    max_retries: Retries = 3,
    callback_url: CallbackUrl = None,
) -> Response:
    """Accepts a tender as text for analysis."""
    return await _submit(caller, {"text": text}, "text", max_retries, callback_url)


@router.post("/file", status_code=202)
async def submit_file(
    caller: CallerDep,
    file: Annotated[UploadFile, File(description="A PDF, DOCX or plain text file.")],
    max_retries: Retries = 3,
    callback_url: CallbackUrl = None,
) -> Response:
    """Accepts a tender as a file for analysis."""
    return await _submit(caller, {"file": await caller.upload(file)}, "file", max_retries, callback_url)


async def _submit(
    caller: Caller, task_input: dict[str, Any], source: str, max_retries: int, callback_url: str | None
) -> Response:
    deliver = [{"channel": "webhook", "url": callback_url}] if callback_url else []
    return await caller.submit(
        "bidding_analysis", task_input, max_retries=max_retries, metadata={"source": source}, deliver=deliver
    )
