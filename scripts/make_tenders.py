"""Makes the sample tenders: two PDFs, one DOCX, and truth.json with what an analyser must find, and where.

The words are in tenders/*.txt (`#` a chapter, `##` a heading, `| … |` a table row, `|w` column widths), the
facts in tenders/facts.json. The page or paragraph of each fact is taken from the layout as it is made, not
from reading the result back. Output is the same bytes on every run. Needs the Debian package
fonts-droid-fallback; the samples are committed, so nobody needs it to run or test the app.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import docx
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

HERE = Path(__file__).parent / "tenders"
OUT = Path(__file__).parents[1] / "src/duly_apps/tender/samples"
FONT_FILE = "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"
NAME = "江州市第一中学智慧校园建设项目"
NUMBER = "JZZC-2025-GK-0187"
DINGBATS = {"★": "\u2605", "▲": "\u25b2"}
Block = tuple[str, Any]  # ("chapter" | "heading" | "text", str) or ("table", rows)


def blocks(path: Path) -> list[Block]:
    """The parts of a source file; consecutive table rows become one table."""
    parts: list[Block] = []
    for is_table, lines in groupby(path.read_text("utf-8").splitlines(), lambda line: line.startswith("|")):
        if is_table:
            parts.append(("table", [[c.strip() for c in line.strip("|").split("|")] for line in lines]))
            continue
        for line in lines:
            kind = {"#": "chapter", "##": "heading"}.get(line.split(" ")[0], "text")
            parts.append((kind, line if kind == "text" else line.split(" ", 1)[1]))
    return parts


def style(name: str, **more: Any) -> ParagraphStyle:
    """A paragraph style in the Chinese font."""
    return ParagraphStyle(name, fontName="Droid", **{"fontSize": 11, "leading": 18, "wordWrap": "CJK"} | more)


def words(text: str, style: ParagraphStyle) -> Paragraph:
    """A paragraph; what the Chinese font has no glyphs for (it holds no Latin letters) in another one."""
    text = re.sub(r"[ -~÷×]+", lambda run: f'<font name="Helvetica">{run.group()}</font>', text)
    return Paragraph(
        re.sub("[★▲]", lambda mark: f'<font name="ZapfDingbats">{DINGBATS[mark.group()]}</font>', text), style
    )


BODY = style("body", firstLineIndent=22, spaceAfter=5)
CELL = style("cell", fontSize=9.5, leading=14)
CHAPTER = style("chapter", fontSize=17, leading=30, alignment=TA_CENTER, spaceAfter=14)
HEADING = style("heading", fontSize=13, leading=24, spaceBefore=6, spaceAfter=4)
COVER = style("cover", fontSize=24, leading=40, alignment=TA_CENTER)
STYLES = {"chapter": CHAPTER, "heading": HEADING, "text": BODY}


class Pages(BaseDocTemplate):  # type: ignore[misc]  # reportlab ships no types
    """Keeps, for each paragraph laid out, its text and page."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), pagesize=A4, title=NAME + "招标文件", author="samples", invariant=1)
        frame = Frame(70, 65, A4[0] - 140, A4[1] - 140, id="body")
        self.addPageTemplates(PageTemplate("page", [frame], onPage=decorate))
        self.seen: list[tuple[str, int]] = []

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - reportlab's name
        texts = [flowable.getPlainText()] if isinstance(flowable, Paragraph) else []
        if isinstance(flowable, Table):
            rows = flowable._cellvalues  # noqa: SLF001 - after a split, the rows of this part
            texts = ["\t".join(cell[0].getPlainText() for cell in row) for row in rows]
        self.seen.extend((text, self.page) for text in texts)


def decorate(canvas: Any, pages: Pages) -> None:
    """Header and footer, on every page but the cover."""
    if pages.page > 1:
        lines = (
            ("left", 785, f"{NAME}招标文件"),
            ("right", 785, f"项目编号：{NUMBER}"),
            ("center", 36, f"第 {pages.page} 页"),
        )
        for side, height, text in lines:
            line = words(
                text, style("edge", fontSize=8.5, alignment={"left": 0, "center": 1, "right": 2}[side])
            )
            line.wrapOn(canvas, A4[0] - 140, 20)
            line.drawOn(canvas, 70, height)


