"""The offline analyser: one function per section, and the shape of what they found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from duly_apps.tender.language import Language, language_of

from .corpus import Corpus, Finding
from .deliverables import deliverables
from .facts import budget, deadlines, project
from .qualification import qualification
from .risks import risks
from .scoring import scoring
from .summary import summary
from .words import LABELS, LIMITS, TITLES, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from duly.documents import Document

VERSION = "2"
_FINDERS: dict[str, Callable[[Corpus], list[Finding]]] = {
    "project": project,
    "budget": budget,
    "deadlines": deadlines,
    "qualification": qualification,
    "scoring": scoring,
    "deliverables": deliverables,
    "risks": risks,
}
# The facts each section answers for: one that is not in the text is listed with the value null.
_EXPECTED = {
    "project": ("name", "number", "purchaser", "agency", "procedure"),
    "budget": ("budget", "ceiling", "bid_bond", "performance_bond"),
    "deadlines": ("bid_deadline", "opening", "documents", "questions", "validity"),
    "qualification": ("requirement", "consortium"),
    "scoring": ("method", "criterion", "total"),
    "deliverables": ("period", "place", "warranty", "payment", "scope"),
    "risks": ("starred", "rejection", "damages", "bid_bond"),
}


class OfflineAnalyser:
    """Rules and statistics over the real text. It never invents: what it does not find is null."""

    engine = "offline"
    sections = tuple(_FINDERS)

    async def section(self, key: str, document: Document) -> dict[str, Any]:
        """One tab: `{"key", "title", "items"}`."""
        return await asyncio.to_thread(_tab, key, document)

    async def summary(self, document: Document, tabs: list[dict[str, Any]]) -> str:
        """Two to five sentences from the tabs."""
        return summary(document, tabs)

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about."""
        limits = [say(limit, language_of(document.text)) for limit in LIMITS]
        return {"engine": self.engine, "method": "rules", "version": VERSION, "limits": limits}


def _tab(key: str, document: Document) -> dict[str, Any]:
    corpus = Corpus(document)
    found = _FINDERS[key](corpus)
    missing = [name for name in _EXPECTED[key] if name not in {finding.key for finding in found}]
    items = [_item(finding, corpus) for finding in found] + [_null(name, corpus.language) for name in missing]
    order = {name: number for number, name in enumerate(_EXPECTED[key])}
    items.sort(key=lambda item: order.get(item["key"], len(order)))
    return {"key": key, "title": say(TITLES[key], corpus.language), "items": items}


def _item(finding: Finding, corpus: Corpus) -> dict[str, Any]:
    place = corpus.document.place(finding.start)
    return {
        "key": finding.key,
        "label": finding.label or say(LABELS[finding.key], corpus.language),
        "value": finding.value,
        "normal": finding.normal,
        "quote": corpus.document.quote(finding.start, finding.end),
        "page": place.page,
        "paragraph": place.paragraph,
        "start": finding.start,
        "end": finding.end,
    }


def _null(key: str, language: Language) -> dict[str, Any]:
    absent = dict.fromkeys(("value", "normal", "quote", "page", "paragraph", "start", "end"))
    return {"key": key, "label": say(LABELS[key], language), **absent}
