"""PDF: pages to passages by pypdf, with a verdict per page: text, no text (a picture), or garbage."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from .errors import (
    CorruptDocument,
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    NeedsOcr,
    TextUnreadable,
)
from .layout import Piece, passages
from .model import Document, Limits, Part
from .readable import is_garbled

# How the bullets of Word's symbol font, and of PDF's own encoding, come out.
_BULLETS = dict.fromkeys(map(ord, "\x7f\uf0b7\uf0a7\uf06c"), "•")

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pypdf import PageObject, PdfReader


def read_pdf(data: bytes, limits: Limits) -> Document:
    """The document in `data`; raises `DocumentError`. Parses in this process: `child` calls it."""
    from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

    try:
        return _read(_opened(data), limits)
    except (DocumentError, MemoryError, RecursionError):
        raise
    except LimitReachedError as error:
        raise DocumentTooLarge(str(error)) from error
    except (FileNotDecryptedError, DependencyError) as error:
        raise EncryptedDocument(str(error)) from error
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
        # pypdf meets a damaged file with whichever of these its code runs into
        raise CorruptDocument(f"{type(error).__name__}: {error}") from error


def _opened(data: bytes) -> PdfReader:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise EncryptedDocument
    return reader


def _read(reader: PdfReader, limits: Limits) -> Document:
    pages = len(reader.pages)
    if pages == 0:
        raise CorruptDocument("no pages")
    if pages > limits.max_pages:
        raise DocumentTooLarge(f"{pages} pages, at most {limits.max_pages}")
    parts: list[Part] = []
    textless: list[int] = []
    garbled: list[int] = []
    pictures, size = 0, 0
    for number, page in enumerate(reader.pages, start=1):
        texts = _page_passages(page)
        size += sum(map(len, texts))
        if size > limits.max_chars:
            raise DocumentTooLarge(f"more than {limits.max_chars} characters")
        if sum(map(len, texts)) < 4:
            textless.append(number)
            pictures += _has_picture(page)
        elif is_garbled("\n".join(texts)):
            garbled.append(number)
        parts.extend((text, number, None) for text in texts)
    _judge(pages, len(textless), pictures, len(garbled))
    return Document.of("pdf", parts, pages=pages, warnings=tuple(_warnings(textless, garbled)))


def _judge(pages: int, textless: int, pictures: int, garbled: int) -> None:
    if textless == pages and not pictures:
        raise EmptyDocument
    if pictures and textless * 2 > pages:
        raise NeedsOcr(f"{textless} of {pages} pages have no text")
    if garbled * 2 >= pages - textless and garbled:
        raise TextUnreadable(f"{garbled} of {pages} pages are garbage")


def _warnings(textless: list[int], garbled: list[int]) -> Iterable[str]:
    if textless:
        yield f"no_text: pages {', '.join(map(str, textless))}"
    if garbled:
        yield f"unreadable: pages {', '.join(map(str, garbled))}"


def _page_passages(page: PageObject) -> list[str]:
    pieces: list[Piece] = []

    def take(text: str, cm: list[float], tm: list[float], _font: Any, size: float) -> None:
        if not text.strip("\r\n"):
            return
        x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
        y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        scale = abs(tm[3] * cm[3]) or 1.0
        lines = text.strip("\r\n").translate(_BULLETS).split("\n")
        pieces.extend(
            Piece(text=line, x=x, y=y - 1.3 * row * size * scale, size=size * scale or 1.0)
            for row, line in enumerate(lines)
        )

    page.extract_text(visitor_text=take)
    return passages(pieces)


def _has_picture(page: PageObject) -> bool:
    """An image among the page's resources, or so much drawing that the letters may be outlines."""
    resources: Any = page.get("/Resources", {})
    objects = (resources.get_object() or {}).get("/XObject") if resources else None
    for item in (objects.get_object() if objects else {}).values():
        if item.get_object().get("/Subtype") in {"/Image", "/Form"}:
            return True
    contents = page.get_contents()
    return contents is not None and len(contents.get_data()) > 5_000
