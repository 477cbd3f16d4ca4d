"""Plain text and the gate: which encodings are read, and what counts as garbage."""

from random import Random

import pytest

from duly.documents import TextUnreadable, read
from duly.documents.readable import is_garbled

SIMPLE = "本项目采用综合评分法，投标截止时间为二〇二五年十一月二十日，逾期送达的投标文件不予受理。"
TRADITIONAL = "本採購案採最有利標決標，投標廠商應於截止投標時間前送達，逾期者不予受理，並應繳納押標金。"
ENGLISH = (
    "The tenderer shall submit evidence of its experience with the technical envelope. Tenders received "
    "after the deadline shall be rejected, and the bid security shall be forfeited if it is withdrawn."
)
TABLE_ZH = "\n".join(f"{n}\t核心交换机\tS{n}700-24X\t双电源\t{n * 3}台\t{n * 1280}.00" for n in range(1, 20))
TABLE_EN = "\n".join(
    f"{n}\tDN{n}5\tPN16 EPDM GGG40\tQty {n * 7}\tUSD {n * 12}.50\tHS 9028.20" for n in range(1, 20)
)
NUMBERS = "\n".join(f"{n}  {n * 37 % 101}.{n % 10}  {n * 7919 % 9973}" for n in range(80))
NAMES = "、".join(
    [
        "王建国",
        "李秀英",
        "张伟",
        "刘洋",
        "陈静",
        "杨帆",
        "赵磊",
        "黄丽",
        "周涛",
        "吴敏",
        "徐强",
        "孙悦",
        "马超",
        "朱琳",
    ]
    * 3
)
CHEMISTRY = (
    "聚氯乙烯、丙烯腈、苯乙烯、环氧树脂、硅烷偶联剂、氢氧化铝、偶氮二甲酰胺、邻苯二甲酸二辛酯、钛酸酯" * 2
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"])
def test_chinese_text_is_read_in_its_encoding(encoding: str) -> None:
    """Simplified Chinese comes out right from every encoding that Chinese offices send."""
    assert read(SIMPLE.encode(encoding), "a.txt").text == SIMPLE


@pytest.mark.parametrize("encoding", ["utf-8", "big5", "gb18030", "utf-16"])
def test_traditional_chinese_is_read_in_its_encoding(encoding: str) -> None:
    """Big5 is told from GB18030 by the characters that come out."""
    assert read(TRADITIONAL.encode(encoding), "a.txt").text == TRADITIONAL


def test_short_text_is_decoded_right() -> None:
    """A dozen characters are enough to tell the encoding."""
    assert read("预算金额：叁佰捌拾万元整".encode("gb18030"), "a.txt").text == "预算金额：叁佰捌拾万元整"


def test_bytes_of_no_encoding_are_unreadable() -> None:
    """Random bytes with a text file's name are refused."""
    with pytest.raises(TextUnreadable):
        read(Random(7).randbytes(3000), "a.txt")  # noqa: S311 - sample data


@pytest.mark.parametrize(
    "text",
    [SIMPLE * 3, TRADITIONAL * 3, ENGLISH, TABLE_ZH, TABLE_EN, NUMBERS, NAMES, CHEMISTRY, "第 3 页", "★▲①②③"],
)
def test_real_pages_pass_the_gate(text: str) -> None:
    """Prose, tables, lists of names, chemistry and numbers, in three scripts, are not garbage."""
    assert not is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        "これは入札説明書です。入札者は期限までに書類を提出しなければなりません。",
        "Участник закупки подаёт заявку до окончания срока, указанного в извещении о закупке.",
        "Die Angebote sind bis zum Ablauf der Frist schriftlich einzureichen, im verschlossenen Umschlag.",
    ],
)
def test_other_languages_pass_the_gate(text: str) -> None:
    """A language that we do not analyse is still text."""
    assert not is_garbled(text)


def test_ideographs_at_random_are_garbage() -> None:
    """A map that sends each glyph to any ideograph is caught, page by page, 200 times out of 200."""
    pick = Random(11)  # noqa: S311 - sample data
    pages = ["".join(chr(pick.randrange(0x4E00, 0x9FA5)) for _ in range(120)) for _ in range(200)]
    assert all(map(is_garbled, pages))


def test_a_fixed_shift_of_ideographs_is_garbage() -> None:
    """A map that is off by any constant is caught, though every code is a valid ideograph."""
    for shift in (1, 5, 31, 200, 1000):
        shifted = "".join(chr(ord(c) + shift) if "一" <= c <= "鿿" else c for c in SIMPLE * 3)
        assert is_garbled(shifted), shift


def test_common_characters_in_the_wrong_places_are_garbage() -> None:
    """Characters in common use, but at random, are caught by how few are frequent ones."""
    row = bytes(b for r in range(0xB0, 0xD7) for c in range(0xA1, 0xFE) for b in (r, c)).decode(
        "gb2312", "ignore"
    )
    assert is_garbled("".join(Random(3).choices(row, k=300)))  # noqa: S311 - sample data


@pytest.mark.parametrize("shift", [-29, -7, -3, 1, 3, 7, 15, 31])
def test_shifted_latin_is_garbage(shift: int) -> None:
    """Latin text off by a constant (glyph numbers taken for characters) is caught."""
    assert is_garbled("".join(chr(ord(c) + shift) if c.isalpha() else c for c in ENGLISH))


@pytest.mark.parametrize("turn", range(1, 26))
def test_a_turned_alphabet_is_garbage(turn: int) -> None:
    """Each of the 25 turns of the alphabet is caught."""
    turned = {c: (c - 97 + turn) % 26 + 97 for c in range(97, 123)}
    assert is_garbled(ENGLISH.lower().translate(turned))


@pytest.mark.parametrize(
    "text", ["\ue010\ue011\ue012" * 20, "(cid:12)(cid:40)(cid:7)" * 9, "/g12/g77/g3" * 9, "\ufffd" * 30]
)
def test_codes_without_a_character_are_garbage(text: str) -> None:
    """Private use, glyph names and replacement characters are caught."""
    assert is_garbled(text)
