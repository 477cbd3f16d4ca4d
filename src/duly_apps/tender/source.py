"""The document of a task, given as `text` or as an uploaded `file`: read once, in a step."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from duly import Context, Fail
from duly.documents import Document, DocumentError, from_text, read

from .language import language_of

JsonObject = dict[str, Any]


async def document_of(ctx: Context, text: str | None, file: JsonObject | None) -> tuple[Document, str]:
    """The document and its name.

    Raises:
        Fail: there is none, or it cannot be read; the code says why.
    """
    if (text is None) == (file is None):
        raise Fail("invalid_input", "Give either text or file.")
    name = str(file["name"]) if file else "text"

    async def read_source() -> JsonObject:
        return (await _read_file(ctx, file) if file else _read_text(text or "")).to_json()

    await ctx.progress(0.02, f"reading {name}")
    document = Document.from_json(await ctx.step("read", read_source))
    await ctx.log("document read", pages=document.pages, characters=len(document.text))
    return document, name


def about(document: Document, name: str) -> JsonObject:
    """What a result says of its document."""
    return {
        "name": name,
        "kind": document.kind,
        "sha256": document.sha256,
        "pages": document.pages,
        "characters": len(document.text),
        "warnings": list(document.warnings),
        "language": language_of(document.text),
    }


def line(**said: Any) -> str:
    """A line of the partial output: JSON, so that a page can show what is there already.

    It begins a line of its own, for a model's text may stream before it.
    """
    return f"\n{json.dumps(said, ensure_ascii=False)}\n"


async def _read_file(ctx: Context, file: JsonObject) -> Document:
    data = await ctx.blob(file["blob"])
    try:
        return await asyncio.to_thread(read, data, file["name"])
    except DocumentError as error:
        raise Fail(error.code, error.message) from error


def _read_text(text: str) -> Document:
    try:
        return from_text(text)
    except DocumentError as error:
        raise Fail(error.code, error.message) from error
