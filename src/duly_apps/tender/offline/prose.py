"""Facts that no label introduces: who buys, how, and until when, as sentences say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .corpus import Corpus, Finding, is_heading
from .dates import moments

if TYPE_CHECKING:
    from duly.documents import Passage

_BLOCKS = {
    "purchaser": re.compile(r"(?:采购|招标|比选)人(?:信息)?(?:[（(][^）)]*[）)])?[:：]?$"),
    "agency": re.compile(r"代理机构(?:信息)?(?:[（(][^）)]*[）)])?[:：]?$"),
}
_NAMED = re.compile(r"名\s*称\s*[:：]\s*([^，。；\t]{0,199}?[^，。；\s])\s*(?:[，。；\t]|地\s*址|联系|$)")
_ON_BEHALF = re.compile(r"受\s*([^，。；\s]{3,30}?)\s*(?:的)?委托")
_INVITES = re.compile(
    r"(?:^|(?<=\. ))(?:\d+\.\s*)?(?:The )?([A-Z][\w',&() -]{2,70}?)(?: \([^)]{0,80}\))? (?:now |hereby )?"
    r"(?:invites|is seeking|seeks|requests|intends to|wishes to|is inviting)\b"
)
_WAYS = re.compile(
    r"公开招标|邀请招标|竞争性(?:磋商|谈判)|单一来源(?:采购)?|公开比选|公开询价|询价采购|框架协议"
    r"|(?:open|restricted|negotiated|(?:inter)?national)(?: competitive)? (?:procedure|bidding|tendering)",
    re.IGNORECASE,
)
_BEFORE_WAY = re.compile(
    r"(?:以|采用|进行|实行|采取|通过|by|through|under|using)\s*(?:the |国内|an? )?$", re.IGNORECASE
)
_HAND_IN = re.compile(
    r"^[^。；]{0,12}?前[^。；]{0,24}?(?:递交|提交|送达|送至|上传)[^。；]{0,16}|"
    r"^[^。；]{0,12}?前[^。；，]{0,12}(?:投标|响应|申请|报价)文件"
)


def named_below(corpus: Corpus, key: str) -> Finding | None:
    """A line such as 1.采购人信息, and below it 名称：…"""
    for passage in corpus.passages:
        if len(passage.text) < 30 and _BLOCKS[key].search(passage.text):
            below = corpus.following(passage)
            match = _NAMED.match(below.text) if below else None
            if below and match:
                return _found(key, match.group(1), below, match.start(1), match.end(1))
    return None


def buyer(corpus: Corpus) -> Finding | None:
    """Who has somebody else tender for it, or invites bids itself."""
    pattern = _ON_BEHALF if corpus.language == "zh" else _INVITES
    for passage, match in corpus.matches(pattern):
        return _found("purchaser", match.group(1).strip(), passage, match.start(1), match.end(1))
    return None


def procedure(corpus: Corpus) -> Finding | None:
    """The name of a procedure after a word such as 以 or by."""
    for passage, match in corpus.matches(_WAYS):
        if _BEFORE_WAY.search(passage.text[max(0, match.start() - 12) : match.start()]):
            start, end = corpus.sentence(passage, match.start(), match.end())
            return Finding(key="procedure", value=match.group(), start=start, end=end)
    return None


def deadline(corpus: Corpus) -> Finding | None:
    """A moment before which files are to be handed in: 于…前递交."""
    for passage in corpus.passages:
        if is_heading(passage.text):
            continue
        for moment in moments(passage.text):
            after = _HAND_IN.match(passage.text[moment.end :])
            if after:
                start, end = corpus.sentence(passage, moment.start, moment.end + after.end())
                value = passage.text[moment.start : moment.end]
                return Finding(key="bid_deadline", value=value, normal=moment.iso, start=start, end=end)
    return None


def _found(key: str, value: str, passage: Passage, start: int, end: int) -> Finding:
    return Finding(key=key, value=value, start=passage.start + start, end=passage.start + end)
