"""The guard of office files, which are zip archives: it refuses what no writer of office files makes.

It reads the directory first (number, sizes, names), then every XML part as a stream, and only then lets a
parser at the file. What the directory lies about meets the count of bytes that really came out.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from .errors import CorruptDocument, DocumentTooLarge, EncryptedDocument, MacrosRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Limits

_MAX_MEMBERS = 10_000
_MACROS = re.compile(r"(?:^|/)vbaProject\.bin$|(?:^|/)macrosheets/", re.IGNORECASE)
_ARCHIVES = re.compile(r"\.(?:zip|docx|xlsx|pptx|docm|xlsm|rar|7z|jar)$|(?:^|/)embeddings/", re.IGNORECASE)
_PICTURES = re.compile(r"(?:^|/)media/.+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|jp2|webp)$", re.IGNORECASE)
_DTD = tuple("<!DOCTYPE".encode(code) for code in ("ascii", "utf-16-le", "utf-16-be"))
_PIECE = 1 << 16


def guard(data: bytes, limits: Limits) -> list[str]:
    """The member names of an archive that may be parsed; raises `DocumentError` for any other."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_directory(members, len(data), limits)
            _check_parts(archive, members, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
        raise CorruptDocument(f"{type(error).__name__}: {error}") from error
    return [member.filename for member in members]


def attachments(names: Iterable[str]) -> tuple[str, ...]:
    """One warning that names the files inside the file; they are never opened."""
    inside = [name.rsplit("/", 1)[-1] for name in names if _ARCHIVES.search(name)]
    if not inside:
        return ()
    more = f" and {len(inside) - 5} more" if len(inside) > 5 else ""
    return (f"attachments_not_read: {', '.join(inside[:5])}{more}",)


def has_pictures(names: Iterable[str]) -> bool:
    """Whether the file holds pictures: one without text is then a scan."""
    return any(_PICTURES.search(name) for name in names)


def _check_directory(members: list[zipfile.ZipInfo], size: int, limits: Limits) -> None:
    unpacked = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or unpacked > limits.max_unpacked_bytes:
        raise DocumentTooLarge(f"{len(members)} members, {unpacked} bytes unpacked")
    if unpacked > limits.max_unpack_ratio * size:
        raise DocumentTooLarge(f"unpacks to {unpacked // size} times its size")
    if any(member.flag_bits & 1 for member in members):
        raise EncryptedDocument("the archive is encrypted")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise CorruptDocument("two members of one name")
    if any(_MACROS.search(name) for name in names):
        raise MacrosRefused


def _check_parts(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], limits: Limits) -> None:
    left = limits.max_unpacked_bytes
    for member in members:
        if member.filename.lower().endswith((".xml", ".rels")):
            with archive.open(member) as part:
                left = _check_part(part, member.filename, left)


def _check_part(part: IO[bytes], name: str, left: int) -> int:
    """Counts what comes out, and refuses a DTD: by their standard office files have none, so no entities."""
    tail = b""
    while piece := part.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise DocumentTooLarge("unpacks to more than it declares")
        text = tail + piece
        if any(mark in text for mark in _DTD):
            raise CorruptDocument(f"{name} declares entities")
        tail = piece[-20:]
    return left
