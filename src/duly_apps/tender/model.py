"""The analyser that asks a language model: section by section, over a few parts of the document at once.

Each call is a remembered step: a crash costs the one call that was under way. What the model says counts only
where its quote is really in that part; page and offsets come from the document, never from the model.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from duly import Context, Fail
from duly.documents import split
from duly.llm.prompts import Prompt

from .analyser import Analyser
from .language import Language, language_of
from .offline.engine import OfflineAnalyser
from .offline.words import LABELS, TITLES, say
from .parts import each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duly.documents import Chunk, Document

VERSION = "1"
#: `model`, or `offline` (the default); and which model, if not whichever the router chooses.
ENGINE_ENV, MODEL_ENV = "TENDER_ENGINE", "TENDER_MODEL"
#: Characters of a part, and of the shortest quote that is believed, without spaces.
PART, SHORTEST = 6000, 4
#: Facts of one key, and characters of each, that the summary is written from.
MOST_SUMMED, LONGEST_SUMMED = 8, 200
#: What a section may find; what stands before None and was not found is listed with the value null.
KEYS: dict[str, tuple[str | None, ...]] = {
    "project": ("name", "number", "purchaser", "agency", "procedure"),
    "budget": ("budget", "ceiling", "bid_bond", "performance_bond"),
    "deadlines": ("bid_deadline", "opening", "documents", "questions", "validity"),
    "qualification": ("requirement", "consortium"),
    "scoring": ("method", "criterion", "total"),
    "deliverables": ("period", "place", "warranty", "payment", "scope", None, "item"),
    "risks": ("starred", "rejection", "damages", "bid_bond", None, "forfeit", "termination"),
}
#: Of these a document has many; of all others the first is the one.
MANY = frozenset({"requirement", "criterion", "scope", "item", "starred", "rejection", "damages"})
NAMES = {"zh": "Chinese", "en": "English"}
PROMPTS = Path(__file__).parent / "prompts"
SECTION, SUMMARY = Prompt.load(PROMPTS / "section.md"), Prompt.load(PROMPTS / "summary.md")
_LIMITS = (
    (
        "由语言模型提取；每条引文均已在原文中逐字核对，对不上的 {count} 条已丢弃。",
        "Found by a language model; each quote was checked against the document, {count} were dropped.",
    ),
    (
        "模型可能遗漏或误解条款，投标前请核对原文。",
        "It may miss or misread clauses: check against the original.",
    ),
)


class Fact(BaseModel):
    """What a model says that a part states."""

    key: str
    value: str = Field(min_length=1, max_length=2000)
    quote: str = Field(min_length=1, max_length=2000)


class Facts(BaseModel):
    """All of one part."""

    facts: list[Fact] = Field(max_length=200)


class Passing:
    """A context whose steps are the engine's own: `step` runs, and what asks the model remembers."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def step(self, name: str, fn: Callable[..., Awaitable[Any]], /, *args: Any) -> Awaitable[Any]:
        """Runs it."""
        del name
        return fn(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


def chosen(ctx: Context) -> tuple[Any, Analyser]:
    """The context and the engine that the environment asks for."""
    return (Passing(ctx), ModelAnalyser(ctx)) if wants_model() else (ctx, OfflineAnalyser())


def wants_model() -> bool:
    """Whether the environment asks for a model.

    Raises:
        Fail: it asks for something that there is not.
    """
    engine = os.environ.get(ENGINE_ENV, "offline")
    if engine not in ("offline", "model"):
        raise Fail("unknown_engine", f"{ENGINE_ENV} is offline or model, not {engine!r}")
    return engine == "model"


class ModelAnalyser:
    """A model's findings, held against the text."""

    engine = "model"
    sections = tuple(KEYS)

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._model = os.environ.get(MODEL_ENV, "")
        self._dropped = 0
        self._models: set[str] = set()

    async def section(self, key: str, document: Document) -> dict[str, Any]:
        """One tab: what each part states, in the order of the document, each fact once."""
        language = language_of(document.text)
        chunks = split(document, PART)
        known = [name for name in KEYS[key] if name is not None]

        async def ask(number: int, chunk: Chunk) -> list[dict[str, Any]]:
            said = SECTION.render(
                keys=", ".join(known),
                language=NAMES[language],
                section=key,
                part=number,
                parts=len(chunks),
                text=chunk.text,
            )
            chat = await self._ctx.llm.chat(
                "part", said, model=self._model, schema=Facts, key=f"{key}.{number}"
            )
            self._models.add(f"{chat.provider}/{chat.model}")
            return self._held(chat.value.facts, chunk, document, known)

        found = [item for items in await each(ask, chunks) for item in items]
        return {"key": key, "title": say(TITLES[key], language), "items": _items(key, found, language)}

    def _held(
        self, facts: list[Fact], chunk: Chunk, document: Document, known: list[str]
    ) -> list[dict[str, Any]]:
        """Those facts whose quotes are there."""
        items = []
        for fact in facts:
            span = place(fact.quote, chunk.text)
            if span is None or fact.key not in known:
                self._dropped += 1
                continue
            items.append(_item(fact, chunk.start + span[0], chunk.start + span[1], document))
        return items

    async def summary(self, document: Document, tabs: list[dict[str, Any]]) -> str:
        """Two to five sentences from what was found."""
        facts = [fact for tab in tabs for fact in summed(tab)]
        said = SUMMARY.render(
            language=NAMES[language_of(document.text)], facts=json.dumps(facts, ensure_ascii=False)
        )
        return (await self._ctx.llm.chat("summary", said, model=self._model)).text.strip()

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about: by which models, with which prompts, and what was not believed."""
        language = language_of(document.text)
        return {
            "engine": self.engine,
            "method": "llm",
            "version": VERSION,
            "models": sorted(self._models),
            "prompts": [SECTION.name, SUMMARY.name],
            "dropped": self._dropped,
            "limits": [say(limit, language).format(count=self._dropped) for limit in _LIMITS],
        }


def summed(tab: dict[str, Any]) -> list[dict[str, Any]]:
    """What the summary is told of a tab: the first of each key, cut to a length that fits any model."""
    facts, seen = [], Counter[str]()
    for item in tab["items"]:
        seen[item["key"]] += item["value"] is not None
        if item["value"] is not None and seen[item["key"]] <= MOST_SUMMED:
            facts.append({"section": tab["key"], "key": item["key"], "value": item["value"][:LONGEST_SUMMED]})
    return facts


def place(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quote stands in a text, whatever spaces a model made of line ends; None: it is not there, or so
    short that it would be anywhere."""
    letters = "".join(quote.split())
    if len(letters) < SHORTEST:
        return None
    match = re.search(r"\s*".join(map(re.escape, letters)), text)
    return match.span() if match else None


def _item(fact: Fact, start: int, end: int, document: Document) -> dict[str, Any]:
    where = document.place(start)
    return {
        "key": fact.key,
        "value": fact.value,
        "normal": None,
        "quote": document.quote(start, end),
        "page": where.page,
        "paragraph": where.paragraph,
        "start": start,
        "end": end,
    }


def _items(key: str, found: list[dict[str, Any]], language: Language) -> list[dict[str, Any]]:
    """Sorted as the section lists its keys, each fact once, with null for what was expected and not found."""
    names = KEYS[key]
    expected = names[: names.index(None)] if None in names else names
    absent = dict.fromkeys(("value", "normal", "quote", "page", "paragraph", "start", "end"))
    items: list[dict[str, Any]] = []
    for name in (name for name in names if name is not None):
        those = {item["value"]: item for item in reversed(found) if item["key"] == name}
        ordered = sorted(those.values(), key=lambda item: item["start"])
        some = ordered if name in MANY else ordered[:1]
        if not some and name in expected:
            some = [{"key": name, **absent}]
        items += [{**item, "label": say(LABELS[name], language)} for item in some]
    return items
