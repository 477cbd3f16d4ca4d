"""The lines of a document as rules see them: none is so long that looking at it takes long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from duly.documents import Document, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duly.documents import Passage

#: Characters that a rule looks at together.
LONGEST = 4_000


def lines(document: Document) -> tuple[Passage, ...]:
    """Its passages; a longer one in pieces, cut where a sentence or a word ends, that make it up."""
    return tuple(piece for passage in document.passages for piece in _pieces(passage))


def _pieces(passage: Passage) -> Iterator[Passage]:
    if len(passage.text) <= LONGEST:
        yield passage
        return
    alone = Document.of("text", [(passage.text, None, None)])
    for chunk in split(alone, LONGEST):
        start = passage.start + chunk.start
        yield replace(passage, text=chunk.text, start=start, end=start + len(chunk.text))
