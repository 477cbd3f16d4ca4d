"""Sections that are a list of labelled facts: project, budget, deadlines. A fact has a label and a parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .corpus import Corpus, Finding
from .fields import (
    Parser,
    Value,
    code,
    column_money,
    duration,
    labelled,
    moment,
    money,
    period,
    phrase,
)
from .labels import LABELS
from .money import chinese_number
from .prose import buyer, deadline, named_below, procedure

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHARE = re.compile(
    r"[^。；;.]{0,45}?((?:(\d{1,2}(?:\.\d+)?)\s*(?:[%％]|per ?cent)|百分之([一二三四五六七八九十]{1,3}))"
    r"(?: of the [a-z ]*?(?:price|value|sum|amount))?)"
)
_SHARE_FIRST = re.compile(
    r"(?:(\d{1,2}(?:\.\d+)?)\s*[%％]|百分之([一二三四五六七八九十]{1,3}))\s*的?(?=履约(?:保证金|担保))"
)
_TIMES: dict[str, Parser] = {
    "bid_deadline": moment,
    "opening": moment,
    "documents": period,
    "questions": moment,
    "validity": duration,
}


def project(corpus: Corpus) -> list[Finding]:
    """What it is, who buys, and how."""
    return _found(
        (
            labelled(corpus, "name", LABELS["name"], phrase),
            labelled(corpus, "number", LABELS["number"], code),
            labelled(corpus, "purchaser", LABELS["purchaser"], phrase)
            or named_below(corpus, "purchaser")
            or buyer(corpus),
            labelled(corpus, "agency", LABELS["agency"], phrase) or named_below(corpus, "agency"),
            labelled(corpus, "procedure", LABELS["procedure"], phrase) or procedure(corpus),
        )
    )


def budget(corpus: Corpus) -> list[Finding]:
    """The amounts, each under its own name."""
    found = [_amount(corpus, key) for key in ("budget", "ceiling", "bid_bond", "performance_bond")]
    if found[-1] is None:  # a performance bond is often a share of the contract price
        share = labelled(corpus, "performance_bond", LABELS["performance_bond"], _share)
        found[-1] = share or _share_first(corpus)
    return _found(found)


def deadlines(corpus: Corpus) -> list[Finding]:
    """When."""
    found = {key: labelled(corpus, key, LABELS[key], parse) for key, parse in _TIMES.items()}
    found["bid_deadline"] = found["bid_deadline"] or deadline(corpus)
    return _found(found.values())


def _amount(corpus: Corpus, key: str) -> Finding | None:
    return labelled(corpus, key, LABELS[key], money) or column_money(corpus, key, LABELS[key])


def _share(rest: str) -> Value | None:
    match = _SHARE.match(rest)
    if not match:
        return None
    percent = {"percent": _percent(match.group(2), match.group(3))}
    clause = phrase(rest)
    if clause:
        return Value(text=clause.text, end=max(clause.end, match.end()), normal=percent)
    return Value(text=match.group(1), end=match.end(), normal=percent)


def _share_first(corpus: Corpus) -> Finding | None:
    for passage, match in corpus.matches(_SHARE_FIRST):
        start, end = corpus.sentence(passage, match.start(), match.end())
        percent = {"percent": _percent(match.group(1), match.group(2))}
        return Finding(key="performance_bond", value=match.group(), normal=percent, start=start, end=end)
    return None


def _percent(digits: str | None, words: str | None) -> float:
    return float(digits or chinese_number(words or ""))


def _found(found: Iterable[Finding | None]) -> list[Finding]:
    return [finding for finding in found if finding]
