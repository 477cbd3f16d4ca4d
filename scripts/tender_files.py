"""From the parts of a tender to a file: a PDF of one or two columns, a DOCX, an XLSX.

Chinese is set in a font of the reader's (STSong-Light, not embedded), so no font file is needed.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import docx
import openpyxl
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Spacer, Table

from tender_layouts import Block, Tender

WIDTH, HEIGHT = A4
SIZES = {"chapter": 16, "heading": 12, "text": 10.5, "cell": 9.5}


def file_of(tender: Tender) -> tuple[str, bytes]:
    """A file name and its bytes."""
    if tender.form == "docx":
        return tender.name, _docx(tender.blocks)
    if tender.form == "xlsx":
        return tender.name, _xlsx(tender.blocks)
    return re.sub(r"\.\w+$", ".pdf", tender.name), _pdf(tender.blocks, 2 if tender.form == "columns" else 1)


def _docx(blocks: tuple[Block, ...]) -> bytes:
    book, out = docx.Document(), io.BytesIO()
    styles = {"chapter": "Heading 1", "heading": "Heading 2", "text": None}
    for kind, value in blocks:
        if kind != "table":
            book.add_paragraph(value, style=styles[kind])
            continue
        grid = book.add_table(rows=0, cols=max(map(len, value)), style="Table Grid")
        for row in value:
            for cell, text in zip(grid.add_row().cells, row, strict=False):
                cell.text = text
    book.save(out)
    return out.getvalue()


def _xlsx(blocks: tuple[Block, ...]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    for number, (kind, value) in enumerate(blocks):
        if kind == "chapter":
            sheet = book.create_sheet(value) if number else sheet
            sheet.title = value
        elif kind == "table":
            for row in value:
                sheet.append([_number(cell) for cell in row])
        else:
            sheet.append([value])
    book.save(out)
    return out.getvalue()


def _number(cell: str) -> str | float | None:
    """Numbers are numbers in a sheet, and empty cells are empty."""
    return (float(cell) if "." in cell else int(cell)) if re.fullmatch(r"\d+(\.\d+)?", cell) else cell or None


def _pdf(blocks: tuple[Block, ...], columns: int) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    out, room = io.BytesIO(), (WIDTH - 100 - 20 * (columns - 1)) / columns
    frames = [Frame(50 + n * (room + 20), 50, room, HEIGHT - 110, id=f"f{n}") for n in range(columns)]
    title = next(str(value) for kind, value in blocks if kind == "chapter")
    book = BaseDocTemplate(out, pagesize=A4, invariant=1)
    book.addPageTemplates(PageTemplate("page", frames, onPage=lambda canvas, _: _edges(canvas, title)))
    font = "STSong-Light" if any("一" <= c <= "鿿" for c in str(blocks)) else "Times-Roman"
    book.build([part for block in blocks for part in _parts(block, font, room - 12)])
    return out.getvalue()


def _edges(canvas: Any, title: str) -> None:
    """The running head and the number of the page."""
    canvas.setFont("STSong-Light", 8)
    canvas.drawString(50, HEIGHT - 40, title)
    canvas.drawCentredString(WIDTH / 2, 30, f"- {canvas.getPageNumber()} -")


def _parts(block: Block, font: str, room: float) -> list[Flowable]:
    kind, value = block
    if kind != "table":
        return [Paragraph(escape(value), _style(kind, font)), Spacer(1, 4)]
    cells = [[Paragraph(escape(cell), _style("cell", font)) for cell in row] for row in value]
    longest = [max(len(row[n]) for row in value) ** 0.6 + 2 for n in range(len(value[0]))]
    widths = [room * share / sum(longest) for share in longest]
    return [Table(cells, widths, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.black)]), Spacer(1, 8)]


def _style(kind: str, font: str) -> ParagraphStyle:
    size = SIZES[kind]
    wrap = "CJK" if font.startswith("ST") else None
    return ParagraphStyle(kind, fontName=font, fontSize=size, leading=size * 1.5, wordWrap=wrap)
