"""Finds the requirements of a document: lines of a list, rows of a table, sentences that say what must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duly_apps.tender.lines import lines

from .kinds import KINDS

if TYPE_CHECKING:
    from duly.documents import Document, Passage

MOST = 400
SHORTEST, LONGEST, TITLE, MODULE = 4, 600, 60, 120
#: 15, 12000, 1,200.5; the whole of it, for the end of a number is another.
_DAYS = r"(?:\d{1,3}(?:[,，]\d{3})+|\d{1,9})(?:\.\d{1,2})?"
RANGE = rf"(?<![\d.])(?<!\d[,，])({_DAYS})(?:\s*(?:-|~|～|–|至|to)\s*({_DAYS}))?"
#: An effort that the text gives: 15人天, 10-15 person-days.
EFFORT = re.compile(
    RANGE + r"\s*"
    r"(人[·.]?天|人[·.]?日|人[·.]?月|person[- ]?days?|man[- ]?days?|person[- ]?months?|man[- ]?months?)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<!\s)\s*(?:[★▲☆△]\s*)?(?:[（(]\s*(?:\d{1,2}|[一二三四五六七八九十]{1,3}"
    r"|[a-z])\s*[）)]|第?[一二三四五六七八九十]{1,3}[、.．章节]"
    r"|\d{1,2}(?:[.．]\d{1,2}){0,4}\s*[、.．)）]?(?=\s"
    r"|[^\d\s:：年月日%元万])|[-*•●◆▪·○]|#{1,6}|REQ[-_ ]?\d+[:：.]?)\s*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(?:第?[一二三四五六七八九十]{1,3}[、.．章节]|\d{1,2}(?:[.．]\d{1,2}){0,3}[、.．]?\s|#{1,6}\s)"
)
_MUST = re.compile(
    r"支持|实现|提供|应当|应能|应具|须|需要|需支持|能够|可以|完成|负责|^(?:建设|建成|开发|新增)"
    r"|\bshall\b|\bmust\b|\bshould\b|\bsupports?\b|\bprovides?\b"
    r"|\ballows?\b|\benables?\b|\bcan\b|\bimplement",
    re.IGNORECASE,
)
#: Lines of a tender that ask for no work of a builder.
_NOT_WORK = re.compile(
    r"\.{5,}|…{3,}|^项目名称|^采购内容|甲方|乙方|中标|合同|投标文件|商业信誉|争议|投标人|供应商须|保证金"
    r"|营业执照|资质|法定代表人|评标|开标|报价|付款|违约|质保期|联系人|电话|地址[:：]"
    r"|\bbidders?\b|\btenderers?\b|\bbid (?:bond|security)\b"
    r"|\bpayment\b|\bliquidated\b|\bcontact\b|\bdeadline\b",
    re.IGNORECASE,
)
#: A line or a cell that sums up others: 合计：120人天.
_TOTAL = re.compile(
    r"(?:[合小总共]\s?计|(?:grand |sub[- ]?)?totals?|sum)(?:\s*[（(][^）)]{0,20}[）)])?"
    rf"(?:\s*[:：])?(?:\s*(?:约|为|about|is))?\s*(?:{EFFORT.pattern}|[\d.,，]*$)",
    re.IGNORECASE,
)
_NAME_HEAD = re.compile(
    r"功能(?:点|名称|项)?$|需求(?:名称|项)?$|^名称$|feature|function|requirement|^item$|^task$|title",
    re.IGNORECASE,
)
_TEXTS = "描述|说明|内容|要求|description|detail|remark"
_TEXT_HEAD = re.compile(_TEXTS, re.IGNORECASE)
_MODULE_HEAD = re.compile(
    rf"^(?!.*(?:{_TEXTS})).*(?:模块|子系统|分类|module|subsystem|category|epic)", re.IGNORECASE
)
_EFFORT_HEAD = re.compile(r"工作量|工时|人天|人月|effort|person[- ]?days?|man[- ]?days?", re.IGNORECASE)
#: Headings under which each line that names a kind of work is one.
_SCOPE = re.compile(
    r"需求|功能|实施|范围|模块|工作内容|requirement|scope|feature|function|deliverable|module", re.IGNORECASE
)
_MODULE_LINE = re.compile(r"^(?:模块|子系统|module|subsystem|epic)\s*[:：]\s*(.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What is asked for, and where; `effort` is what a table's column of efforts says."""

    title: str
    text: str
    module: str | None
    start: int
    end: int
    effort: str = ""


