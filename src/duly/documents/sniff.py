"""What kind of file this is: by its content first, by its name only where the content does not tell."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING

from .errors import CorruptDocument, EncryptedDocument, UnsupportedDocument

if TYPE_CHECKING:
    from .model import Kind

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of .doc, and of an encrypted .docx
_OTHER_STARTS = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM\x36", b"II*\x00", b"MM\x00*", b"{\\rtf", b"Rar!", b"7z\xbc",
    b"\x1f\x8b", b"\x7fELF", b"MZ\x90", b"%!PS", b"ID3", b"RIFF",
)  # fmt: skip
_HTML = re.compile(
    rb"^\W{0,8}(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE
)
_TEXT_SUFFIXES = {".txt", ".text", ".md", ".csv", ".log", ""}


def sniff(data: bytes, filename: str) -> Kind:
    """The kind of `data`; raises for what is encrypted or of a kind that is not read."""
    suffix = PurePath(filename).suffix.lower()
    if data[:1024].lstrip().startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024]):
        return "pdf"
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise EncryptedDocument("office file with a password")
        raise UnsupportedDocument("an old binary office file")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(data)
    if data.startswith(_OTHER_STARTS):
        raise UnsupportedDocument(filename)
    return _kind_by_name(data, suffix)


def _zip_kind(data: bytes) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise CorruptDocument(str(error)) from error
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        raise UnsupportedDocument("a binary workbook (XLSB)")
    raise UnsupportedDocument("a zip file that is neither a DOCX nor an XLSX")


def _kind_by_name(data: bytes, suffix: str) -> Kind:
    if suffix in {".pdf", ".docx", ".xlsx"}:
        raise CorruptDocument(f"the name ends in {suffix}, the content is something else")
    if _HTML.search(data[:4096]) or suffix in {".html", ".htm", ".xhtml"}:
        return "html"
    if data[:200].lstrip().lower().startswith((b"<!doctype", b"<?xml")):
        raise UnsupportedDocument("markup")
    if _looks_binary(data) and suffix not in _TEXT_SUFFIXES:
        raise UnsupportedDocument(suffix)
    return "text"


def _looks_binary(data: bytes) -> bool:
    head = data[:4096]
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control > len(head) // 50 and not head.startswith((b"\xff\xfe", b"\xfe\xff"))
