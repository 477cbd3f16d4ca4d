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
#: In the whole plan: one with more says nothing to anybody.
MOST_LINKS = 5_000


def linked(items: list[Item], language: Language) -> list[Item]:
    """The items, each with what it waits for."""
    zh = language == "zh"
    plan = _Plan(items)
    for item in items:
        named = _named(items, item)
        plan.add(item["id"], [(other["id"], "stated", _said(other, zh=zh)) for other in named])
    for item in items:
        rules = ((other["id"], "rule", _rule(item, other, zh=zh)) for other in items if other is not item)
        plan.add(item["id"], [rule for rule in rules if rule[2]])
    return [{**item, "depends_on": plan.waits[item["id"]]} for item in items]


class _Plan:
    """Who waits for whom, both ways round."""

    def __init__(self, items: list[Item]) -> None:
        self.waits: dict[str, list[Item]] = {item["id"]: [] for item in items}
        self._waited_for: dict[str, list[str]] = {item["id"]: [] for item in items}
        self._links = 0

    def add(self, id_: str, links: list[tuple[str, str, str]]) -> None:
        """Links of one item, without those that it has, or that would close a circle."""
        closed = self._after(id_) if links else set()
        closed |= {link["id"] for link in self.waits[id_]}
        for to, source, why in links:
            if to not in closed and self._links < MOST_LINKS:
                self.waits[id_].append({"id": to, "source": source, "why": why})
                self._waited_for[to].append(id_)
                self._links += 1

    def _after(self, id_: str) -> set[str]:
        """The item, and all that wait for it, however far around."""
        found, todo = {id_}, [id_]
        while todo:
            new = [one for one in self._waited_for[todo.pop()] if one not in found]
            found.update(new)
            todo += new
        return found


def _named(items: list[Item], item: Item) -> list[Item]:
    """The others whose titles stand in what the item's text says it needs."""
    found = _SAYS.search(item["quote"])
    if found is None:
        return []
    text = item["quote"][found.start() :].lower()
    titles = ((other, other["title"].rstrip("…").lower()) for other in items if other is not item)
    return [other for other, title in titles if len(title) >= _SHORTEST_NAME and title in text]


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
