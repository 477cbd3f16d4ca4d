"""Is this text, or garbage that a broken character map made of it?

Three measures, each of a page's own characters: how many are of a kind that documents use at all (not private
use, not an unassigned code, not a rare ideograph); how many of its ideographs are among the most frequent
ones (garbage may hit common ideographs, but not the frequent ones); and how usual the letters of its Latin
words are (the mean frequency of a letter: 7 % in English text, at most 5.2 % once the alphabet is shifted).
A page with too few characters of a kind is not judged by that measure: a page of numbers is readable.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_FREQUENT = (
    "的一是不了在有人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学"
    "法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外"
    "天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很"
    "情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她"
    "手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思"
    "术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科"
    "张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千"
    "周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存候毛亲快效斯院查江型眼王按格"
    "投招购供价款项履预额账票费税评审澄附册章编页注址邮码印签授施竣违赔偿否废拒函询疑质售服网络软硬测试培训维修升级接口安"
    "这個們來為國說時對發後裡種經學當沒動還進樣開從軍無與長機實關點業將兩間問應戰頭體見產給門認條係氣題爾別變總數報結論處"
    "義幾請購標員務該類據邊張規萬確傳觀讓識導爭運筆場計區隊決馬達強難權記設術統質價東車風書電華話廣養號舉約線團義專辦採供"
    "應審查額稅費評澄違賠償廢絕詢編頁註郵碼簽約單級項預履擔證書營資金廠商貨適驗測試訓練維護網絡軟體硬體階段遞截"
)
_DECORATION = set("·—…–‘’“”„•‰′″※€№℃™→←↑↓√≤≥≠±×÷≈∑∞∶°§©®²³¹½¼¾·¥£￥￠￡")
_OTHER_SCRIPTS = (
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "CYRILLIC",
    "GREEK",
    "ARABIC",
    "HEBREW",
    "THAI",
    "DEVANAGARI",
)
_GLYPH_NAMES = re.compile(r"(?:/g\d+|\(cid:\d+\)|/uni[0-9A-F]{4}|/G[0-9A-F]{2}){3,}")
# Per cent of the letters of running English text.
_ENGLISH = dict(
    zip("etaoinshrdlcumwfgypbvkjxqz", (12.7, 9.1, 8.2, 7.5, 7.0, 6.7, 6.3, 6.1, 6.0, 4.3, 4.0, 2.8, 2.8, 2.4,
        2.4, 2.2, 2.0, 2.0, 1.9, 1.5, 1.0, 0.8, 0.15, 0.15, 0.1, 0.07), strict=True)
)  # fmt: skip


def is_garbled(text: str) -> bool:
    """True for text that a broken character map or a wrong encoding made; False in doubt."""
    marks = [c for c in text if not c.isspace()]
    if len(marks) < 20:
        return bool(marks) and sum(_is_private(c) or c == "\ufffd" for c in marks) * 2 > len(marks)
    return (
        share_in_use(text) < 0.8
        or bool(_GLYPH_NAMES.search(text))
        or _ideographs_are_unusual(marks)
        or _letters_are_unusual(text)
    )


def share_in_use(text: str) -> float:
    """The share, 0 to 1, of characters that documents use; spaces do not count."""
    marks = [c for c in text if not c.isspace()]
    return sum(map(_in_use, marks)) / len(marks) if marks else 0.0


def _ideographs_are_unusual(marks: list[str]) -> bool:
    ideographs = [c for c in marks if "一" <= c <= "鿿"]
    if len(ideographs) < 40:
        return False
    common = sum(c in _common() for c in ideographs)
    frequent = sum(c in _frequent() for c in ideographs)
    # A list of names has 25 % frequent ideographs, tender prose 75 %, common ideographs at random 15 %.
    return common < 0.8 * len(ideographs) or (len(ideographs) >= 120 and frequent < 0.2 * len(ideographs))


def _letters_are_unusual(text: str) -> bool:
    # Shorter runs are codes and units. The signs next to the letters in ASCII come into words by a shift.
    words = "".join(re.findall(r"[\[-~]{4,}", text.lower())).replace("_", "")
    if len(words) < 100 or len(words) * 3 < len(text):
        return False
    return sum(_ENGLISH.get(c, 0.0) for c in words) / len(words) < 5.4


@cache
def _in_use(char: str) -> bool:
    code = ord(char)
    if code < 0x250 or char in _DECORATION:
        return char.isprintable()
    if 0x4E00 <= code <= 0x9FFF:
        return char in _common()
    if 0x2460 <= code <= 0x27BF or 0x3000 <= code <= 0x303F or 0x3200 <= code <= 0x33FF:
        return True  # enclosed numbers, boxes, stars, CJK punctuation and units
    if 0xFF01 <= code <= 0xFF5E or 0x2010 <= code <= 0x203E or 0x2150 <= code <= 0x218F:
        return True  # full-width forms, dashes and quotes, number forms
    return unicodedata.name(char, "").startswith(_OTHER_SCRIPTS)


def _is_private(char: str) -> bool:
    return unicodedata.category(char) in {"Co", "Cn", "Cc"}


@cache
def _frequent() -> frozenset[str]:
    return frozenset(_FREQUENT)


@cache
def _common() -> frozenset[str]:
    """The first levels of GB 2312 (3,755 characters) and Big5 (5,401): what is in common use, by standard."""
    gb = bytes(b for row in range(0xB0, 0xD8) for col in range(0xA1, 0xFF) for b in (row, col))
    columns = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    big5 = bytes(b for row in range(0xA4, 0xC7) for col in columns for b in (row, col))
    return frozenset(gb.decode("gb2312", "ignore") + big5.decode("big5", "ignore")) | _frequent()
