"""When ticks fall: cron lines where clocks are moved, intervals, and what is no calendar at all."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.clock import iso, parse_iso
from duly.model.calendar import Cron, Every, due_ticks, rhythm, upcoming
from duly.model.errors import InvalidInput


def shown(beat: Cron | Every, after: str, count: int) -> list[str]:
    """The next ticks as the zone's clocks show them."""
    zone = ZoneInfo(beat.zone) if isinstance(beat, Cron) else ZoneInfo("UTC")
    ticks = upcoming(beat, parse_iso(after), count)
    return [datetime.fromtimestamp(tick / 1000, zone).strftime("%m-%d %H:%M %Z") for tick in ticks]


def test_a_line_is_read_in_its_zone() -> None:
    """Eight in the morning in Shanghai is midnight in UTC, from Monday to Friday."""
    beat = Cron(line="0 8 * * 1-5", zone="Asia/Shanghai")
    ticks = upcoming(beat, parse_iso("2026-11-26T23:00:00Z"), 3)
    assert [iso(tick) for tick in ticks] == [
        "2026-11-27T00:00:00.000Z",
        "2026-11-30T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("30 2 * * *", ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"]),
        ("*/20 2 * * *", ["03-28 02:40 CET", "03-29 03:00 CEST", "03-30 02:00 CEST"]),
        ("0 2,3 * * *", ["03-28 03:00 CET", "03-29 03:00 CEST", "03-30 02:00 CEST"]),
    ],
)
def test_an_hour_that_the_clocks_leave_out_is_made_up_for_once(line: str, expected: list[str]) -> None:
    """What would fall into it comes as soon as the clocks have gone on, together."""
    assert shown(Cron(line=line, zone="Europe/Berlin"), "2026-03-28T01:25:00Z", 3) == expected


def test_an_hour_that_the_clocks_show_twice_ticks_once() -> None:
    """On its first pass."""
    beat = Cron(line="30 2 * * *", zone="Europe/Berlin")
    assert shown(beat, "2026-10-24T12:00:00Z", 2) == ["10-25 02:30 CEST", "10-26 02:30 CET"]
    assert shown(beat, "2026-10-25T00:45:00Z", 1) == ["10-26 02:30 CET"]
    assert shown(beat, "2026-10-25T01:10:00Z", 1) == ["10-26 02:30 CET"]
    assert shown(Cron(line="*/30 1-3 * * *", zone="Europe/Berlin"), "2026-10-25T00:10:00Z", 3) == [
        "10-25 02:30 CEST",
        "10-25 03:00 CET",
        "10-25 03:30 CET",
    ]


@pytest.mark.parametrize("line", ["30 * * * *", "30 0-23 * * *", "30 */1 * * *"])
def test_every_hour_means_each_hour_that_passes(line: str) -> None:
    """25 ticks on the day that has 25 hours, 23 on the day that has 23."""
    beat = Cron(line=line, zone="Europe/Berlin")
    for day, hours in (("2026-10-25", 25), ("2026-03-29", 23), ("2026-03-30", 24)):
        first = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        ticks = upcoming(beat, int(first.timestamp() * 1000) - 1, hours + 1)
        days = [datetime.fromtimestamp(tick / 1000, first.tzinfo).date() for tick in ticks]
        assert days.count(first.date()) == hours
        assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {3_600_000}


def test_a_day_that_a_zone_left_out_is_made_up_for() -> None:
    """Samoa had no 30 December 2011."""
    beat = Cron(line="0 8 * * *", zone="Pacific/Apia")
    assert shown(beat, "2011-12-29T12:00:00Z", 3) == ["12-29 08:00 -10", "12-31 00:00 +14", "12-31 08:00 +14"]


ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
LINES = [
    "*/7 * * * *",
    "30 * * * *",
    "30 2 * * *",
    "*/10 1-3 * * *",
    "0 0 * * *",
    "59 23 28-31 * *",
    "0 2 * * 0",
]


@given(
    zone=st.sampled_from(ZONES),
    line=st.sampled_from(LINES),
    at=st.integers(parse_iso("2026-01-01T00:00:00Z"), parse_iso("2027-01-01T00:00:00Z")),
)
def test_before_and_after_agree(zone: str, line: str, at: int) -> None:
    """Ticks ascend; the last one up to a tick is that tick, and up to just before the next one too."""
    beat = Cron(line=line, zone=zone)
    one, two = upcoming(beat, at, 2)
    assert at < one < two
    assert beat.until(one) == beat.until(two - 1) == one
    assert beat.until(one - 1) <= at


def test_an_interval_does_not_drift() -> None:
    """However late a tick is asked for, the next ones fall where they would have."""
    beat = Every(every_ms=10_000, anchor_at=3_000)
    assert [beat.after(at) for at in (3_000, 12_999, 13_000, 27_500)] == [13_000, 13_000, 23_000, 33_000]
    assert [beat.until(at) for at in (12_999, 13_000, 2_999)] == [3_000, 13_000, -7_000]


def test_of_many_missed_ticks_the_last_ones_are_due() -> None:
    """In order, and no more than are asked for."""
    beat = Every(every_ms=1_000)
    assert due_ticks(beat, 5_000, 9_500, 10) == [5_000, 6_000, 7_000, 8_000, 9_000]
    assert due_ticks(beat, 5_000, 9_500, 2) == [8_000, 9_000]
    assert due_ticks(beat, 5_000, 5_000, 1) == [5_000]


WRONG = [
    ({}, "one of them"),
    ({"cron": "* * * * *", "every": 5}, "one of them"),
    ({"cron": "* * * *"}, "five fields"),
    ({"cron": "0 * * * * *"}, "five fields"),
    ({"cron": "@daily"}, "five fields"),
    ({"cron": "61 * * * *"}, "bad minute"),
    ({"cron": "* * * * nonsense"}, "bad day-of-week"),
    ({"cron": "9" * 90 + " * * * *"}, "bad minute"),
    ({"cron": "* " * 200}, "five fields"),
    ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
    ({"cron": "0 0 * 2 5#5", "zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
    ({"cron": "0 0 * * *", "zone": "../etc/passwd"}, "no time zone"),
    ({"cron": "0 0 * * *", "zone": "America"}, "no time zone"),
    ({"cron": "0 0 * * *", "zone": ""}, "no time zone"),
    ({"every": 5, "zone": "UTC"}, "zone goes with a cron line"),
    ({"every": 0.5}, "every must be"),
    ({"every": 1e12}, "every must be"),
    ({"every": float("nan")}, "every must be"),
    ({"every": "5"}, "every must be"),
    ({"every": True}, "every must be"),
]


@pytest.mark.parametrize(("said", "problem"), WRONG)
def test_what_is_no_calendar_is_refused(said: dict[str, object], problem: str) -> None:
    """With a line that says what is wrong, before anything is kept."""
    with pytest.raises(InvalidInput, match=problem):
        rhythm(**said)  # type: ignore[arg-type]
