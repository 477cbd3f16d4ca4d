"""When a schedule's ticks fall: a cron line in a time zone, or an interval from an anchor.

A line that names its hours is read on the wall clock: a moment that the clocks leave out comes when they go
on, one that they show twice comes once. A line for every hour runs in real time: each hour that passes.
Cron lines are parsed by `cronsim`, imported on first use.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from duly.clock import EPOCH
from duly.model.errors import InvalidInput

#: The shortest and the longest interval, in milliseconds.
SHORTEST_MS = 1_000
LONGEST_MS = 366 * 86_400_000
LINE_LIMIT = 100
HOUR, FIELDS = 1, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """A tick each `every_ms`, counted from `anchor_at`: late ticks move none of those after them."""

    every_ms: int
    anchor_at: int = 0

    def __post_init__(self) -> None:
        if not SHORTEST_MS <= self.every_ms <= LONGEST_MS:
            raise InvalidInput("every must be 1 second to 366 days")

    def after(self, at: int) -> int:
        """The first tick after that moment; all times are milliseconds UTC."""
        return self.until(at) + self.every_ms

    def until(self, at: int) -> int:
        """The last tick that is not after that moment."""
        return at - (at - self.anchor_at) % self.every_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The ticks of a cron line of five fields (minute, hour, day, month, weekday) in an IANA time zone."""

    line: str
    zone: str = "UTC"
    _place: ZoneInfo = field(init=False, repr=False, compare=False)
    _hourly: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", zone_of(self.zone))
        object.__setattr__(self, "_hourly", _is_hourly(str(self.line)))

    def after(self, at: int) -> int:
        """The first tick after that moment; all times are milliseconds UTC.

        Raises:
            InvalidInput: there is none in 50 years.
        """
        for tick in self._ticks(at):
            if tick > at:
                return tick
        raise InvalidInput(f"the cron line {self.line!r} never comes")

    def until(self, at: int) -> int:
        """The last tick that is not after that moment."""
        for tick in self._ticks(at, back=True):
            if tick <= at:
                return tick
        raise InvalidInput(f"the cron line {self.line!r} never came")

    def _ticks(self, at: int, *, back: bool = False) -> Iterator[int]:
        """The ticks from about that moment on, or back from it; each once or more."""
        here = (EPOCH + timedelta(seconds=at // 1000)).astimezone(self._place)
        if self._hourly:
            fields = self.line.split()
            fields[HOUR] = "*"
            start = here + timedelta(seconds=1) if back else here
            yield from (_ms(moment) for moment in _sim(" ".join(fields), start, back))
            return
        if back:  # on the second pass of a repeated hour the first may show a later time
            here += timedelta(seconds=1) + max(timedelta(0), _offset(here, 0) - _offset(here, 1))
        for shown in _sim(self.line, here.replace(tzinfo=None, fold=0), back):
            yield _ms(self._real(shown))

    def _real(self, shown: datetime) -> datetime:
        """The first moment at which the wall clock shows this time, or has just left it out."""
        while (moment := shown.replace(tzinfo=self._place)).astimezone(UTC).astimezone(self._place) != moment:
            shown += timedelta(minutes=1)
        return moment


Rhythm = Every | Cron


def rhythm(
    *, cron: str | None = None, zone: str | None = None, every: Any = None, anchor_at: int = 0
) -> Rhythm:
    """The calendar of a schedule, from a cron line with its zone or from seconds.

    Raises:
        InvalidInput: both or neither, a line, a zone or an interval that is none, a line that never comes.
    """
    if (cron is None) == (every is None):
        raise InvalidInput("a schedule needs a cron line or every (seconds): one of them")
    if cron is not None:
        found = Cron(line=cron, zone="UTC" if zone is None else zone)
        found.after(anchor_at)
        return found
    if zone is not None:
        raise InvalidInput("zone goes with a cron line; an interval is the same everywhere")
    if isinstance(every, bool) or not isinstance(every, int | float) or not 1 <= every <= LONGEST_MS / 1000:
        raise InvalidInput(f"every must be a number of seconds, 1 to {LONGEST_MS // 1000}, not {every!r}")
    return Every(every_ms=round(every * 1000), anchor_at=anchor_at)


def upcoming(of: Rhythm, after: int, count: int) -> list[int]:
    """The next ticks after a moment."""
    found: list[int] = []
    while len(found) < count:
        found.append(of.after(found[-1] if found else after))
    return found


def due_ticks(of: Rhythm, first: int, now: int, most: int) -> list[int]:
    """The ticks from `first`, which is one, up to now; of more than `most` the last ones, in order."""
    ticks: list[int] = []
    tick = of.until(now)
    while tick > first and len(ticks) < most:
        ticks.append(tick)
        tick = of.until(tick - 1)
    if len(ticks) < most:
        ticks.append(first)
    return ticks[::-1]


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        InvalidInput: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, TypeError, OSError):
        raise InvalidInput(
            f"there is no time zone {str(name)[:64]!r}; write for example Asia/Shanghai "
            "(on a system without zones: pip install tzdata)"
        ) from None


@functools.lru_cache(maxsize=1024)
def _is_hourly(line: str) -> bool:
    """Whether a line's hours are all of them; a line that is none is refused."""
    from cronsim import CronSimError

    if len(line) > LINE_LIMIT or len(line.split()) != FIELDS:
        raise InvalidInput(
            f"a cron line has five fields (minute hour day month weekday), for example '0 8 * * 1-5', "
            f"not {line[:LINE_LIMIT]!r}"
        )
    try:
        return len(_sim(line, EPOCH.replace(tzinfo=None), back=False).hours) == 24
    except (CronSimError, ValueError, AssertionError) as error:
        said = f": {error}".lower() if str(error) else ""
        raise InvalidInput(f"the cron line {line!r} cannot be read{said}") from None


def _sim(line: str, start: datetime, back: bool) -> Any:
    from cronsim import CronSim

    return CronSim(line, start, reverse=back)


def _offset(moment: datetime, fold: int) -> timedelta:
    return moment.replace(fold=fold).utcoffset() or timedelta(0)


def _ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
