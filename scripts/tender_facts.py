"""The facts of a generated tender, drawn by a seed, each able to say itself in the ways that tenders do.

`{budget.wan}` in a layout is 380万元, `{budget.usd}` USD 3,800,000: one value, in the wording of the layout.
`truth()` of a fact is what an analyser must find.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

POOLS: dict[str, Any] = json.loads((Path(__file__).parent / "tenders" / "pools.json").read_text("utf-8"))
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
CHINESE = "一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole units."""

    amount: int
    currency: str

    def __getattr__(self, form: str) -> str:
        grouped, wan = f"{self.amount:,}", self.amount / 10_000
        forms = {
            "wan": f"{wan:g}万元",
            "wan6": f"{wan:.6f}",
            "wan_number": f"{wan:g}",
            "yuan": f"{grouped}.00元",
            "sign": f"￥{grouped}.00",
            "plain": str(self.amount),
            "number": str(self.amount),
            "words": in_words(self.amount) + "元整",
            "usd": f"USD {grouped}",
            "dollar": f"${grouped}",
            "gbp": f"£{grouped}",
            "million": f"USD {self.amount / 1e6:g} million",
        }
        return forms[form]

    def truth(self) -> dict[str, Any]:
        return {"amount": self.amount, "currency": self.currency}


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and a time, of no zone."""

    at: datetime

    def __getattr__(self, form: str) -> str:
        at = self.at
        day, hour = f"{at.year}年{at.month}月{at.day}日", at.hour % 12 or 12
        forms = {
            "zh": f"{day}{at.hour}时{at:%M}分",
            "zh_pad": f"{at:%Y年%m月%d日 %H:%M}",
            "zh_half": f"{day}{'上午' if at.hour < 12 else '下午'}{hour}:{at:%M}",
            "zh_dian": f"{day}{'上午' if at.hour < 12 else '下午'}{hour}点" + ("半" if at.minute else ""),
            "iso": f"{at:%Y-%m-%d %H:%M}",
            "slash": f"{at.year}/{at.month}/{at.day} {at:%H:%M}",
            "en": f"{at.day} {at:%B %Y} at {at:%H:%M}",
            "us": f"{at:%B} {at.day}, {at.year} at {hour}:{at:%M} {'AM' if at.hour < 12 else 'PM'}",
            "hours_first": f"{at:%H:%M} hours on {at.day} {at:%B %Y}",
        }
        return forms[form]

    def truth(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M}"


@dataclass(frozen=True, slots=True)
class Period:
    """From one day to another."""

    first: datetime
    last: datetime

    def __getattr__(self, form: str) -> str:
        a, b = self.first, self.last
        forms = {
            "zh": f"{a.year}年{a.month}月{a.day}日至{b.year}年{b.month}月{b.day}日",
            "zh_pad": f"{a:%Y年%m月%d日}至{b:%Y年%m月%d日}",
            "iso": f"{a:%Y-%m-%d}至{b:%Y-%m-%d}",
            "en": f"{a.day} {a:%B %Y} to {b.day} {b:%B %Y}",
        }
        return forms[form]

    def truth(self) -> str:
        return f"{self.first:%Y-%m-%d}/{self.last:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Duration:
    """A number of days, weeks or months."""

    n: int
    unit: str

    @property
    def months(self) -> int:
        return self.n

    @property
    def years(self) -> int:
        return self.n // 12

    def truth(self) -> dict[str, Any]:
        return {"number": self.n, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the contract price."""

    percent: int

    @property
    def percent_zh(self) -> str:
        return {5: "五", 8: "八", 10: "十"}[self.percent]

    def truth(self) -> dict[str, Any]:
        return {"percent": float(self.percent)}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a consortium may bid."""

    yes: bool

    def __getattr__(self, form: str) -> str:
        forms = {
            "zh": ("不接受", "接受"),
            "yesno": ("否", "是"),
            "en": ("not permitted", "permitted"),
            "may": ("may not", "may"),
        }
        return forms[form][self.yes]

    def truth(self) -> bool:
        return self.yes


def draw(language: str, seed: int) -> dict[str, Any]:
    """The facts of one tender, by the names that layouts use."""
    pool, dice = POOLS[language], random.Random(f"{language}-{seed}")  # noqa: S311 - a seed, not a secret
    days = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=dice.randrange(60))
    deadline = days + timedelta(days=dice.randrange(21, 30), hours=dice.choice((9, 10, 14)), minutes=30)
    budget = dice.randrange(60, 900) * 10_000
    money = {
        "budget": budget,
        "ceiling": budget - dice.randrange(1, 5) * 10_000,
        "bid_bond": dice.randrange(1, 5) * 10_000,
    }
    currency = pool["currency"]
    return {
        **{
            key: dice.choice(pool[key])
            for key in ("name", "purchaser", "agency", "procedure", "method", "place")
        },
        **{key: Money(amount, currency) for key, amount in money.items()},
        "payment": dice.choice(pool["payment"]),
        "number": dice.choice(pool["number"]).format(dice.randrange(100, 999)),
        "performance_bond": Share(dice.choice((5, 8, 10))),
        "documents": Period(days, days + timedelta(days=dice.randrange(5, 9))),
        "questions": Moment(deadline - timedelta(days=10, hours=-2)),
        "bid_deadline": Moment(deadline),
        "opening": Moment(deadline + timedelta(minutes=dice.choice((30, 60)))),
        "validity": Duration(dice.choice((60, 90, 120)), "day"),
        "period": Duration(dice.randrange(20, 200), pool["period_unit"]),
        "warranty": Duration(dice.choice((24, 36, 60)), "month"),
        "consortium": Allowed(dice.random() < 0.4),
        "requirements": dice.sample(pool["requirements"], dice.randrange(4, 7)),
        "items": [
            {**item, "number": str(dice.randrange(2, 90))}
            for item in dice.sample(pool["items"], dice.randrange(4, 8))
        ],
        "criteria": _criteria(pool["criteria"], dice),
    }


def _criteria(pool: list[dict[str, str]], dice: random.Random) -> list[dict[str, Any]]:
    """Some criteria whose points make 100."""
    chosen = dice.sample(pool, dice.randrange(4, 7))
    points = [5 * dice.randrange(1, 4) for _ in chosen[1:]]
    return [{**one, "points": many} for one, many in zip(chosen, [100 - sum(points), *points], strict=True)]


def in_words(amount: int) -> str:
    """3800000 → 叁佰捌拾万, as on a cheque."""
    high, low = divmod(amount, 10_000)
    if not high:
        return _group(low)
    gap = "零" if 0 < low < 1000 else ""
    return _group(high) + "万" + (gap + _group(low) if low else "")


def _group(number: int) -> str:
    text, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + _PLACES[place]
        gap = not digit
    return text
