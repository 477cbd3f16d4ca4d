"""XLSX: each sheet's rows by openpyxl, as they are displayed; hidden sheets are named and not read.

A run of rows without an empty one between them is a table: each row gets the same cells, joined by tabs, so
that columns stay columns. A row with one filled cell is a paragraph. A formula gives its stored value.
"""

from __future__ import annotations

import io
import re
import warnings
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from .errors import CorruptDocument, DocumentTooLarge, EmptyDocument, NeedsOcr, TextUnreadable
from .guard import attachments, guard, has_pictures
from .model import Document, Limits, Part
from .readable import is_garbled

if TYPE_CHECKING:
    from collections.abc import Iterator

_Row = tuple[int, dict[int, str]]  # its number in the sheet, and its filled cells by column
_MAX_CELLS = 5_000_000
_FORMAT_NOISE = re.compile(r"\[\$?([^\]-]*)[^\]]*\]|\\(.)|_.|\*.")
_PLACEHOLDER = re.compile(r"[#0?][#0?,.]*(?:E\+0+)?")
_QUOTED = re.compile(r'"([^"]*)"|(.)')
_SIGNS = set("￥¥$€£%元万亿")


def read_xlsx(data: bytes, limits: Limits) -> Document:
    """The document in `data`; raises `DocumentError`. Parses in this process: `child` calls it."""
    names = guard(data, limits)
    book = _book(data)
    parts: list[Part] = []
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    room = [limits.max_chars, _MAX_CELLS]
    try:
        for number, sheet in enumerate(book.worksheets, start=1):
            if sheet.sheet_state == "visible":
                parts.extend(_sheet(sheet, number, room))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, SyntaxError, OSError) as error:
        # openpyxl meets a damaged sheet with whichever of these its code runs into
        raise CorruptDocument(f"{type(error).__name__}: {error}") from error
    if not any(row for _, _, row in parts):
        raise NeedsOcr("only pictures") if has_pictures(names) else EmptyDocument()
    if is_garbled("\n".join(text for text, _, _ in parts)):
        raise TextUnreadable
    told = (f"hidden_sheets_not_read: {', '.join(hidden)}",) if hidden else ()
    return Document.of("xlsx", parts, pages=len(book.worksheets), warnings=told + attachments(names))


def _book(data: bytes) -> Any:
    import openpyxl

    warnings.simplefilter("ignore")  # it warns of every extension it does not know
    try:
        return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        # the parts of a workbook are validated by descriptors that raise whatever their authors chose
        raise CorruptDocument(f"{type(error).__name__}: {error}") from error


def _sheet(sheet: Any, number: int, room: list[int]) -> Iterator[Part]:
    """Its title, then its rows; row 0 is the title."""
    rows = list(_filled(sheet, room))
    if rows:
        yield sheet.title, number, 0
    for block in _blocks(rows):
        first = min(min(cells) for _, cells in block)
        last = max(max(cells) for _, cells in block)
        for row, cells in block:
            if len(cells) == 1:
                yield next(iter(cells.values())), number, row
            else:
                yield "\t".join(cells.get(at, "") for at in range(first, last + 1)), number, row


def _filled(sheet: Any, room: list[int]) -> Iterator[_Row]:
    sheet.reset_dimensions()  # what the file says of its size may be wrong by sixteen thousand columns
    for number, row in enumerate(sheet.rows, start=1):
        room[1] -= len(row) + 1
        cells = {
            at: text
            for at, cell in enumerate(row)
            if cell.value is not None and (text := _shown(cell.value, cell.number_format or ""))
        }
        room[0] -= sum(map(len, cells.values()))
        if min(room) < 0:
            raise DocumentTooLarge(f"more than {_MAX_CELLS} cells, or too many characters")
        if cells:
            yield number, cells


def _blocks(rows: list[_Row]) -> Iterator[list[_Row]]:
    block: list[_Row] = []
    for row in rows:
        if block and (row[0] != block[-1][0] + 1 or _far(row, block)):
            yield block
            block = []
        block.append(row)
    if block:
        yield block


def _far(row: _Row, block: list[_Row]) -> bool:
    """A cell hundreds of columns away belongs to no table; padding up to it would cost the memory."""
    return max(row[1]) > 200 + max(max(cells) for _, cells in block[-1:])


def _shown(value: Any, form: str) -> str:
    """The value as the sheet displays it, near enough: dates in ISO form, units and signs of its format."""
    if isinstance(value, datetime):
        whole = value.time() == time()
        return value.date().isoformat() if whole else value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date | time):
        return value.isoformat()[:10]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return " ".join(str(value).split())
    before, after = _affixes(form)
    number = value * 100 if "%" in after else value
    text = f"{number:.8f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)
    return f"{before}{text}{after}"


def _affixes(form: str) -> tuple[str, str]:
    """What a number format writes before and after the digits: `"￥"#,##0.00`, `0"台"`, `0.0%`."""
    plain = _FORMAT_NOISE.sub(lambda m: m.group(1) or m.group(2) or "", form.split(";", maxsplit=1)[0])
    digits = list(_PLACEHOLDER.finditer(plain))
    if not digits or form == "General":
        return "", ""
    return _literal(plain[: digits[0].start()]), _literal(plain[digits[-1].end() :])


def _literal(text: str) -> str:
    """The quoted words of a part of a format, and the signs that stand in it without quotes."""
    found = (m.group(1) or (m.group(2) if m.group(2) in _SIGNS else "") for m in _QUOTED.finditer(text))
    return "".join(found).strip()
