"""Time as an argument: the host's clock in production, a hand-moved one in tests.

Everything below the composition root asks a `Clock`; nothing else in Duly reads the host's time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where `now` comes from. Wall time dates rows; monotonic time measures waits."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    def told(self, database_ms: int | None, /) -> int:
        """`now` of a transaction, when the database's own clock says `database_ms` (None: it has none)."""
        ...


class SystemClock:
    """The host's clock, which is also SQLite's; a server's own clock goes before it."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def told(self, database_ms: int | None) -> int:
        return self.now_ms() if database_ms is None else database_ms

    def monotonic(self) -> float:
        return time.monotonic()


class ServerClock:
    """A server's clock between two questions, for five seconds at most."""

    KNOWN_SECONDS = 5.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told = 0
        self._at = float("-inf")

    def set(self, database_ms: int) -> None:
        """What the server's clock says now."""
        self._told, self._at = database_ms, self._clock.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the server was asked."""
        return self._clock.monotonic() - self._at

    @property
    def known(self) -> bool:
        """Whether `now` may be asked for."""
        return self.age < self.KNOWN_SECONDS

    def now(self) -> int:
        """Milliseconds since 1970 in UTC, by the server's clock; only while it is known."""
        return self._clock.told(self._told + int(self.age * 1000))

    def monotonic(self) -> float:
        """The host's monotonic clock."""
        return self._clock.monotonic()


def iso(milliseconds: int | None) -> str | None:
    """ISO 8601 in UTC with a Z, to the millisecond; None stays None."""
    if milliseconds is None:
        return None
    moment = EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 moment. A moment without a zone is refused: it would mean two times.

    Raises:
        ValueError: not a date and time, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write for example {text}Z or {text}+08:00")
    return (moment - EPOCH) // timedelta(milliseconds=1)
