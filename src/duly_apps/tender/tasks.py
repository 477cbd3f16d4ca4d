"""The handler `bidding_analysis`: read, then one remembered step per section, then the summary. Nine steps.

A crash or a retry goes on at the first step without a recorded result. The arguments of a step are JSON and
small (what names the document, not the document), so that comparing them on a replay costs nothing. What is
done streams as lines of JSON: `{"tab": …}` for each section, then `{"summary": …}`.
"""

from typing import Any

from duly import Context
from duly.documents import Document

from . import duly
from .analyser import Analyser
from .model import chosen
from .source import about, document_of, line

JsonObject = dict[str, Any]


@duly.task("bidding_analysis", timeout=3600, max_retries=3)
async def bidding_analysis(
    ctx: Context, text: str | None = None, file: JsonObject | None = None
) -> JsonObject:
    """Analyses one tender, given as `text` or as an uploaded `file`; the README describes the result."""
    document, name = await document_of(ctx, text, file)
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
        await ctx.emit(line(tab=tab))
        found = sum(item["value"] is not None for item in tab["items"])
        await ctx.progress(0.1 + 0.8 * number / len(analyser.sections), f"{tab['title']}: {found}")
    summary = await ctx.step("summary", summarise, document.sha256)
    await ctx.emit(line(summary=summary))
    told = {"summary": summary, "tabs": tabs}
    return {**told, **analyser.provenance(document), "document": about(document, name)}
