"""A report as XLSX: a sheet for what is known of the document, one for each table. No cell is a formula."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

    from .report import Cell, Report, Table

#: What Excel keeps of a cell.
LONGEST = 32_767
_HEAD = PatternFill("solid", fgColor="E4ECFD")
_NOT_A_NAME = re.compile(r"[\[\]:*?/\\']")


def workbook(report: Report) -> bytes:
    """The bytes of the file."""
    book = Workbook()
    first: Any = book.active
    _name(first, report.about[0][0])
    _write(first, 1, 1, report.title, Font(bold=True, size=14))
    at = 3
    for label, value in report.about:
        _write(first, at, 1, label, Font(bold=True))
        _write(first, at, 2, value)
        at += 1
    for line in ("", report.summary, "", report.limits_title, *report.limits):
        _write(first, at, 2, line)
        at += 1
    first.column_dimensions["A"].width, first.column_dimensions["B"].width = 18, 100
    for table in report.tables:
        _sheet(book.create_sheet(), table)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(sheet: Worksheet, table: Table) -> None:
    _name(sheet, table.title)
    for column, (label, width) in enumerate(zip(table.columns, table.widths, strict=True), start=1):
        _write(sheet, 1, column, label, Font(bold=True)).fill = _HEAD
        sheet.column_dimensions[get_column_letter(column)].width = width
    for row, cells in enumerate(table.rows, start=2):
        for column, value in enumerate(cells, start=1):
            _write(sheet, row, column, value)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _name(sheet: Worksheet, title: str) -> None:
    sheet.title = _NOT_A_NAME.sub(" ", title)[:31].strip() or "1"


def _write(sheet: Worksheet, row: int, column: int, value: Cell, font: Font | None = None) -> Any:
    """A number is a number; all else is text, whatever it begins with."""
    cell: Any = sheet.cell(row, column)
    cell.value = value[:LONGEST] if isinstance(value, str) else value
    if isinstance(value, str):
        cell.data_type = "s"
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    if font is not None:
        cell.font = font
    return cell
