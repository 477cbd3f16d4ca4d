"""Dates and times in running text, to ISO 8601: 2025年11月20日9时30分, 20 November 2025 at 10:00."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?P<{0}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CLOCK = (
    r"(?:[\s,，]*(?:(?:at|by|before|（[^）]{1,6}）|\([^)]{1,12}\))\s*)?(?:(?P<half>上午|下午|晚上|中午)\s*)?"
    r"(?P<hour>\d{1,2})\s*(?:[:：]\s*(?P<minute>\d{2})(?:[:：]\d{2})?|[时時点點]\s*(?:(?P<minute2>\d{1,2})\s*分|整|(?P<half_past>半))?)"
    r"(?:\s*(?P<ampm>[ap]\.?m\.?\b))?)?"
)
_PATTERNS = (
    re.compile(r"(?P<y>\d{4})\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*[日号]" + _CLOCK),
    re.compile(r"(?<![\d-])(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)T?" + _CLOCK),
    re.compile(
        r"\b(?P<d>\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?"
        + _MONTH.format("name")
        + r",?\s+(?P<y>\d{4})"
        + _CLOCK,
        re.IGNORECASE,
    ),
    re.compile(
        r"\b" + _MONTH.format("name") + r"\s+(?P<d>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y>\d{4})" + _CLOCK,
        re.IGNORECASE,
    ),
)
_TIME_FIRST = re.compile(
    r"(?P<hour>\d{1,2})[:.]?(?P<minute>\d{2})\s*(?P<ampm>[ap]\.?m\.?)?(?:\s*(?:hours|hrs|h))?"
    r"(?:\s*\(?[A-Za-z]+ time\)?)?,?\s+(?:on|of)?\s*(?:[A-Z][a-z]+day,?\s*)?$",
    re.IGNORECASE,
)
_LAW = re.compile(r"^\s*(?:起)?(?:施行|修正|修订|发布|公布|颁布|通过)")
_ZONES = ((re.compile(r"北京时间|Beijing time|CST"), "+08:00"), (re.compile(r"\b(?:UTC|GMT)\b"), "Z"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A date, with its time where one is given and its zone where one is named, and where it stands."""

    iso: str
    start: int
    end: int


def moments(text: str) -> Iterator[Moment]:
    """The dates in `text`, in order; not those on which a law was passed or took effect."""
    found = [m for pattern in _PATTERNS for match in pattern.finditer(text) if (m := _moment(match, text))]
    return iter(sorted(found, key=lambda moment: moment.start))


def _moment(match: re.Match[str], text: str) -> Moment | None:
    after = text[match.end() : match.end() + 24]
    before = text[max(0, match.start() - 40) : match.start()]
    cited = before.rstrip().endswith(("》（", "》(")) or re.search(
        r"(?:Act|Law|Order|Regulations?|as amended)\W*(?:of|on|dated)?\s*$", before
    )
    if _LAW.match(after) or cited:
        return None
    try:
        day = datetime(int(match["y"]), _month(match), int(match["d"]))  # noqa: DTZ001 - the zone is added as text
        first = _TIME_FIRST.search(before) if match["hour"] is None else None
        if first:  # 10:30 hours on 5 March 2026
            return Moment(
                iso=_iso(day, {**match.groupdict(), **first.groupdict()}, after),
                start=match.start() - len(before) + first.start(),
                end=match.end(),
            )
        return Moment(iso=_iso(day, match.groupdict(), after), start=match.start(), end=match.end())
    except ValueError:
        return None


def _month(match: re.Match[str]) -> int:
    names = match.groupdict()
    return int(names["m"]) if names.get("m") else _MONTHS.index(names["name"].lower()) + 1


def _iso(day: datetime, match: dict[str, str | None], after: str) -> str:
    if match["hour"] is None:
        return day.date().isoformat()
    hour = int(match["hour"])
    minute = int(match["minute"] or match.get("minute2") or (30 if match.get("half_past") else 0))
    afternoon = (match["half"] or "") in {"下午", "晚上"} or (match["ampm"] or "").lower().startswith("p")
    hour += 12 if afternoon and hour < 12 else 0
    if hour > 24 or minute > 59:
        raise ValueError(f"no time of day: {hour}:{minute}")
    zone = next((offset for pattern, offset in _ZONES if pattern.search(after[:16])), "")
    return (day + timedelta(hours=hour, minutes=minute)).isoformat() + zone
