"""The handler `workload_split`: read, find the work, link it, sum it up. Four remembered steps; with a model
one call for each part instead of the last three."""

from typing import Any

from duly import Context, Fail
from duly.documents import Document

from . import duly
from .source import about, document_of, line
from .workload.model import chosen
from .workload.schema import checked, totals
from .workload.splitter import Splitter

JsonObject = dict[str, Any]


@duly.task("workload_split", timeout=3600, max_retries=3)
async def workload_split(ctx: Context, text: str | None = None, file: JsonObject | None = None) -> JsonObject:
    """Splits requirements, given as `text` or as an uploaded `file`, into work; see the README."""
    document, name = await document_of(ctx, text, file)
    steps, splitter = chosen(ctx)
    return await split(steps, document, name, splitter)


async def split(ctx: Context, document: Document, name: str, splitter: Splitter) -> JsonObject:
    """The items, their links and the summary, each a step; what an engine answers is checked."""

    async def find(sha256: str) -> list[JsonObject]:  # noqa: ARG001 - the digest guards a replay
        return _whole(await splitter.items(document))

    async def link(sha256: str) -> list[JsonObject]:  # noqa: ARG001
        return _whole(await splitter.link(document, found))

    async def summarise(sha256: str) -> str:  # noqa: ARG001
        return await splitter.summary(document, items)

    found = await ctx.step("items", find, document.sha256)
    await ctx.progress(0.6, f"items: {len(found)}")
    items = await ctx.step("links", link, document.sha256)
    await ctx.progress(0.8, f"links: {sum(len(item['depends_on']) for item in items)}")
    await ctx.emit(line(items=items))
    summary = await ctx.step("summary", summarise, document.sha256)
    await ctx.emit(line(summary=summary))
    told = {"items": items, "totals": totals(items)}
    return {"summary": summary, **told, **splitter.provenance(document), "document": about(document, name)}


def _whole(items: list[JsonObject]) -> list[JsonObject]:
    try:
        return checked(items)
    except ValueError as error:
        raise Fail("bad_split", f"The engine's answer is not a split: {error}") from error
