"""Two to five sentences filled from the findings; what was not found is named, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duly_apps.tender.language import Language, language_of

from .words import LABELS, say

if TYPE_CHECKING:
    from duly.documents import Document

_MAIN = ("name", "purchaser", "budget", "bid_deadline", "method")
Values = dict[str, list[dict[str, Any]]]


def summary(document: Document, tabs: list[dict[str, Any]]) -> str:
    """The summary in the document's language."""
    values: Values = {}
    for item in (item for tab in tabs for item in tab["items"] if item["value"] is not None):
        values.setdefault(item["key"], []).append(item)
    language = language_of(document.text)
    write = _chinese if language == "zh" else _english
    lines = [line for line in (*write(values), _missing(values, language)) if line]
    return ("" if language == "zh" else " ").join(lines)


def _chinese(values: Values) -> list[str]:
    name, number, buyer, way = (_first(values, key) for key in ("name", "number", "purchaser", "procedure"))
    subject = f"本项目为{name}" if name else ""
    parts = [
        subject,
        f"项目编号{number}" if number else "",
        f"采购人为{buyer}" if buyer else "",
        f"采购方式为{way}" if way else "",
    ]
    amounts = [_pair(values, key, "zh", "为") for key in ("budget", "ceiling", "bid_bond")]
    times = [_pair(values, key, "zh", "为") for key in ("bid_deadline", "opening", "period")]
    method = _first(values, "method")
    scoring = [f"评标采用{method}" if method else "", _total(values, "zh")]
    risks = _counts(values, "zh")
    return [_sentence(group, "，", "。") for group in (parts, amounts, times, scoring, risks)]


def _english(values: Values) -> list[str]:
    name, number, buyer = (_first(values, key) for key in ("name", "number", "purchaser"))
    parts = [
        f"The tender is for {name}" if name else "",
        f"reference {number}" if number else "",
        f"bought by {buyer}" if buyer else "",
    ]
    amounts = [_pair(values, key, "en", ": ") for key in ("budget", "ceiling", "bid_bond")]
    times = [_pair(values, key, "en", ": ") for key in ("bid_deadline", "opening", "period")]
    method = _first(values, "method")
    scoring = [f"Evaluation by {method}" if method else "", _total(values, "en")]
    risks = _counts(values, "en")
    return [
        _sentence(parts, ", ", "."),
        *(_sentence(group, "; ", ".") for group in (amounts, times, scoring, risks)),
    ]


def _total(values: Values, language: Language) -> str:
    total = values.get("total", [{}])[0].get("normal")
    if not total:
        return ""
    wording = ("评分表共{criteria}项，合计{sum}分", "{criteria} criteria, {sum} points in all")
    return say(wording, language).format(**total)


def _counts(values: Values, language: Language) -> list[str]:
    kinds = [(LABELS[key], len(values[key])) for key in ("starred", "rejection", "damages") if key in values]
    wording = ("{0}{1}处", "{0}: {1}")
    return [say(wording, language).format(say(label, language), number) for label, number in kinds]


def _missing(values: Values, language: Language) -> str:
    names = [say(LABELS[key], language) for key in _MAIN if key not in values]
    if not names:
        return ""
    return f"未识别：{'、'.join(names)}。" if language == "zh" else f"Not found: {', '.join(names)}."


def _first(values: Values, key: str) -> str:
    return str(values[key][0]["value"]) if key in values else ""


def _pair(values: Values, key: str, language: Language, link: str) -> str:
    value = _first(values, key)
    return f"{say(LABELS[key], language)}{link}{value}" if value else ""


def _sentence(parts: list[str], joint: str, stop: str) -> str:
    text = joint.join(part.rstrip("。.；;") for part in parts if part)
    return text + stop if text else ""
