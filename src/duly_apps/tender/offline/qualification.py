"""Who may bid: the items under the heading of the qualification requirements, and the word on consortia."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .corpus import Corpus, Finding, is_heading

if TYPE_CHECKING:
    from duly.documents import Passage

_TITLE = re.compile(r"资格(?:条件|要求)|資格條件|合格投标人|具备的条件|eligib|qualification", re.IGNORECASE)
_ITEM = re.compile(
    r"^(?:[★▲*]\s*)?(?:[（(]?[一二三四五六七八九十]{1,3}[）)、.]|[（(]?[A-Z]?\d{1,2}(?:\.\d{1,2})*(?:[）)、.．]|(?=\D))"
    r"|[（(]?[a-z][)）]|[-–•●▪])\s*"
)
# An item that only introduces others, or asks nothing.
_IDLE = re.compile(r"[:：]\s*(?:无|/|不适用)?[。；]?$")
_JOINT = r"(?:joint ventures?|consorti(?:a|um))[^.;]{0,40}"
_CONSORTIUM = re.compile(
    r"(?P<no>[（(]?不(?:接受|允许|得)[）)]?[^，。；\t]{0,6}联合体|联合体(?:投标)?[\t:：]\s*(?:否|不)"
    r"|接受联合体(?:投标)?[\t:：]\s*(?:否|不)"
    rf"|{_JOINT}(?:not (?:be )?(?:permitted|allowed|accepted|eligible)|excluded))"
    r"|(?P<yes>(?<![否不])[（(]?(?:接受|允许)[）)]?[^，。；\t]{0,4}联合体(?!(?:投标)?[\t:：])"
    r"|联合体(?:投标)?[\t:：]\s*(?:接受|允许|是)"
    rf"|{_JOINT}(?:permitted|allowed|accepted|eligible|welcome))",
    re.IGNORECASE,
)
_MOST = 60


def qualification(corpus: Corpus) -> list[Finding]:
    """The requirements in their order, then whether consortia may bid."""
    found: list[Finding] = []
    for passage in _items(corpus):
        number = _ITEM.match(passage.text)
        text = passage.text[number.end() if number else 0 :].rstrip("；;。. ")
        if len(found) < _MOST:
            found.append(Finding(key="requirement", value=text, start=passage.start, end=passage.end))
    return [*found, *_consortium(corpus)]


def _items(corpus: Corpus) -> list[Passage]:
    """The numbered paragraphs of the first section of that name that has any; a row of a table is none."""
    for title, body in corpus.sections(_TITLE):
        items: list[Passage] = []
        for passage in body:
            numbered = _ITEM.match(passage.text) and "\t" not in passage.text
            if numbered and not _IDLE.search(passage.text):
                items.append(passage)
            elif not numbered and items and not _ITEM.match(title):
                break  # a section without a number ends with its list
        if items:
            return [item for item in items if not _leads(item, items)]
    return []


def _leads(item: Passage, items: list[Passage]) -> bool:
    """A short sub-heading among sentences, such as （一）一般资格条件."""
    sentences = sum(other.text[-1] in "。；;." for other in items)
    return is_heading(item.text) and len(item.text) < 16 and 2 * sentences > len(items)


def _consortium(corpus: Corpus) -> list[Finding]:
    for passage, match in corpus.matches(_CONSORTIUM):
        start, end = corpus.sentence(passage, match.start(), match.end())
        allowed = match["no"] is None
        return [
            Finding(
                key="consortium", value=match.group().replace("\t", " "), normal=allowed, start=start, end=end
            )
        ]
    return []
