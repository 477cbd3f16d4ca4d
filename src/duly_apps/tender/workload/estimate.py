"""What a requirement costs: the document's own effort, or the kind's range by what the text counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from duly_apps.tender.language import Language

from .kinds import Kind
from .reading import EFFORT, RANGE, Requirement
from .schema import ITEM_DAYS

#: The tenth of a kind costs less than the first.
LEARNING = 0.85
MOST_UNITS = 200
MONTH_DAYS = 21.75
_NUMBER_ONLY = re.compile(RANGE + r"(?=\s|$)")
_HARD = re.compile(
    r"复杂|实时|高并发|多级|自定义|可配置|跨系统|complex|real[- ]time|configurable|custom", re.IGNORECASE
)
_EASY = re.compile(r"简单|基本|简易|\bsimple\b|\bbasic\b", re.IGNORECASE)
_OPEN_END = re.compile(
    r"等(?:功能|内容|信息|操作|$|[。；;，,）)])|\betc\b|and so on|\bincluding but not limited", re.IGNORECASE
)
_FIGURE = re.compile(r"\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Person-days, where they come from, and what was taken for granted."""

    low: float
    high: float
    basis: str
    assumptions: list[str]


def estimate(one: Requirement, kind: Kind, language: Language) -> Estimate:
    """The range of a requirement."""
    zh = language == "zh"
    stated = _stated(one)
    if stated and stated[1] <= ITEM_DAYS:
        low, high = stated
        note = "工作量取自原文，未复核。" if zh else "The effort is the document's own, not checked."
        return Estimate(low=low, high=high, basis="stated", assumptions=[note])
    count, parts = _count(one.text, kind), _parts(one.text)
    scale = count**LEARNING * min(1 + 0.12 * max(parts - 2, 0), 2.0)
    low, high = kind.low * scale, kind.high * scale
    if _HARD.search(one.text):
        low, high = low * 1.1, high * 1.4
    elif _EASY.search(one.text):
        low, high = low * 0.7, high * 0.8
    return Estimate(
        low=half_days(low),
        high=half_days(high),
        basis="rule",
        assumptions=[*beyond(one, language), *_assumptions(one.text, kind, count, zh)],
    )


def beyond(one: Requirement, language: Language) -> list[str]:
    """The note that an effort which the document gives is too large to be one item's; most have none."""
    stated = _stated(one)
    if stated is None or stated[1] <= ITEM_DAYS:
        return []
    days = f"{stated[1]:,.0f}"
    if language == "zh":
        return [f"原文工作量合 {days} 人天，超过单项上限 {ITEM_DAYS:,} 人天，未采用，请核对。"]
    return [
        f"The document's effort, {days} person-days, is over the limit of an item, {ITEM_DAYS:,}: not taken."
    ]


def shares(kind: Kind, low: float, high: float) -> list[dict[str, Any]]:
    """Who does how much of it."""
    return [
        {"role": role, "low": round(low * share, 2), "high": round(high * share, 2)}
        for role, share in kind.roles.items()
    ]


def half_days(days: float) -> float:
    """To half a day, at least half a day: more would look like knowledge."""
    return max(0.5, round(days * 2) / 2)


def _stated(one: Requirement) -> tuple[float, float] | None:
    match = EFFORT.search(one.effort) or EFFORT.search(one.text)
    if match is None and one.effort and (match := _NUMBER_ONLY.match(one.effort)):
        unit = MONTH_DAYS if re.search(r"人[·.]?月|month", one.effort, re.IGNORECASE) else 1.0
    elif match is None:
        return None
    else:
        unit = MONTH_DAYS if re.search(r"月|month", match[3], re.IGNORECASE) else 1.0
    low, high = (float(re.sub("[,，]", "", days)) * unit for days in (match[1], match[2] or match[1]))
    return (round(low, 2), round(high, 2)) if 0 < low <= high else None


def _count(text: str, kind: Kind) -> int:
    """How many of the thing: 12 个接口, 3 reports; 1 when the text does not say."""
    if not kind.units:
        return 1
    match = re.search(rf"(\d{{1,3}})\s*(?:{kind.units})", text, re.IGNORECASE)
    return max(1, min(int(match[1]), MOST_UNITS)) if match else 1


def _parts(text: str) -> int:
    """How many things a list in the sentence names."""
    return 1 + len(re.findall(r"、|，|,\s|/| and |以及|及|和", text))


def _assumptions(text: str, kind: Kind, count: int, zh: bool) -> list[str]:
    notes: list[str] = []
    if kind.units and count == 1 and not re.search(rf"\d\s*(?:{kind.units})", text, re.IGNORECASE):
        notes.append("原文未写明数量，按 1 项估算。" if zh else "The text gives no number: counted as one.")
    if _OPEN_END.search(text):
        notes.append(
            "原文以“等”结尾，只计列出的部分。" if zh else "The list is open: only what it names is counted."
        )
    if kind.name in ("performance", "security") and not _FIGURE.search(text):
        notes.append("原文没有指标，按常见要求估算。" if zh else "No figure is given: the usual is assumed.")
    if kind.name == "integration":
        notes.append(
            "对方系统的接口文档与测试环境按时提供。"
            if zh
            else "The other side's documents and test system come in time."
        )
    if kind.name == "migration":
        notes.append("源数据可导出，质量可用。" if zh else "The old data can be exported and is usable.")
    return notes
