"""HTML: blocks and table rows, in any encoding, without what a reader does not see."""

import pytest

from duly.documents import EmptyDocument, NeedsOcr, read

PAGE = """<!DOCTYPE html><html><head><title>公告</title><meta charset="{code}"></head><body>
<h1>采购公告</h1><div>项目名称：<b>校园</b>网<br>预算金额：380万元</div>
<table><tr><th>序号</th><th colspan=2>名称</th></tr>
<tr><td>1</td><td><p>交换机</p><p>二层</p></td><td>2台</td></tr></table>
<p style="display:none">底价350万元</p><script>alert("x")</script><p hidden>x</p>尾</body></html>"""
TEXTS = ["采购公告", "项目名称：校园网", "预算金额：380万元", "序号\t名称\t", "1\t交换机 二层\t2台", "尾"]


@pytest.mark.parametrize("code", ["utf-8", "gbk", "gb2312", "utf-16"])
def test_a_page_is_its_blocks_and_rows(code: str) -> None:
    """Paragraphs, line breaks and rows come apart, cells are joined by tabs, hidden text stays out."""
    document = read(PAGE.format(code=code).encode(code), "notice.html")
    assert ([p.text for p in document.passages], document.kind) == (TEXTS, "html")


def test_the_declared_encoding_counts() -> None:
    """Bytes that several encodings explain are read as the page says."""
    head = "<meta http-equiv=Content-Type content='text/html; charset=big5'>"
    page = f"<html>{head}<p>採購公告，預算金額</p></html>"
    assert read(page.encode("big5"), "a.htm").text == "採購公告，預算金額"


def test_html_under_another_name_is_html() -> None:
    """Many files named .doc are web pages inside."""
    assert read(b"<html><p>Tender</p></html>", "tender.doc").kind == "html"


def test_a_table_in_a_cell_is_text_of_that_cell() -> None:
    """Rows of an inner table are no rows of the outer one."""
    page = b"<html><table><tr><td>a<table><tr><td>b<td>c</table><td>d</table></html>"
    assert [p.text for p in read(page, "a.html").passages] == ["a b c\td"]


@pytest.mark.parametrize(
    ("page", "error"), [(b"<html><!-- x --></html>", EmptyDocument), (b"<html><img src=a></html>", NeedsOcr)]
)
def test_a_page_without_text(page: bytes, error: type[Exception]) -> None:
    """Nothing to read is empty; pictures alone ask for OCR."""
    with pytest.raises(error):
        read(page, "a.html")
