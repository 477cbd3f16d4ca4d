"""XLSX and CSV: rows as they are displayed, sheet and row of each, and nothing from a hidden sheet."""

import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest

from duly.documents import NeedsOcr, read
from support.hostile import packed, sheet, with_part


def book(**sheets: list[list[Any]]) -> openpyxl.Workbook:
    """A workbook of these sheets."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, lines in sheets.items():
        page = made.create_sheet(title)
        for line in lines:
            page.append(line)
    return made


def saved(made: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_rows_have_their_sheet_and_number() -> None:
    """A table's rows have the same cells, empty ones too; a row with one cell is a paragraph."""
    data = saved(
        book(公告=[["项目名称：校园网"], [], ["序号", "名称", "数量"], [1, None, "2台"]], 二=[["x"]])
    )
    document = read(data, "a.xlsx")
    assert [(p.page, p.paragraph, p.text) for p in document.passages] == [
        (1, 0, "公告"),
        (1, 1, "项目名称：校园网"),
        (1, 3, "序号\t名称\t数量"),
        (1, 4, "1\t\t2台"),
        (2, 0, "二"),
        (2, 1, "x"),
    ]
    assert (document.kind, document.pages) == ("xlsx", 2)


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_named_and_not_read(state: str) -> None:
    """What its author hid does not come out in an analysis; the warning says that it is there."""
    made = book(公告=[["预算金额：380万元"]], 内部底价=[["底价：350万元"]])
    made["内部底价"].sheet_state = state
    document = read(saved(made), "a.xlsx")
    assert "350" not in document.text
    assert document.warnings == ("hidden_sheets_not_read: 内部底价",)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (3800000, "General", "3800000"),
        (3800000.5, "#,##0.00", "3800000.5"),
        (380, '0.00"万元"', "380万元"),
        (1200, '"￥"#,##0', "￥1200"),
        (1200, "[$¥-804]#,##0.00;[Red]-[$¥-804]#,##0.00", "¥1200"),
        (0.05, "0%", "5%"),
        (12, '0"台"', "12台"),
        (
            datetime(2026, 3, 5, 9, 30, tzinfo=UTC).replace(tzinfo=None),
            "yyyy-mm-dd hh:mm",
            "2026-03-05 09:30",
        ),
        (datetime(2026, 3, 5, tzinfo=UTC).replace(tzinfo=None), "yyyy-mm-dd", "2026-03-05"),
        (True, "General", "True"),
    ],
)
def test_a_cell_reads_as_it_is_displayed(value: Any, form: str, shown: str) -> None:
    """Units and signs that stand in the number format are part of the text, and dates are ISO 8601."""
    made = book(a=[["label", value]])
    made["a"]["B1"].number_format = form
    assert read(saved(made), "a.xlsx").passages[1].text == f"label\t{shown}"


def test_a_far_cell_costs_nothing() -> None:
    """A cell sixteen thousand columns away does not widen the rows beside it."""
    made = book(a=[["a", "b"], ["c", "d"]])
    made["a"]["XFD3"] = "far"
    assert [p.text for p in read(saved(made), "a.xlsx").passages] == ["a", "a\tb", "c\td", "far"]


def test_files_inside_are_named_and_not_read() -> None:
    """An attachment is named in the warnings; it is never opened."""
    data = with_part(sheet(), "xl/embeddings/offer.xlsx", lambda _: packed({"x": b"y"}))
    assert read(data, "a.xlsx").warnings == ("attachments_not_read: offer.xlsx",)


def test_a_workbook_of_pictures_needs_ocr() -> None:
    """Pictures without a cell are a scan."""
    data = with_part(saved(book(a=[])), "xl/media/image1.png", lambda _: b"\x89PNG")
    with pytest.raises(NeedsOcr):
        read(data, "a.xlsx")


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_a_csv_is_a_table(code: str, mark: str) -> None:
    """Cells are joined by tabs, whatever divides them in the file; quotes hold one cell together."""
    text = f'需求{mark}说明\r\n登录{mark}"短信{mark}扫码"\r\n以下为第二期需求\r\n'
    passages = read(text.encode(code), "list.csv").passages
    assert [p.text for p in passages] == ["需求\t说明", f"登录\t短信{mark}扫码", "以下为第二期需求"]
