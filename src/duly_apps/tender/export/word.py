"""A report as DOCX: a title, the document, the summary, a table for each part, the limits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import docx
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from docx.shared import Mm, Pt

if TYPE_CHECKING:
    from .report import Report, Table

#: A table wider than this, in characters, wants the page on its side.
WIDE = 130
FONT, FONT_ZH = "Arial", "Microsoft YaHei"


def letter(report: Report) -> bytes:
    """The bytes of the file."""
    document = docx.Document()
    _fonts(document)
    _page(document, sideways=any(sum(table.widths) > WIDE for table in report.tables))
    document.core_properties.title = report.title[:255]
    document.core_properties.author = "Duly"
    document.add_heading(report.title, 0)
    for label, value in report.about:
        line = document.add_paragraph()
        line.add_run(f"{label}  ").bold = True
        line.add_run(value)
        line.paragraph_format.space_after = Pt(0)
    document.add_paragraph()
    document.add_paragraph(report.summary)
    for table in report.tables:
        document.add_heading(table.title, 1)
        _table(document, table)
    document.add_heading(report.limits_title, 1)
    for limit in report.limits:
        document.add_paragraph(limit, style="List Bullet")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _fonts(document: Any) -> None:
    """One for Latin letters, one for Chinese ones: Word chooses by letter."""
    style = document.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(9.5)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT_ZH)
    for name in ("Title", "Heading 1"):
        fonts = document.styles[name].element.get_or_add_rPr().get_or_add_rFonts()
        fonts.set(qn("w:eastAsia"), FONT_ZH)
    document.styles["Title"].font.size = Pt(18)


def _page(document: Any, *, sideways: bool) -> None:
    section = document.sections[0]
    long, short = Mm(297), Mm(210)
    if sideways:
        section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = (long, short) if sideways else (short, long)
    section.left_margin = section.right_margin = Mm(15)
    section.top_margin = section.bottom_margin = Mm(15)


def _table(document: Any, table: Table) -> None:
    """Cells are written through their row: to ask a table for each cell takes quadratic time."""
    made = document.add_table(rows=1, cols=len(table.columns), style="Table Grid")
    made.autofit = False
    _row(made.rows[0], table.columns, bold=True)
    for row in table.rows:
        _row(made.add_row(), row)
    space = document.sections[0].page_width - Mm(30)
    whole = sum(table.widths)
    for column, width in zip(made.columns, table.widths, strict=True):
        column.width = int(space * width / whole)
    for row in made.rows:
        for cell, width in zip(row.cells, table.widths, strict=True):
            cell.width = int(space * width / whole)


def _row(row: Any, values: Any, *, bold: bool = False) -> None:
    for cell, value in zip(row.cells, values, strict=True):
        run = cell.paragraphs[0].add_run(f"{value:.12g}" if isinstance(value, float) else str(value))
        run.bold, run.font.size = bold, Pt(8)
