"""Cutting a document into chunks for a model: at sentence ends, balanced, without losing a character."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Document

# From the best place to cut to the worst: a passage end, a sentence end, a clause end, a space.
_CUTS = (
    re.compile(r"\n"),
    re.compile(r"[。！？!?；;…][”’」』）)\"']*|\.(?=\s)"),
    re.compile(r"[，、,：:]"),
    re.compile(r"\s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of the document's text: `document.text[start:end]`. `page` is that of its first character."""

    text: str
    start: int
    end: int
    page: int | None
    paragraph: int | None


def split(document: Document, max_chars: int = 2000) -> list[Chunk]:
    """Chunks of at most `max_chars` characters that, joined, are exactly `document.text`.

    The rest of the document is divided into even parts, and each cut moves back from the even place to the
    nearest passage end in the later half of the chunk, else sentence end, clause end or space.
    """
    if max_chars < 1:
        raise ValueError("max_chars must be at least 1")
    text, chunks, start = document.text, list[Chunk](), 0
    while start < len(text):
        end = _cut(text, start, max_chars)
        place = document.place(start)
        chunks.append(
            Chunk(text=text[start:end], start=start, end=end, page=place.page, paragraph=place.paragraph)
        )
        start = end
    return chunks


def _cut(text: str, start: int, max_chars: int) -> int:
    left = len(text) - start
    if left <= max_chars:
        return len(text)
    even = -(-left // -(-left // max_chars))  # ceil(left / number of chunks still needed)
    target = min(start + max_chars, start + even + max_chars // 8)
    for pattern in _CUTS:
        ends = [m.end() for m in pattern.finditer(text, start + max_chars // 2, target)]
        if ends:
            return ends[-1]
    return target
