"""What waits for what: what the text says, and a few rules of the trade. No circle is ever made."""

from __future__ import annotations

import re
from typing import Any

from duly_apps.tender.language import Language

Item = dict[str, Any]

#: Kinds that need data of their module first.
_NEED_DATA = ("report", "search", "workflow", "intelligence", "exchange")
_DATA = ("records", "migration", "integration")
#: Kinds at the end of a project, in this order; each waits for all that stands before.
_LAST = ("acceptance", "deployment", "training")
_SAYS = re.compile(
    r"依赖于?|基于|在(.{2,30}?)(?:完成)?(?:之后|后|基础上)|depends? on|\bafter\b|requires|based on",
    re.IGNORECASE,
)
_SHORTEST_NAME = 4


def linked(items: list[Item], language: Language) -> list[Item]:
    """The items, each with what it waits for."""
    zh = language == "zh"
    waits: dict[str, list[Item]] = {item["id"]: [] for item in items}
    for item in items:
        for other in items:
            if other is not item and _is_named(other, item):
                _add(waits, item, other["id"], "stated", _said(other, zh=zh))
    for item in items:
        for other in items:
            if why := _rule(item, other, zh=zh):
                _add(waits, item, other["id"], "rule", why)
    return [{**item, "depends_on": waits[item["id"]]} for item in items]


def _add(waits: dict[str, list[Item]], item: Item, to: str, source: str, why: str) -> None:
    """A link, unless there is one or it would close a circle."""
    mine = waits[item["id"]]
    if all(link["id"] != to for link in mine) and not _leads(waits, to, item["id"]):
        mine.append({"id": to, "source": source, "why": why})


def _leads(waits: dict[str, list[Item]], begin: str, end: str) -> bool:
    todo, seen = [begin], set()
    while todo:
        one = todo.pop()
        if one == end:
            return True
        if one not in seen:
            seen.add(one)
            todo += [link["id"] for link in waits[one]]
    return False


def _is_named(other: Item, item: Item) -> bool:
    """Whether the item's text says that it needs the other one, by its title."""
    text = item["quote"]
    found = _SAYS.search(text)
    title = other["title"].rstrip("…")
    return (
        found is not None and len(title) >= _SHORTEST_NAME and title.lower() in text[found.start() :].lower()
    )


def _said(other: Item, *, zh: bool) -> str:
    return f"原文提到“{other['title']}”" if zh else f"The text names “{other['title']}”"


def _rule(item: Item, other: Item, *, zh: bool) -> str:
    kind, earlier = item["kind"], other["kind"]
    if kind in _LAST:
        return _at_the_end(kind, earlier, zh=zh)
    if item["module"] is None or item["module"] != other["module"] or earlier in _LAST:
        return ""
    if kind in _NEED_DATA and earlier in _DATA:
        return "同一模块的数据先行" if zh else "The data of its module come first"
    return ""


def _at_the_end(kind: str, earlier: str, *, zh: bool) -> str:
    """Acceptance waits for all that is built, deployment for acceptance, training for deployment."""
    at = _LAST.index(kind)
    if earlier in _LAST:
        before = _LAST.index(earlier) == at - 1
        return ("按交付顺序" if zh else "In the order of delivery") if before else ""
    return ("全部功能完成后进行" if zh else "After all that is built") if at == 0 else ""
