"""From a label to its value: `预算金额：380万元`, the table row `Bid security | USD 24,000`, or a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .corpus import Corpus, Finding, is_heading
from .dates import moments
from .money import amounts, bare

if TYPE_CHECKING:
    from duly.documents import Passage

#: Places of a label that are looked at, a tenth of a millisecond each: nobody names a fact so often.
MOST_PLACES = 1_000
_ANY_MONEY_LABEL = re.compile(
    r"预算|限价|控制价|保证金|押金|budget|maximum price|ceiling|security|bond|guarantee", re.IGNORECASE
)
_BREAK = re.compile(r"[。；;\t]|\.\s|[，\s]\s*(?:联系人|地\s*址|电\s*话|联系方式)\s*[:：]?")
_DURATION = re.compile(
    r"(\d{1,4})\s*(?:个\s*)?(日历[天日]|工作日|[天日月年]|calendar days|working days|days|weeks|months|years)"
)
_LINK = re.compile(
    r"\s*(?:[（(][^）)\t]{0,20}[）)]\s*)?(?:[:：\t]+|(?:is|shall be)\b:?|为(?!准))\s*(?:名\s*称\s*[:：]\s*)?"
)
_CODE = re.compile(r"\s*(?:(?:[:：#\t]++|为|is:?)\s*)?(?P<code>[^\s，。；、,;:：|]*\d[^\s，。；、,;：|]*)")
_ANOTHER_LABEL = re.compile(r"名\s*称|信息|内容|说明|particulars|description", re.IGNORECASE)
_DATE = re.compile(r"\d{4}\s*年(?:\s*\d{1,2}\s*月)?(?:\s*\d{1,2}\s*日)?")
_PERIODS = {
    "工作日": "working_day",
    "working days": "working_day",
    "weeks": "week",
    "月": "month",
    "months": "month",
    "年": "year",
    "years": "year",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value and its bounds in the text that was searched."""

    text: str
    end: int
    normal: Any = None


Parser = Callable[[str], Value | None]


def labelled(corpus: Corpus, key: str, label: str, parse: Parser) -> Finding | None:
    """The first place where `label` is followed by something that `parse` accepts."""
    pattern = re.compile(
        rf"(?<![^\W\d])(?<![《“])(?:{label})" if parse in {phrase, code} else label, re.IGNORECASE
    )
    for passage, match in islice(corpus.matches(pattern), MOST_PLACES):
        found = _value(corpus, passage, match.start(), match.end(), parse)
        below = corpus.following(passage)
        if not found and below and parse in {moment, period} and is_heading(passage.text):
            found = _value(corpus, below, 0, 0, parse)  # 四、投标截止时间, and on the next line the time
        if found:
            value, (start, end) = found
            return Finding(key=key, value=value.text, normal=value.normal, start=start, end=end)
    return None


def _value(
    corpus: Corpus, passage: Passage, start: int, at: int, parse: Parser
) -> tuple[Value, tuple[int, int]] | None:
    value = parse(passage.text[at : at + 600])
    return (value, corpus.sentence(passage, start, at + value.end)) if value else None


def phrase(rest: str) -> Value | None:
    """Words after a colon or in the next cell, up to the end of the clause."""
    match = _LINK.match(rest)
    if not match:
        return None
    text = _BREAK.split(rest[match.end() :], maxsplit=1)[0].strip(" .")
    if _ANOTHER_LABEL.fullmatch(text):  # the head of a column, or of a block whose parts come below
        return None
    if not re.search(r"[^\W_]", text):  # a blank to fill in
        return None
    return Value(text=text, end=rest.index(text, match.end()) + len(text))


def code(rest: str) -> Value | None:
    """A reference number: the next word, which has a digit; the colon may be missing."""
    match = _CODE.match(rest)
    if not match or len(match["code"]) > 60:
        return None
    text = match["code"].rstrip(".)）")
    return Value(text=text, end=match.start("code") + len(text))