def requirements(document: Document) -> list[Requirement]:
    """In the order of the text, at most `MOST`; the same line twice is one."""
    found: list[Requirement] = []
    seen: set[str] = set()
    for one in _all(document):
        mark = re.sub(r"\W", "", one.text).lower()
        if mark not in seen and len(found) < MOST:
            seen.add(mark)
            found.append(one)
    return found


def _all(document: Document) -> Iterator[Requirement]:
    module: str | None = None
    head: list[str] = []
    scope = False
    passages = lines(document)
    modules = _modules(passages)
    for passage in passages:
        cells = passage.text.split("\t")
        if len(cells) > 1:
            if _is_head(cells):
                head = cells
            elif head and len(cells) == len(head) and (row := _row(passage, cells, head, module)):
                yield row
            continue
        head = []
        if passage.start in modules:
            module, scope = modules[passage.start], _SCOPE.search(passage.text) is not None
        elif one := _line(passage, module, scope=scope):
            yield one


def _is_head(cells: list[str]) -> bool:
    return any(_NAME_HEAD.search(cell.strip()) for cell in cells) and not any(
        len(cell) > 24 for cell in cells
    )


def _row(passage: Passage, cells: list[str], head: list[str], module: str | None) -> Requirement | None:
    def under(pattern: re.Pattern[str]) -> str:
        return next((cells[at].strip() for at, one in enumerate(head) if pattern.search(one.strip())), "")

    title = under(_NAME_HEAD) or under(_TEXT_HEAD)
    if len(title) < 2 or _NOT_WORK.search(title) or any(_TOTAL.match(cell.strip()) for cell in cells):
        return None
    return Requirement(
        title=_short(title),
        text=" ".join(cell.strip() for cell in cells),
        module=_cut(under(_MODULE_HEAD), MODULE) or module,
        start=passage.start,
        end=passage.end,
        effort=f"{under(_EFFORT_HEAD)} {_unit(head)}".strip() if under(_EFFORT_HEAD) else "",
    )


def _unit(head: list[str]) -> str:
    """The unit of a column of efforts that gives it in its head: 工作量（人天）."""
    return next((one for one in head if _EFFORT_HEAD.search(one)), "")


def _modules(passages: Sequence[Passage]) -> dict[int, str]:
    """The headings that begin a part, by their offsets: not one of a list, whose neighbour looks like it."""
    named = [(_module(one.text), _shape(one.text)) for one in passages]
    found: dict[int, str] = {}
    for at, (name, shape) in enumerate(named):
        beside = [named[n] for n in (at - 1, at + 1) if 0 <= n < len(named)]
        listed = shape != "" and any(other and shape == its for other, its in beside)
        if name and not listed and (at + 1 < len(named) or shape == ""):
            found[passages[at].start] = name
    return found


def _shape(text: str) -> str:
    """What the number of a line looks like, whatever the number: `1.` of `3.`; empty without one."""
    lead = _NUMBER.match(text)
    return re.sub(r"\d+|[一二三四五六七八九十]+", "1", lead.group().strip()) if lead else ""


def _module(text: str) -> str | None:
    """The name of the part that follows, if this line is its heading."""
    line = text.strip()
    if match := _MODULE_LINE.match(line):
        return _cut(match[1].strip(), MODULE) or None
    if len(line) > 40 or not _HEADING.match(line) or re.search(r"[。；;:：，,]|\.$", line):
        return None
    name = _NUMBER.sub("", line, count=1).strip()
    return name if len(name) > 1 and not _MUST.search(name) else None


def _line(passage: Passage, module: str | None, *, scope: bool) -> Requirement | None:
    text = passage.text
    lead = _NUMBER.match(text)
    body = text[lead.end() :] if lead else text
    stripped = body.strip()
    if not SHORTEST <= len(stripped) <= LONGEST or _NOT_WORK.search(stripped):
        return None
    if _TOTAL.match(stripped):
        return None
    named = any(kind.words.search(stripped) for kind in KINDS)
    if (
        not (named and (lead is not None or scope))
        and not _MUST.search(stripped)
        and not EFFORT.search(stripped)
    ):
        return None
    start = passage.start + text.index(stripped)
    return Requirement(
        title=_short(stripped), text=stripped, module=module, start=start, end=start + len(stripped)
    )


def _short(text: str) -> str:
    """The words before the first stop; of a sentence that has none, its beginning."""
    words = _begun(r"[。；;:：（(]|\.\s", text)
    words = words if len(words) <= TITLE else _begun(r"，|,\s", words)
    return _cut(words, TITLE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _begun(stop: str, text: str) -> str:
    first = re.split(stop, text, maxsplit=1)[0].strip(" .")
    return first if len(first) >= SHORTEST else text
