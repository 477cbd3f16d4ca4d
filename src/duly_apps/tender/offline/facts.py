"""Sections that are a list of labelled facts: project, budget, deadlines. A fact has a label and a parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .fields import Parser, Value, column_money, duration, labelled, moment, money, period, phrase
from .labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .corpus import Corpus, Finding

_SHARE = re.compile(
    r"[^。；;.]{0,30}?((\d{1,2}(?:\.\d+)?)\s*[%％](?: of the [a-z ]*?(?:price|value|sum|amount))?)"
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
    keys = ("name", "number", "purchaser", "agency", "procedure")
    return _found(labelled(corpus, key, LABELS[key], phrase) for key in keys)


def budget(corpus: Corpus) -> list[Finding]:
    """The amounts, each under its own name."""
    found = [_amount(corpus, key) for key in ("budget", "ceiling", "bid_bond", "performance_bond")]
    if found[-1] is None:  # a performance bond is often a share of the contract price
        found[-1] = labelled(corpus, "performance_bond", LABELS["performance_bond"], _share)
    return _found(found)


def deadlines(corpus: Corpus) -> list[Finding]:
    """When."""
    return _found(labelled(corpus, key, LABELS[key], parse) for key, parse in _TIMES.items())


def _amount(corpus: Corpus, key: str) -> Finding | None:
    return labelled(corpus, key, LABELS[key], money) or column_money(corpus, key, LABELS[key])


def _share(rest: str) -> Value | None:
    match = _SHARE.match(rest)
    if not match:
        return None
    percent = {"percent": float(match.group(2))}
    clause = phrase(rest)
    if clause:
        return Value(text=clause.text, end=max(clause.end, match.end()), normal=percent)
    return Value(text=match.group(1), end=match.end(), normal=percent)


def _found(found: Iterable[Finding | None]) -> list[Finding]:
    return [finding for finding in found if finding]
