"""How an attempt ended. `execute.attempt` turns what a handler did into one of these, in one `match`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from duly.model.errors import DulyError
from duly.model.task import Step


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `result` is its JSON value."""

    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The handler gave up or broke. `retryable` leaves the choice to the policy."""

    code: str
    message: str
    traceback: str | None = None
    retryable: bool = True
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The handler asked to be called again later; not charged. `gates`: which model providers are closed."""

    delay_ms: int
    reason: str | None = None
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspended:
    """The handler can go no further until one of these waits is over; not charged."""

    waits: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The handler has truly stopped after a cancel."""


#: Why a worker that is asked to end hands its tasks back.
STOPS = "the worker stops"


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The worker stops first; the task goes back, uncharged."""

    reason: str


Outcome = Completed | Failed | Snoozed | Suspended | Stopped | HandedBack


class Suspend(BaseException):
    """Leaves a handler that waits; like `CancelledError`, nothing may catch it and go on."""

    def __init__(self, waits: tuple[Step, ...]) -> None:
        super().__init__(*[step.name for step in waits])
        self.waits = waits


class Leave(BaseException):
    """Leaves a handler before its next step because its worker stops; nothing may catch it either."""


class Fail(DulyError):
    """Ends the task as failed, without a retry: `raise Fail("no_text", "The scan holds no text.")`."""

    code = "failed"

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code, code=code)


class Retry(DulyError):
    """Fails this attempt and asks for another, charged as a retry: `raise Retry(after=30)` (seconds)."""

    code = "retry"

    def __init__(self, message: str = "", *, after: float | None = None, code: str = "retry") -> None:
        if after is not None and not 0 <= after <= 366 * 86_400:
            raise ValueError(f"a retry comes after 0 seconds to a year, not {after!r}")
        super().__init__(message or "The handler asked for a retry.", code=code)
        self.after = after


class Snooze(DulyError):
    """Puts the task aside for `seconds`; costs no retry: `raise Snooze(60, "the bank is closed")`."""

    code = "snooze"

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not 0 <= seconds <= 366 * 86_400:
            raise ValueError(f"a snooze lasts 0 seconds to a year, not {seconds!r}")
        super().__init__(reason or "The handler asked to be called again later.")
        self.seconds = seconds
