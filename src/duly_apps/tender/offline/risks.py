"""What can cost the bid or the money: starred clauses, grounds for rejection, damages, forfeits."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from .corpus import Corpus, Finding, is_heading
from .facts import budget

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARRED = re.compile(
    r"(?:^|\t)(?:[（(]?[\d一二三四五六七八九十.]{0,6}[）)、.]?[^\S\t]*)[★▲※](?!\s*(?:号|条款))"
)
_SENTENCES = {
    "rejection": r"否决(?:其)?投标|(?:将|应|予以|应当)(?:被)?(?:否决|拒绝)(?!权)"
    r"|(?:作|为|按)?废标(?:处理)?|投标无效|无效投标|拒收|不予受理|廢標"
    r"|取消(?:其)?(?:投标|中标)资格|(?:shall|will|may) be (?:rejected|disqualified|excluded)|non-responsive",
    "damages": r"违约金|違約金|liquidated damages|penalt(?:y|ies)",
    "forfeit": r"保证金[^。；]{0,12}(?:不予退还|不退还|予以没收)|(?:security|bond)[^.;]{0,20}forfeit",
    "termination": r"(?:有权|可以?)(?:单方)?(?:解除|终止)(?:本)?合同|may terminate",
}
_NEGATED = re.compile(r"不(?:(?:得|视为|作为?|按|属于|构成)[^，。；]{0,4})?$|(?:not|never) $", re.IGNORECASE)
_MOST = 200


def risks(corpus: Corpus) -> list[Finding]:
    """Each kind in the order of the text; a sentence is listed once per kind."""
    found = list(_starred(corpus))
    for key, pattern in _SENTENCES.items():
        found.extend(islice(_sentences(corpus, key, re.compile(pattern, re.IGNORECASE)), _MOST))
    return found + [finding for finding in budget(corpus) if finding.key == "bid_bond"]


def _starred(corpus: Corpus) -> Iterator[Finding]:
    for passage in corpus.passages:
        star = _STARRED.search(passage.text)
        if star and len(passage.text) > 6:
            mark = "▲" if "▲" in star.group() else "★"
            yield Finding(
                key="starred", value=passage.text, normal={"mark": mark}, start=passage.start, end=passage.end
            )


def _sentences(corpus: Corpus, key: str, pattern: re.Pattern[str]) -> Iterator[Finding]:
    seen: set[tuple[int, int]] = set()
    for passage, match in corpus.matches(pattern):
        if is_heading(passage.text) or _NEGATED.search(
            passage.text, max(0, match.start() - 16), match.start()
        ):
            continue
        span = corpus.sentence(passage, match.start(), match.end())
        introduces = corpus.document.text[span[1] - 1] in "：:"  # "in the following cases:"; these come next
        if span in seen or introduces:
            continue
        seen.add(span)
        yield Finding(key=key, value=corpus.document.quote(*span), start=span[0], end=span[1])
