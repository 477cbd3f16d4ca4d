"""Amounts of money in running text: 人民币380万元, ￥3,800,000.00, 叁佰捌拾万元整, USD 1.2 million."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = {
    "万": 10**4, "萬": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "億": 10**8,
    "thousand": 10**3, "k": 10**3, "million": 10**6, "m": 10**6, "mn": 10**6, "billion": 10**9,
}  # fmt: skip
_CURRENCIES = {
    "CNY": r"人民币|￥|¥|RMB|CNY|元|圆|yuan",
    "USD": r"USD|US\$|\$|美元|dollars?",
    "HKD": r"HKD|HK\$|港币|港元",
    "TWD": r"TWD|NT\$|新台幣|新臺幣",
    "EUR": r"EUR|€|欧元|euros?",
    "GBP": r"GBP|£|英镑",
}
_BEFORE = r"人民币|￥|¥|RMB|CNY|USD|US\$|HK\$|NT\$|\$|HKD|港币|TWD|新台幣|新臺幣|EUR|€|GBP|£"
_AFTER = r"美元|港元|欧元|英镑|元|圆|yuan|RMB|CNY|USD|EUR|GBP|HKD|US dollars|dollars|euros"
_AMOUNT = re.compile(
    rf"(?:(?P<before>{_BEFORE})\s*)?(?:[（(]小写[）)]\s*)?(?:[：:]\s*)?(?:(?P<sign>￥|¥)\s*)?"
    r"(?P<number>\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:\s*(?P<unit>百万|千万|[万萬亿億]|(?:thousand|million|billion|mn|[km])\b))?"
    rf"(?:\s*(?P<after>{_AFTER}))?",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[（(]\s*(?:单位[:：]\s*)?(?:人民币\s*|in\s+)?(?:(万|亿|百万|thousand|million)\s*)?"
    r"(元|美元|USD|US\$|EUR|GBP|CNY|RMB|[£€$])\s*[）)]",
    re.IGNORECASE,
)
_NUMERALS = ("零〇", "一壹", "二贰貳两", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
_DIGITS = {char: value for value, chars in enumerate(_NUMERALS) for char in chars}
_ABSURD = 10**15  # beyond any tender, and still exact in JSON
_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_WRITTEN = re.compile(
    r"(?:人民币\s*)?(?:[（(]大写[）)]\s*)?(?:[：:]\s*)?"
    r"(?P<words>[零〇一壹二贰貳两三叁參四肆五伍六陆陸七柒八捌九玖十拾百佰千仟万萬亿億]{2,60})[元圆圓][整正]?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in whole units of `currency` (ISO 4217), and where it stands in the text searched."""

    amount: int | float
    currency: str
    start: int
    end: int


def amounts(text: str) -> Iterator[Money]:
    """The amounts in `text`, in order. A number without a currency or 元 is not one."""
    found = [m for match in _AMOUNT.finditer(text) if (m := _from_digits(match))]
    found += [_from_words(match) for match in _WRITTEN.finditer(text)]
    return iter(sorted((m for m in found if m.amount < _ABSURD), key=lambda money: money.start))


def bare(text: str, unit_words: str) -> Money | None:
    """The amount of a cell that holds only a number, its unit given by a column head such as （万元）."""
    match = re.fullmatch(r"\s*(\d[\d,，]*(?:\.\d+)?)\s*", text)
    unit = _UNIT.search(unit_words)
    if not match or not unit:
        return None
    number = Decimal(re.sub("[,，]", "", match.group(1)))
    amount = _plain(number * _UNITS.get((unit.group(1) or "").lower(), 1))
    return Money(amount=amount, currency=_currency(unit.group(2)), start=match.start(1), end=match.end(1))


def _from_digits(match: re.Match[str]) -> Money | None:
    sign = match["before"] or match["sign"] or match["after"]
    if not sign:
        return None
    number = Decimal(re.sub("[,，]", "", match["number"])) * _UNITS.get((match["unit"] or "").lower(), 1)
    start = match.start() + len(match.group()) - len(match.group().lstrip(" \t:："))
    end = match.start() + len(match.group().rstrip())
    return Money(amount=_plain(number), currency=_currency(sign), start=start, end=end)


def _from_words(match: re.Match[str]) -> Money:
    start = match.start() + len(match.group()) - len(match.group().lstrip(" \t:："))
    return Money(amount=chinese_number(match["words"]), currency="CNY", start=start, end=match.end())


def chinese_number(words: str) -> int:
    """叁佰捌拾万 → 3800000, by 亿 and 万 groups of four places."""
    total = group = digit = 0
    for char in words:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _TENS:
            group += (digit or 1) * _TENS[char]
            digit = 0
        elif _UNITS[char] == 10**8:
            total = (total + group + digit) * 10**8
            group = digit = 0
        else:
            total += (group + digit) * 10**4
            group = digit = 0
    return total + group + digit


def _currency(words: str) -> str:
    return next(code for code, names in _CURRENCIES.items() if re.fullmatch(names, words, re.IGNORECASE))


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral() else float(number)
