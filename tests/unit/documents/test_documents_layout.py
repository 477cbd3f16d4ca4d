"""From drawn pieces to paragraphs and rows."""

from duly.documents.layout import Piece, passages

MARGIN, SIZE = 70.0, 10.0


def column(*lines: str, x: float = MARGIN, top: float = 700.0, step: float = 16.0) -> list[Piece]:
    """Lines below each other."""
    return [Piece(text=line, x=x, y=top - step * n, size=SIZE) for n, line in enumerate(lines)]


def test_a_chinese_sentence_broken_over_lines_is_one() -> None:
    """Wrapped lines are joined without a space."""
    lines = column("投标文件应当在截止时间前通过交易平台加密上传，逾期上传的", "投标文件，平台将自动拒收。")
    assert passages(lines) == [
        "投标文件应当在截止时间前通过交易平台加密上传，逾期上传的投标文件，平台将自动拒收。"
    ]


def test_an_english_sentence_broken_over_lines_keeps_its_space() -> None:
    """Latin words on two lines stay two words; a hyphenated one becomes whole."""
    lines = column(
        "The supplier shall deliver the meters within nine months and pro-", "vide training to the staff"
    )
    assert passages(lines) == [
        "The supplier shall deliver the meters within nine months and provide training to the staff"
    ]


def test_a_numbered_item_starts_a_paragraph() -> None:
    """Items of a list are not run together, however full the line before."""
    lines = column("（一）具有独立承担民事责任的能力，持有有效的营业执照副本；", "（二）具有良好的商业信誉；")
    assert len(passages(lines)) == 2


def test_an_indented_line_starts_a_paragraph() -> None:
    """A Chinese paragraph opens two characters in, also below a full line."""
    full = "采购人不再支付报价以外的任何费用，投标人应当自行承担风险"
    lines = [*column(full, full), *column("投标人应当保持投标文件的效力", x=MARGIN + 2 * SIZE, top=668.0)]
    assert passages(lines) == [full + full, "投标人应当保持投标文件的效力"]


def test_a_table_row_is_one_passage() -> None:
    """Cells beside each other are joined by tabs, wrapped cells made whole first."""
    row = [
        *column("价格", x=70),
        *column("满足要求且投标价", "格最低的得满分", x=150, top=708),
        *column("30", x=400),
    ]
    following = column("技术", x=70, top=650) + column("20", x=400, top=650)
    assert passages(row + following) == ["价格\t满足要求且投标价格最低的得满分\t30", "技术\t20"]


def test_pieces_of_one_line_are_one() -> None:
    """A line drawn in pieces (a font change, a placed word) is read as one line."""
    pieces = [
        Piece(text="预算金额：", x=70, y=700, size=10),
        Piece(text="USD", x=120, y=700, size=10),
        Piece(text="1.2 million", x=145, y=700, size=10),
    ]
    assert passages(pieces) == ["预算金额：USD 1.2 million"]


def test_a_sign_drawn_after_its_line_goes_where_it_stands() -> None:
    """★ and ▲ from another font come last in the file, and are put back to their place."""
    line = Piece(text="3.2 录播主机带 号的条款", x=82, y=700, size=10)
    first = Piece(text="★", x=70, y=700, size=10)
    inside = Piece(text="▲", x=70 + 12 + 15 + 50, y=700, size=10)
    assert passages([line, first, inside]) == ["★3.2 录播主机带▲号的条款"]


def test_words_drawn_twice_are_read_once() -> None:
    """Bold type made by drawing the words again beside themselves is no repetition."""
    assert passages(column("招标公告") + column("招标公告", x=MARGIN + 0.4)) == ["招标公告"]


def test_the_paragraph_above_a_table_is_not_its_first_cell() -> None:
    """Text that ends above a table stays out of the table's first row."""
    pieces = [*column("评分标准如下。"), *column("序号", top=675), *column("分值", x=300, top=675)]
    assert passages(pieces) == ["评分标准如下。", "序号\t分值"]


def test_the_gap_between_scripts_is_no_space() -> None:
    """The gap set between ideographs and digits is dropped; the one after a paragraph's number is kept."""
    assert passages(column("2.1 录像保存不少于 90 天，共 48 间")) == ["2.1 录像保存不少于90天，共48间"]