def money(rest: str) -> Value | None:
    """The amount that belongs to the label: close by, in its sentence, before any other label of money."""
    unit = re.match(r"\s*[（(][^）)]*(?:元|USD|US\$|EUR|GBP|CNY|RMB|[£€$])\s*[）)]", rest, re.IGNORECASE)
    cell = re.match(r"\s*[（(][^）)]*[）)]\s*[:：\t]\s*([\d,，.]+\d)(?![\d万])", rest)
    if unit and cell and (value := bare(cell.group(1), unit.group())):
        return Value(text=cell.group(1) + unit.group().strip(), end=cell.end(), normal=_money(value))
    for value in amounts(rest[:120]):
        gap = rest[: value.start]
        if len(gap) > 30 or re.search(r"[。；;]|\.\s|的(?!金额)", gap) or _ANY_MONEY_LABEL.search(gap):
            return None
        return Value(text=rest[value.start : value.end], end=value.end, normal=_money(value))
    return None


def moment(rest: str) -> Value | None:
    """The date that belongs to the label; not one in the citation of a law, nor in a later sentence."""
    for value in moments(rest[:140]):
        gap = rest[: value.start]
        if len(gap) > 40 or re.search(r"[。；;《》]|\.\s", gap):
            return None
        zone = re.match(r"\s*[（(][^）)]*(?:时间|time)[）)]|\s*(?:UTC|GMT)\b", rest[value.end :])
        end = value.end + (zone.end() if zone else 0)
        return Value(text=rest[value.start : end].strip(), end=end, normal=value.iso)
    return None


def period(rest: str) -> Value | None:
    """From one date to another."""
    found = list(moments(rest[:120]))[:2]
    if len(found) < 2 or not re.fullmatch(
        r"[^。；]{0,6}?(?:至|到|—|－|-|~|～|to|until)\s*", rest[found[0].end : found[1].start]
    ):
        return None
    if len(rest[: found[0].start]) > 30:
        return None
    text = rest[found[0].start : found[1].end].strip()
    return Value(text=text, end=found[1].end, normal=f"{found[0].iso}/{found[1].iso}")


def duration(rest: str) -> Value | None:
    """A number of days, weeks, months or years near the label, with its clause as the value."""
    match = _DURATION.search(_DATE.sub(lambda date: "-" * len(date.group()), rest[:60]))
    clause = phrase(rest)
    if not match or re.search(r"[。；;]|\.\s", rest[: match.start()]):
        return None
    text, end = (clause.text, clause.end) if clause else (match.group(), match.end())
    return Value(
        text=text, end=end, normal={"number": int(match[1]), "unit": _PERIODS.get(match[2].lower(), "day")}
    )


def term(rest: str) -> Value | None:
    """A duration, or whatever words stand in its place: 自合同签订之日起至2026年12月31日."""
    return duration(rest) or phrase(rest)


def columns(corpus: Corpus, label: re.Pattern[str]) -> Iterator[tuple[str, Passage, list[str], int]]:
    """For each table with a column head that matches: the head, each row below, the column's index.

    A table goes on over the end of a page: what is left of a row cut in two is passed over.
    """
    head: list[str] = []
    index, page = 0, None
    for passage in corpus.passages:
        cells = passage.text.split("\t")
        at = next((n for n, cell in enumerate(cells) if len(cell) <= 24 and label.search(cell)), None)
        if len(cells) > 1 and at is not None and not re.search(r"\d{2}", passage.text):
            head, index, page = cells, at, passage.page
        elif len(cells) == 1 and (passage.page == page or is_heading(passage.text)):
            head = []
        elif len(cells) == len(head) and len(cells) > 1:
            page = passage.page
            yield head[index], passage, cells, index


def column_money(corpus: Corpus, key: str, label: str) -> Finding | None:
    """An amount in a column whose head names it and gives the unit: 预算金额（万元）."""
    for head, passage, cells, index in columns(corpus, re.compile(label, re.IGNORECASE)):
        value = bare(cells[index], head)
        if value:
            unit = re.search(r"[（(]\s*([^）)]*)\s*[）)]", head)
            text = cells[index].strip() + (unit.group(1) if unit else "")
            return Finding(key=key, value=text, normal=_money(value), start=passage.start, end=passage.end)
    return None


def _money(value: Any) -> dict[str, Any]:
    return {"amount": value.amount, "currency": value.currency}
