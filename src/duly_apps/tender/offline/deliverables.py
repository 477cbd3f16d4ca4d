"""What is to be delivered: when, where, under which warranty and payment, and the list of goods."""

from __future__ import annotations

import re

from .corpus import Corpus, Finding
from .fields import columns, labelled, phrase, term
from .labels import LABELS

_TERMS = {"period": term, "place": phrase, "warranty": term, "payment": phrase}
_SCOPE = re.compile(
    r"(?:交付(?:成果|物|内容)|deliverables)(?:主要)?(?:包括|包含|应当包括| shall include| include| comprise)",
    re.IGNORECASE,
)
_QUANTITY = re.compile(r"^(?:采购)?数量|^(?:qty|quantity)", re.IGNORECASE)
_COUNT = re.compile(r"^\d[\d,]*\s*[^\d\s]{0,6}$")
_MOST = 200


def deliverables(corpus: Corpus) -> list[Finding]:
    """Terms of delivery, then the things."""
    terms = [labelled(corpus, key, LABELS[key], parse) for key, parse in _TERMS.items()]
    return [*filter(None, terms), *_scope(corpus), *_goods(corpus)]


def _scope(corpus: Corpus) -> list[Finding]:
    for passage, match in corpus.matches(_SCOPE):
        start, end = corpus.sentence(passage, match.start(), match.end())
        text = corpus.document.quote(start, end)
        return [Finding(key="scope", value=text, start=start, end=end)]
    return []


def _goods(corpus: Corpus) -> list[Finding]:
    found = []
    for _, passage, cells, index in columns(corpus, _QUANTITY):
        names = [cell.strip() for n, cell in enumerate(cells) if n != index and re.search(r"[^\W\d_]", cell)]
        count = cells[index].strip()
        if names and _COUNT.match(count):
            found.append(
                Finding(
                    key="item",
                    label=names[0],
                    value=count,
                    normal={"quantity": count},
                    start=passage.start,
                    end=passage.end,
                )
            )
    return found[:_MOST]
