"""How bids are judged: the method, the criteria with their points, and whether the points make 100."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .corpus import Corpus, Finding
from .fields import columns

if TYPE_CHECKING:
    from duly.documents import Passage

_METHOD = re.compile(
    r"综合评[分估]法|最低评标价法|经评审的最低(?:投标)?价法|性价比法|最有利標"
    r"|weighted (?:scoring|score)(?: method)?"
    r"|lowest (?:evaluated )?price (?:method|technically acceptable)|most economically advantageous tender",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"^(?:最高|标准|评审)?(?:分$|分\s*[值数]|满分|权重|得分|配分"
    r"|(?:max(?:imum)? )?(?:points|score|marks)|weight)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^(?:满分)?\s*(\d{1,3}(?:\.\d+)?)\s*(?:分|%|points)?$")
_SUM = re.compile(r"合计|总计|总分|小计|total", re.IGNORECASE)
_IN_TEXT = re.compile(
    r"^(?:[（(]?(?:[一二三四五六七八九十\d]{1,3}|[a-z])[）)、.．]\s*|[-–•●]\s*)?"
    r"([^\t，。；：:（(\d]{2,60}?)\s*(?:[（(:：]|[-–—]\s)\s*(?:(?:满分|最高)\s*)?(\d{1,3})"
    r"\s*(?:分|%|points|marks)",
    re.IGNORECASE,
)
_OWN_POINTS = re.compile(r"(?<!\s)\s*[（(]\s*(?:满分|最高)?\d{1,3}\s*(?:分|%|points)\s*[）)]$")


def scoring(corpus: Corpus) -> list[Finding]:
    """Method, criteria, total."""
    criteria = list(_from_table(corpus)) or list(_from_text(corpus))
    return [*_method(corpus), *criteria, *_total(criteria)]


def _method(corpus: Corpus) -> list[Finding]:
    for passage, match in corpus.matches(_METHOD):
        start, end = corpus.sentence(passage, match.start(), match.end())
        return [Finding(key="method", value=match.group(), start=start, end=end)]
    return []


def _from_table(corpus: Corpus) -> list[Finding]:
    found = []
    for _, passage, cells, index in columns(corpus, _POINTS):
        number = _NUMBER.match(cells[index].strip())
        name = _name(cells, index)
        if number and name and not _SUM.search(name):
            found.append(_criterion(name, float(number.group(1)), passage))
    return found


def _name(cells: list[str], index: int) -> str:
    """The first cell, other than the points, that holds a word."""
    name = next((c.strip() for n, c in enumerate(cells) if n != index and re.search(r"[^\W\d_]", c)), "")
    return _OWN_POINTS.sub("", name)


def _from_text(corpus: Corpus) -> list[Finding]:
    title = re.compile(r"评[分标审](?:办法|标准|细则|方法)|evaluation|scoring", re.IGNORECASE)
    found = [one for passage in corpus.section(title) if (one := _one_in_text(passage))]
    return found if len(found) > 1 else _run_of_100(corpus)


def _run_of_100(corpus: Corpus) -> list[Finding]:
    """Paragraphs one after the other, anywhere, whose points make exactly 100: a scale."""
    run: list[Finding] = []
    total = 0.0
    for passage in corpus.passages:
        one = _one_in_text(passage)
        if one is None:
            run, total = [], 0.0
            continue
        total += one.normal["points"]
        if total <= 100:  # past it, the rest of this run is only passed over
            run.append(one)
        if total == 100 and len(run) > 1:
            return run
    return []


def _one_in_text(passage: Passage) -> Finding | None:
    match = _IN_TEXT.match(passage.text)
    if not match or _SUM.search(match.group(1)):
        return None
    return _criterion(match.group(1).strip(), float(match.group(2)), passage)


def _criterion(name: str, points: float, passage: Passage) -> Finding:
    number = int(points) if points == int(points) else points
    return Finding(
        key="criterion",
        label=name,
        value=f"{number}",
        normal={"points": number},
        start=passage.start,
        end=passage.end,
    )


def _total(criteria: list[Finding]) -> list[Finding]:
    if not criteria:
        return []
    total = sum(finding.normal["points"] for finding in criteria)
    normal = {"sum": total, "criteria": len(criteria), "is_100": total == 100}
    return [
        Finding(key="total", value=f"{total}", normal=normal, start=criteria[0].start, end=criteria[-1].end)
    ]
