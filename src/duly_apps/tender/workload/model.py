"""The splitter that asks a language model for the work in each part of a document, a remembered call each.

An item counts only where its quote is really in that part. Who does how much, what waits for what, and the
sums stay with the rules: a model adds badly, and makes circles.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from duly import Context
from duly.documents import split
from duly.llm.prompts import Prompt
from duly_apps.tender import model as analysis
from duly_apps.tender.language import language_of
from duly_apps.tender.parts import each

from .engine import WITHOUT, OfflineSplitter, told
from .estimate import beyond, estimate, half_days
from .kinds import KINDS, OTHER
from .reading import MOST, Requirement
from .splitter import Splitter

if TYPE_CHECKING:
    from duly.documents import Chunk, Document

VERSION = "1"
#: Person-days of one item that are believed.
MOST_DAYS = 500.0
WORK = Prompt.load(analysis.PROMPTS / "work.md")
_KINDS = {kind.name: kind for kind in (*KINDS, OTHER)}
_LIMITS = (
    (
        "由语言模型拆分；每条引文均已在原文中逐字核对，对不上的 {count} 条已丢弃。",
        "Found by a language model; each quote was checked against the document, {count} were dropped.",
    ),
    (
        "人天区间是模型的估计，不是贵公司的历史数据；分工、依赖关系与合计由规则得出。",
        "The ranges are the model's estimate, not your own history; roles, links and sums are by rules.",
    ),
    WITHOUT,
)


class Work(BaseModel):
    """A piece of work, as a model says it."""

    title: str = Field(min_length=1, max_length=120)
    module: str | None = Field(None, max_length=120)
    kind: str = Field(max_length=40)
    low: float = Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)
    high: float = Field(ge=0, le=MOST_DAYS, allow_inf_nan=False)
    quote: str = Field(min_length=1, max_length=2000)
    assumptions: list[str] = Field(default_factory=list, max_length=20)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        return kind if kind in _KINDS else OTHER.name

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Works(BaseModel):
    """All of one part."""

    items: list[Work] = Field(max_length=MOST)


def chosen(ctx: Context) -> tuple[Any, Splitter]:
    """The context and the splitter that the environment asks for."""
    if analysis.wants_model():
        return analysis.Passing(ctx), ModelSplitter(ctx)
    return ctx, OfflineSplitter()


class ModelSplitter:
    """A model's items, held against the text."""

    engine = "model"

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._rules = OfflineSplitter()
        self._model = os.environ.get(analysis.MODEL_ENV, "")
        self._dropped = 0
        self._models: set[str] = set()

    async def items(self, document: Document) -> list[dict[str, Any]]:
        """What each part asks for, in the order of the text; the same words twice are one item."""
        chunks = split(document, analysis.PART)
        found: dict[tuple[int, int], tuple[Work, Requirement]] = {}

        async def ask(number: int, chunk: Chunk) -> list[Work]:
            return await self._part(number, len(chunks), chunk, document)

        for chunk, works in zip(chunks, await each(ask, chunks), strict=True):
            for work in works:
                one = _requirement(work, chunk, document)
                if one is None:
                    self._dropped += 1
                else:
                    found.setdefault((one.start, one.end), (work, one))
        ordered = [found[place] for place in sorted(found)][:MOST]
        return await asyncio.to_thread(_items, ordered, document)

    async def _part(self, number: int, parts: int, chunk: Chunk, document: Document) -> list[Work]:
        said = WORK.render(
            kinds=", ".join(_KINDS),
            language=analysis.NAMES[language_of(document.text)],
            part=number,
            parts=parts,
            text=chunk.text,
        )
        chat = await self._ctx.llm.chat("work", said, model=self._model, schema=Works, key=str(number))
        self._models.add(f"{chat.provider}/{chat.model}")
        works: list[Work] = chat.value.items
        return works

    async def link(self, document: Document, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same items with what each waits for, by the rules."""
        return await self._rules.link(document, items)

    async def summary(self, document: Document, items: list[dict[str, Any]]) -> str:
        """From the numbers, in the document's language."""
        return await self._rules.summary(document, items)

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about: by which models, with which prompt, and what was not believed."""
        at = 0 if language_of(document.text) == "zh" else 1
        return {
            "engine": self.engine,
            "method": "llm",
            "version": VERSION,
            "models": sorted(self._models),
            "prompts": [WORK.name],
            "dropped": self._dropped,
            "limits": [limit[at].format(count=self._dropped) for limit in _LIMITS],
        }


def _requirement(work: Work, chunk: Chunk, document: Document) -> Requirement | None:
    """What is asked for, where its quote stands; None: it stands nowhere in that part."""
    span = analysis.place(work.quote, chunk.text)
    if span is None:
        return None
    start, end = chunk.start + span[0], chunk.start + span[1]
    text = document.quote(start, end)
    return Requirement(title=work.title, text=text, module=work.module, start=start, end=end)


def _items(found: list[tuple[Work, Requirement]], document: Document) -> list[dict[str, Any]]:
    language = language_of(document.text)
    items = []
    for number, (work, one) in enumerate(found, 1):
        kind = _KINDS[work.kind]
        cost = estimate(one, kind, language)
        if cost.basis != "stated":  # what the document says itself is known better than by any model
            low, high = half_days(work.low), half_days(work.high)
            notes = [*beyond(one, language), *work.assumptions]
            cost = replace(cost, low=low, high=high, basis="model", assumptions=notes)
        items.append(told(number, one, kind, cost, document))
    return items
