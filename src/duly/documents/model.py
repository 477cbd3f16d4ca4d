"""What a read document is: its text, and for every character the page or paragraph it came from."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any, Literal, Self

Kind = Literal["pdf", "docx", "xlsx", "html", "text"]
Part = tuple[str, int | None, int | None]  # a text, its page, its paragraph
_JOINT = "\n"  # between two passages of the full text
# What a strict JSON gate refuses: control characters but the tab, and lone surrogates.
_REFUSED = dict.fromkeys([*range(9), *range(10, 32), 127, *range(0xD800, 0xE000)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps of one read. The first four are checked by the parser, the last three are set on its process."""

    max_pages: int = 3_000
    max_chars: int = 5_000_000
    max_unpacked_bytes: int = 200 * 1024 * 1024
    max_unpack_ratio: int = 200
    memory_bytes: int = 1024 * 1024 * 1024
    cpu_seconds: int = 15
    wall_seconds: float = 18.0  # so that the answer is there within 20 s

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"Limits.{name} must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One paragraph or table row (cells joined by tabs). `start` and `end` are offsets into `Document.text`.

    A PDF passage has a page (from 1), one of a DOCX, an HTML file or a text a paragraph number (from 1). In
    an XLSX, `page` is the number of the sheet (from 1, hidden ones counted) and `paragraph` the number of the
    row as the program shows it; row 0 is the sheet's title.
    """

    text: str
    page: int | None
    paragraph: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a character is."""

    page: int | None
    paragraph: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that was read: `text` is its passages joined by line feeds, `pages` of a PDF or an XLSX."""

    kind: Kind
    text: str
    passages: tuple[Passage, ...]
    pages: int | None
    warnings: tuple[str, ...]
    sha256: str

    @classmethod
    def of(
        cls,
        kind: Kind,
        parts: list[Part],
        *,
        pages: int | None = None,
        warnings: tuple[str, ...] = (),
        sha256: str = "",
    ) -> Self:
        """A document from (text, page, paragraph) triples in reading order; the offsets follow from them."""
        passages: list[Passage] = []
        at = 0
        cleaned = [(text.translate(_REFUSED), page, paragraph) for text, page, paragraph in parts]
        for text, page, paragraph in cleaned:
            end = at + len(text)
            passages.append(Passage(text=text, page=page, paragraph=paragraph, start=at, end=end))
            at = end + len(_JOINT)
        return cls(
            kind=kind,
            text=_JOINT.join(text for text, _, _ in cleaned),
            passages=tuple(passages),
            pages=pages,
            warnings=warnings,
            sha256=sha256,
        )

    def passage_at(self, offset: int) -> Passage:
        """The passage with the character at `offset`; a line feed between two belongs to the earlier."""
        if not 0 <= offset < max(len(self.text), 1) or not self.passages:
            raise IndexError(f"offset {offset} is outside the document")
        return self.passages[bisect.bisect_right(self.passages, offset, key=lambda p: p.start) - 1]

    def place(self, offset: int) -> Place:
        """Page and paragraph of the character at `offset`."""
        passage = self.passage_at(offset)
        return Place(page=passage.page, paragraph=passage.paragraph)

    def quote(self, start: int, end: int) -> str:
        """The text from `start` to `end`, verbatim."""
        if not 0 <= start <= end <= len(self.text):
            raise IndexError(f"{start}:{end} is outside the document")
        return self.text[start:end]

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` turns back; each character is stored once."""
        return {
            "kind": self.kind,
            "pages": self.pages,
            "warnings": list(self.warnings),
            "sha256": self.sha256,
            "passages": [[p.text, p.page, p.paragraph] for p in self.passages],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The document that `to_json` wrote."""
        return cls.of(
            value["kind"],
            [(text, page, paragraph) for text, page, paragraph in value["passages"]],
            pages=value["pages"],
            warnings=tuple(value["warnings"]),
            sha256=value["sha256"],
        )
