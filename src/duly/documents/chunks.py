"""Cutting a document into chunks for a model: at sentence ends, balanced, without losing a character."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Document

# From the best place to cut to the worst: a passage end, a sentence end, a clause end, a space.
_CUTS = (
    re.compile(r"\n"),
    re.compile(r"[。！？!?；;…][”’」』）)\"']*|\.(?=\s)"),
    re.compile(r"[，、,：:]"),
    re.compile(r"\s"),
)
_CHAPTER = re.compile(
    r"(?:第\s*[零〇一二三四五六七八九十百千两\d]{1,6}\s*[章回卷部篇]|(?:chapter|part|section)\s+[\divxlc]{1,5}\b)"
    r"[^\n\t]{0,50}$",
    re.IGNORECASE,
)
_IN_CONTENTS = re.compile(r"[.．…·\s\t]\d{1,4}$|[。；;，,]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of the document's text: `document.text[start:end]`. Place and chapter are its first character's.

    `context` is the end of what comes before it in the chapter: to show to a model, not to analyse again.
    """

    text: str
    start: int
    end: int
    page: int | None
    paragraph: int | None
    chapter: str | None = None
    context: str = ""


def split(document: Document, max_chars: int = 2000, *, context: int = 0) -> list[Chunk]:
    """Chunks of at most `max_chars` characters that, joined, are exactly `document.text`.

    No chunk crosses the heading of a chapter. The rest of a chapter is divided into even parts, and each cut
    moves back from the even place to the nearest passage end in the later half of the chunk, else sentence
    end, clause end or space. The same document and `max_chars` give the same cuts: (`sha256`, `start`, `end`)
    is a key.
    """
    if max_chars < 1 or context < 0:
        raise ValueError("max_chars must be at least 1, context at least 0")
    text, chunks = document.text, list[Chunk]()
    for first, last, chapter in _chapters(document):
        start = first
        while start < last:
            end = _cut(text, start, last, max_chars)
            place = document.place(start)
            chunks.append(
                Chunk(
                    text=text[start:end],
                    start=start,
                    end=end,
                    page=place.page,
                    paragraph=place.paragraph,
                    chapter=chapter,
                    context=text[max(first, start - context) : start],
                )
            )
            start = end
    return chunks


def _chapters(document: Document) -> Iterator[tuple[int, int, str | None]]:
    """Start, end and heading of each chapter; a line of a table of contents opens none."""
    start, chapter = 0, None
    for passage in document.passages:
        if _CHAPTER.match(passage.text) and not _IN_CONTENTS.search(passage.text):
            if passage.start > start:
                yield start, passage.start, chapter
            start, chapter = passage.start, passage.text
    yield start, len(document.text), chapter


def _cut(text: str, start: int, last: int, max_chars: int) -> int:
    left = last - start
    if left <= max_chars:
        return last
    even = -(-left // -(-left // max_chars))  # ceil(left / number of chunks still needed)
    target = min(start + max_chars, start + even + max_chars // 8)
    for pattern in _CUTS:
        ends = [m.end() for m in pattern.finditer(text, start + max_chars // 2, target)]
        if ends:
            return ends[-1]
    return target
