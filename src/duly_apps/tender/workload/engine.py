"""The offline splitter: rules over the real text, and a range that says what it rests on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from duly_apps.tender.language import language_of

from .estimate import Estimate, estimate, shares
from .kinds import ROLES, TITLES, Kind, kind_of
from .links import linked
from .reading import MOST, Requirement, requirements
from .schema import totals

if TYPE_CHECKING:
    from duly.documents import Document

VERSION = "1"
#: What no split of ours counts, whichever engine made it.
WITHOUT = (
    "不含项目管理、需求变更和采购；一个人天按 8 小时计。",
    "Without project management, changes and purchases; a person-day has 8 hours.",
)
_LIMITS = (
    (
        "未使用语言模型：由规则从原文的列表、表格和“应/须/支持”句中提取；没有写成需求的内容不会出现。",
        "No language model: found by rules in lists, tables and sentences with must; nothing else.",
    ),
    (
        "人天区间是按工作类型给出的经验值，不是贵公司的历史数据；用于讨论的起点，不是报价。",
        "The ranges are usual values for a kind of work, not your own history, and no quotation.",
    ),
    WITHOUT,
)


class OfflineSplitter:
    """Finds requirements by rules, prices them by their kind, and never invents one."""

    engine = "offline"

    async def items(self, document: Document) -> list[dict[str, Any]]:
        """The work items, in the order of the text."""
        return await asyncio.to_thread(_items, document)

    async def link(self, document: Document, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same items with what each waits for."""
        return await asyncio.to_thread(linked, items, language_of(document.text))

    async def summary(self, document: Document, items: list[dict[str, Any]]) -> str:
        """From the numbers, in the document's language."""
        return _summary(items, zh=language_of(document.text) == "zh")

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about."""
        at = 0 if language_of(document.text) == "zh" else 1
        limits = [limit[at] for limit in _LIMITS]
        return {"engine": self.engine, "method": "rules", "version": VERSION, "limits": limits}


def _items(document: Document) -> list[dict[str, Any]]:
    language = language_of(document.text)
    return [_item(n, one, document, language) for n, one in enumerate(requirements(document), start=1)]


def _item(number: int, one: Requirement, document: Document, language: Any) -> dict[str, Any]:
    kind = kind_of(one.title) if kind_of(one.title).name != "other" else kind_of(one.text)
    return told(number, one, kind, estimate(one, kind, language), document)


def told(number: int, one: Requirement, kind: Kind, cost: Estimate, document: Document) -> dict[str, Any]:
    """A work item as JSON, which waits for nothing yet."""
    place = document.place(one.start)
    return {
        "id": f"W{number:03d}",
        "title": one.title,
        "module": one.module,
        "kind": kind.name,
        "estimate": {"low": cost.low, "high": cost.high},
        "basis": cost.basis,
        "roles": shares(kind, cost.low, cost.high),
        "depends_on": [],
        "assumptions": cost.assumptions,
        "quote": document.quote(one.start, one.end),
        "page": place.page,
        "paragraph": place.paragraph,
        "start": one.start,
        "end": one.end,
    }


def _summary(items: list[dict[str, Any]], *, zh: bool) -> str:
    if not items:
        return (
            "未识别到需求：原文没有列表、表格或“应/须/支持”句。"
            if zh
            else "No requirement was recognised in the text."
        )
    whole, at = totals(items), 0 if zh else 1
    kinds: dict[str, int] = {}
    for item in items:
        kinds[item["kind"]] = kinds.get(item["kind"], 0) + 1
    most = sorted(kinds.items(), key=lambda one: -one[1])[:3]
    named = ("、" if zh else ", ").join(f"{TITLES[name][at]} {count}" for name, count in most)
    first = max(whole["roles"], key=lambda share: float(share["high"]))
    low, high, role = f"{whole['low']:.12g}", f"{whole['high']:.12g}", ROLES[first["role"]][at]
    full = len(items) >= MOST
    if zh:
        return (
            f"共拆分出 {len(items)} 个工作项，合计 {low}–{high} 人天；投入最多的是{role}。主要类型：{named}。"
            + (f"只列出前 {MOST} 项。" if full else "")
        )
    return (
        f"{len(items)} work items, {low} to {high} person-days in all; most of it is {role}. Mainly: {named}."
        + (f" Only the first {MOST} are listed." if full else "")
    )
