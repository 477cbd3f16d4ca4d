"""The handler `bidding_analysis`: read, then one remembered step per section, then the summary. Nine steps.

A crash or a retry goes on at the first step without a recorded result. The arguments of a step are JSON and
small (what names the document, not the document), so that comparing them on a replay costs nothing.
"""

import asyncio
from typing import Any

from duly import Context, Fail
from duly.documents import Document, DocumentError, from_text, read

from . import duly
from .analyser import Analyser
from .language import language_of
from .model import chosen

JsonObject = dict[str, Any]


@duly.task("bidding_analysis", timeout=600, max_retries=3)
async def bidding_analysis(
    ctx: Context, text: str | None = None, file: JsonObject | None = None
) -> JsonObject:
    """Analyses one tender, given as `text` or as an uploaded `file`; the README describes the result."""
    if (text is None) == (file is None):
        raise Fail("invalid_input", "Give either text or file.")
    name = file["name"] if file else "text"

    async def read_source() -> JsonObject:
        return (await _read_file(ctx, file) if file else _read_text(text or "")).to_json()

    await ctx.progress(0.02, f"reading {name}")
    document = Document.from_json(await ctx.step("read", read_source))
    await ctx.log("document read", pages=document.pages, characters=len(document.text))
    steps, analyser = chosen(ctx)
    return await analyse(steps, document, name, analyser)


async def analyse(ctx: Context, document: Document, name: str, analyser: Analyser) -> JsonObject:
    """The sections and the summary, each a step; progress names the section and how many facts it gave."""

    async def section(key: str, sha256: str) -> JsonObject:  # noqa: ARG001 - the digest guards a replay
        return await analyser.section(key, document)

    async def summarise(sha256: str) -> str:  # noqa: ARG001
        return await analyser.summary(document, tabs)

    tabs: list[JsonObject] = []
    for number, key in enumerate(analyser.sections, start=1):
        tab = await ctx.step(f"section.{key}", section, key, document.sha256)
        tabs.append(tab)
        found = sum(item["value"] is not None for item in tab["items"])
        await ctx.progress(0.1 + 0.8 * number / len(analyser.sections), f"{tab['title']}: {found}")
    summary = await ctx.step("summary", summarise, document.sha256)
    await ctx.emit(summary)
    about: JsonObject = {
        "name": name,
        "kind": document.kind,
        "sha256": document.sha256,
        "pages": document.pages,
    }
    about |= {"characters": len(document.text), "warnings": list(document.warnings)}
    about["language"] = language_of(document.text)
    return {"summary": summary, "tabs": tabs, **analyser.provenance(document), "document": about}


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
