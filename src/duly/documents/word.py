"""DOCX: paragraphs and table rows in document order, by python-docx, behind a guard against zip bombs."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from .errors import (
    CorruptDocument,
    DocumentTooLarge,
    EmptyDocument,
    NeedsOcr,
    TextUnreadable,
    UnsupportedDocument,
)
from .guard import attachments, guard, has_pictures
from .model import Document, Limits, Part
from .readable import is_garbled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = {"{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", f"{_W}del", f"{_W}pPr"}
_BREAKS = {f"{_W}tab": " ", f"{_W}br": " ", f"{_W}cr": " ", f"{_W}noBreakHyphen": "-"}


def read_docx(data: bytes, limits: Limits) -> Document:
    """The document in `data`; raises `DocumentError`. Parses in this process: `child` calls it."""
    names = guard(data, limits)
    texts = list(_texts(_body(data)))
    if not texts:
        raise NeedsOcr("only pictures") if has_pictures(names) else EmptyDocument()
    if sum(map(len, texts)) > limits.max_chars:
        raise DocumentTooLarge(f"more than {limits.max_chars} characters")
    if is_garbled("\n".join(texts)):
        raise TextUnreadable
    parts: list[Part] = [(text, None, number) for number, text in enumerate(texts, start=1)]
    return Document.of("docx", parts, warnings=attachments(names))


def _body(data: bytes) -> Any:
    import docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    try:
        return docx.Document(io.BytesIO(data)).element.body
    except ValueError as error:  # python-docx: "file … is not a Word file, content type is …"
        raise UnsupportedDocument(str(error)) from error
    except (OpcError, LxmlError, KeyError, AttributeError, zipfile.BadZipFile, OSError) as error:
        raise CorruptDocument(f"{type(error).__name__}: {error}") from error


def _texts(parent: _Element) -> Iterator[str]:
    for child in parent:
        if child.tag == f"{_W}p":
            yield from filter(None, [_text(child)])
        elif child.tag == f"{_W}tbl":
            yield from _table_rows(child)
        elif child.tag in {f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins"}:
            yield from _texts(child)


def _table_rows(table: _Element) -> Iterator[str]:
    for row in table.iter(f"{_W}tr"):
        if next(row.iterancestors(f"{_W}tbl")) is table:  # a nested table's rows are text of their cell
            cells = [
                _text(cell) for cell in row.iter(f"{_W}tc") if next(cell.iterancestors(f"{_W}tr")) is row
            ]
            yield from filter(str.strip, ["\t".join(cells)])


def _text(element: _Element) -> str:
    return " ".join("".join(_runs(element)).split())


def _runs(element: _Element) -> Iterator[str]:
    for child in element:
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag not in _SKIPPED:
            yield from _runs(child)
            if child.tag == f"{_W}p":
                yield " "