def table(rows: list[list[str]]) -> Table:
    """A ruled table; the first row may give the column widths in per cent."""
    widths = [int(share) * (A4[0] - 140) / 100 for share in rows[0][0].removeprefix("w ").split()]
    ruled = [("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    cells = [[(words(cell, CELL),) for cell in row] for row in rows[1:]]
    return Table(cells, colWidths=widths, style=ruled, repeatRows=1)


def cover() -> list[Flowable]:
    """The first page."""
    small = style("small", fontSize=14, leading=30, alignment=TA_CENTER)
    lines = [
        f"项目编号：{NUMBER}",
        "采购人：江州市第一中学",
        "采购代理机构：江州市公共资源交易有限公司",
        "二〇二五年十月",
    ]
    title = [words(NAME, COVER), words("招 标 文 件", COVER)]
    return [Spacer(1, 150), *title, Spacer(1, 180), *(words(line, small) for line in lines), PageBreak()]


def contents(parts: list[Block], pages: dict[str, int]) -> list[Flowable]:
    """The table of contents, dots and page numbers and all."""
    lines = [words("目　录", CHAPTER)]
    for kind, text in parts:
        if kind in {"chapter", "heading"}:
            dots = "." * (90 - 2 * len(text) - (4 if kind == "heading" else 0))
            lines.append(words(f"{text}{dots}{pages.get(text, 0)}", style("toc", leading=19)))
    return [*lines, PageBreak()]


def story(parts: list[Block], pages: dict[str, int]) -> list[Flowable]:
    """The whole book."""
    flow = cover() + contents(parts, pages)
    for number, (kind, value) in enumerate(parts):
        if kind == "chapter" and number:
            flow.append(PageBreak())
        flow.append(table(value) if kind == "table" else words(value, STYLES[kind]))
        if kind == "table":
            flow.append(Spacer(1, 10))
    return flow


def make_campus(path: Path) -> list[tuple[str, int]]:
    """The Chinese PDF; laid out twice, so that the contents have the right pages."""
    parts, pages, seen = blocks(HERE / "campus_zh.txt"), dict[str, int](), list[tuple[str, int]]()
    for _ in range(2):
        book = Pages(path)
        book.build(story(parts, pages))
        seen = [(text, page) for text, page in book.seen if not re.search(r"\.{5}", text)]
        pages = dict(seen)
    return seen


def make_broken(path: Path) -> None:
    """The first chapter again, each glyph's entry in the ToUnicode table moved to a far ideograph."""
    honest = ttfonts.makeToUnicodeCMap

    def broken(fontname: str, subset: list[int]) -> str:
        return str(honest(fontname, [0x4E00 + (code * 7919) % 20000 for code in subset]))

    ttfonts.makeToUnicodeCMap = broken
    try:
        parts = blocks(HERE / "campus_zh.txt")
        Pages(path).build(story(parts[:30], {})[5:])
    finally:
        ttfonts.makeToUnicodeCMap = honest


def make_water(path: Path) -> list[tuple[str, int]]:
    """The English DOCX."""
    book, seen = docx.Document(), list[tuple[str, int]]()
    for kind, value in blocks(HERE / "water_en.txt"):
        if kind != "table":
            book.add_paragraph(value, style="Heading 1" if kind == "chapter" else None)
            seen.append((value, len(seen) + 1))
            continue
        grid = book.add_table(rows=0, cols=len(value[1]), style="Table Grid")
        for row in value[1:]:
            for cell, text in zip(grid.add_row().cells, row, strict=True):
                cell.text = text
            seen.append(("\t".join(row), len(seen) + 1))
    book.core_properties.author = "samples"
    book.core_properties.created = book.core_properties.modified = datetime(2025, 10, 1, tzinfo=UTC)
    book.save(str(path))
    settle(path)
    return seen


def settle(path: Path) -> None:
    """Writes the archive again with one fixed time, so that its bytes do not change from run to run."""
    with zipfile.ZipFile(path) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in members:
            new.writestr(zipfile.ZipInfo(name, (2025, 10, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def located(facts: list[dict[str, Any]], seen: list[tuple[str, int]], unit: str) -> list[dict[str, Any]]:
    """Each fact with the places its words stand at; a fact that stands nowhere is a mistake in facts.json."""
    for fact in facts:
        fact[unit] = sorted({place for text, place in seen if fact["find"] in text})
        if not fact[unit]:
            sys.exit(f"not in the sample: {fact['find']}")
    return facts


def main() -> None:
    """All samples, and what is true of them."""
    rl_config.invariant = 1
    pdfmetrics.registerFont(ttfonts.TTFont("Droid", FONT_FILE))
    OUT.mkdir(parents=True, exist_ok=True)
    facts = json.loads((HERE / "facts.json").read_text("utf-8"))
    campus = located(facts["smart-campus-zh.pdf"], make_campus(OUT / "smart-campus-zh.pdf"), "pages")
    water = located(facts["water-meters-en.docx"], make_water(OUT / "water-meters-en.docx"), "paragraphs")
    make_broken(OUT / "broken-map-zh.pdf")
    truth = {"smart-campus-zh.pdf": campus, "water-meters-en.docx": water}
    (OUT / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(*(f"{path.name}: {path.stat().st_size:,} bytes" for path in sorted(OUT.iterdir())), sep="\n")


if __name__ == "__main__":
    main()
