"""HTML: blocks become paragraphs and table rows, by lxml's parser; what a reader does not see is left out.

Many files named .doc or .xls are HTML inside. Nothing is fetched and no script runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .errors import DocumentTooLarge, EmptyDocument, NeedsOcr, TextUnreadable
from .model import Document, Limits
from .plain import decode
from .readable import is_garbled

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w-]{2,20})""", re.IGNORECASE)
_UNSEEN = {"script", "style", "head", "template", "noscript", "svg", "object", "iframe", "select", "textarea"}
_BLOCKS = {
    "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ul", "ol", "dl", "dt", "dd", "pre", "blockquote",
    "br", "hr", "section", "article", "header", "footer", "main", "nav", "aside", "table", "tr", "caption",
    "center", "form", "fieldset", "legend", "address", "figure", "figcaption", "body", "html", "tbody",
    "thead", "tfoot",
}  # fmt: skip
_CELLS = {"td", "th"}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)


def read_html(data: bytes, limits: Limits) -> Document:
    """The document in `data`; raises `DocumentError`. Parses in this process: `child` calls it."""
    from lxml.html import HTMLParser, document_fromstring

    declared = _CHARSET.search(data[:4096])
    text = decode(data, declared.group(1).decode() if declared else None)
    if not text.strip():
        raise EmptyDocument
    parser = HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (ValueError, SyntaxError) as error:  # ParserError is a SyntaxError: nothing but comments, say
        raise EmptyDocument(str(error)) from error
    texts = list(_Walk(limits.max_chars).of(root))
    if not texts:
        raise NeedsOcr("only pictures") if root.find(".//img") is not None else EmptyDocument()
    if is_garbled("\n".join(texts)):
        raise TextUnreadable
    return Document.of("html", [(text, None, number) for number, text in enumerate(texts, start=1)])


class _Walk:
    """Through the tree without recursion: a file may nest deeper than Python calls."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.words: list[str] = []
        self.cells: list[str] | None = None
        self.depth = 0  # of tables: a table in a cell is text of that cell

    def of(self, root: Any) -> Iterator[str]:
        """One text per block or table row, in order."""
        stack: list[tuple[Any, bool]] = [(root, True)]
        while stack:
            element, opens = stack.pop()
            if not opens:
                yield from self._close(element)
                continue
            yield from self._open(element)
            stack.append((element, False))
            if not _unseen(element):
                self._say(element.text)
                stack.extend((child, True) for child in reversed(element))
        yield from self._end()

    def _open(self, element: Any) -> Iterator[str]:
        tag = element.tag
        if tag == "table":
            self.depth += 1
            if self.depth == 1:
                yield from self._end()
        elif tag == "tr" and self.depth == 1:
            yield from self._end()
            self.cells = []
        elif tag in _BLOCKS and self.cells is None:
            yield from self._end()
        elif tag in _BLOCKS or tag in _CELLS:
            self.words.append(" ")

    def _close(self, element: Any) -> Iterator[str]:
        tag = element.tag
        if tag in _CELLS and self.depth == 1 and self.cells is not None:
            self.cells.append(_plain("".join(self.words)))
            self.words = []
            self.cells.extend([""] * (min(_span(element), 50) - 1))
        elif tag == "tr" and self.depth == 1:
            yield from self._end()
        elif tag == "table":
            self.depth -= 1
        elif tag in _BLOCKS and self.cells is None:
            yield from self._end()
        elif tag in _BLOCKS:
            self.words.append(" ")
        self._say(element.tail)

    def _say(self, text: str | None) -> None:
        if text:
            self.room -= len(text)
            if self.room < 0:
                raise DocumentTooLarge("too many characters")
            self.words.append(text)

    def _end(self) -> Iterator[str]:
        rest, self.words = _plain("".join(self.words)), []
        cells, self.cells = self.cells, None
        if cells is not None:
            cells += [rest] if rest else []
            filled = [cell for cell in cells if cell]
            rest = filled[0] if len(filled) == 1 else "\t".join(cells) if filled else ""
        if rest:
            yield rest


def _unseen(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN or element.get("hidden") is not None:
        return True
    return bool(_HIDDEN.search(element.get("style") or ""))


def _span(element: Any) -> int:
    width = element.get("colspan") or ""
    return int(width) if width.isascii() and width.isdigit() and len(width) < 4 and width != "0" else 1


def _plain(text: str) -> str:
    return " ".join(text.split())
