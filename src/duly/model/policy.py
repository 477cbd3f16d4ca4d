"""When a failed attempt is tried again and an external job polled again (exponential, jittered, capped), and
how a task that kills is found."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from duly.model.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Delays of 2, 4, 8 … seconds, each ± `jitter`, at most `cap`.

    `max_retries` counts retries, not attempts: 3 retries are 4 attempts.
    """

    max_retries: int = 3
    base: float = 2.0
    cap: float = 300.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.max_retries <= 100:
            raise ValueError(f"max_retries must be 0..100, not {self.max_retries}")
        if self.base <= 0 or self.cap < self.base or not 0 <= self.jitter < 1:
            raise ValueError("a retry policy needs 0 < base <= cap and 0 <= jitter < 1")

    def delay_ms(self, retry: int, roll: float | None = None) -> int:
        """Milliseconds before retry number `retry` (from 1). `roll` in 0..1 replaces the die in tests."""
        nominal = min(self.cap, self.base * 2.0 ** min(retry - 1, 40))
        die = random.random() if roll is None else roll  # noqa: S311 - spreads load, hides nothing
        return round(1000 * nominal * (1 - self.jitter + 2 * self.jitter * die))


#: No external job waits longer for its next poll, unless it is asked for.
POLL_CAP = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How often an external job is polled: after 10, 15, 22 … seconds, each ± `jitter`, at most `cap`.

    So many polls in a row may fail as `patience` says; a later failure is the attempt's.
    """

    interval: float = 10.0
    growth: float = 1.5
    cap: float = POLL_CAP
    jitter: float = 0.1
    patience: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.interval <= self.cap <= 366 * 86_400:
            raise InvalidInput("polling needs 0 < interval <= cap, in seconds, at most a year")
        if not 1 <= self.growth <= 10 or not 0 <= self.jitter < 1 or self.patience < 0:
            raise InvalidInput("polling needs 1 <= growth <= 10, 0 <= jitter < 1 and patience >= 0")

    @classmethod
    def of(cls, interval: float | timedelta | Polling) -> Polling:
        """A rhythm that begins with this interval; one above the usual cap does not grow."""
        if isinstance(interval, Polling):
            return interval
        seconds = interval.total_seconds() if isinstance(interval, timedelta) else interval
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise InvalidInput(f"interval is a number of seconds, a timedelta or a Polling, not {interval!r}")
        return cls(interval=seconds, cap=max(seconds, POLL_CAP))

    def delay_ms(self, polls: int, roll: float) -> int:
        """Milliseconds from poll number `polls` (0: the submit) to the next; `roll` in 0..1 is the die."""
        grown = self.interval * self.growth ** min(polls, 200)
        return round(1000 * min(self.cap, grown * (1 - self.jitter + 2 * self.jitter * roll)))


#: Deaths of a worker process under a task that was alone in it; then the task ends as failed, `worker_lost`.
MOST_LOSSES = 3


#: Deaths in a row that bring a task under suspicion. One happens to anybody: a deploy, a neighbour's memory.
DEATHS_OF_A_SUSPECT = 2


def share_after_death(held: int) -> int:
    """How many may share the next process of a task whose worker died holding `held` tasks.

    One in eight of them: 64 companions of one that kills are cleared in groups of 8, then alone.
    """
    return max(1, held // 8)
