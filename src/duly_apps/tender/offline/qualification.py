"""Who may bid: the items under the heading of the qualification requirements, and the word on consortia."""

from __future__ import annotations

import re

from .corpus import Corpus, Finding, is_heading

_TITLE = re.compile(r"资格(?:条件|要求)|資格條件|合格投标人|eligib|qualification", re.IGNORECASE)
_ITEM = re.compile(
    r"^(?:[★▲*]\s*)?(?:[（(]?[一二三四五六七八九十]{1,3}[）)、.]|[（(]?\d{1,2}(?:\.\d{1,2})*[）)、.．]?|[-•●])\s*"
)
_JOINT = r"(?:joint ventures?|consorti(?:a|um))[^.;]{0,40}"
_CONSORTIUM = re.compile(
    r"(?P<no>不(?:接受|允许|得)[^，。；\t]{0,6}联合体|联合体投标[\t:：]\s*(?:否|不)"
    r"|接受联合体(?:投标)?[\t:：]\s*(?:否|不)"
    rf"|{_JOINT}(?:not (?:be )?(?:permitted|allowed|accepted|eligible)|excluded))"
    r"|(?P<yes>(?<![否不])(?:接受|允许)[^，。；\t]{0,4}联合体|联合体投标[\t:：]\s*(?:接受|允许|是)"
    rf"|{_JOINT}(?:permitted|allowed|accepted|eligible|welcome))",
    re.IGNORECASE,
)
_MOST = 60


def qualification(corpus: Corpus) -> list[Finding]:
    """The requirements in their order, then whether consortia may bid."""
    found: list[Finding] = []
    for passage in corpus.section(_TITLE):
        number = _ITEM.match(passage.text)
        if number and not is_heading(passage.text) and len(found) < _MOST:
            text = passage.text[number.end() :].rstrip("；;。. ")
            found.append(Finding(key="requirement", value=text, start=passage.start, end=passage.end))
    return [*found, *_consortium(corpus)]


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
