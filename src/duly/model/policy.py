"""When a failed attempt is tried again (exponential, jittered, capped), and how one that kills is found."""

from __future__ import annotations

import random
from dataclasses import dataclass


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


#: Deaths of a worker process under a task that was alone in it; then the task ends as failed, `worker_lost`.
MOST_LOSSES = 3


#: Deaths in a row that bring a task under suspicion. One happens to anybody: a deploy, a neighbour's memory.
DEATHS_OF_A_SUSPECT = 2


def share_after_death(held: int) -> int:
    """How many may share the next process of a task whose worker died holding `held` tasks.

    One in eight of them: 64 companions of one that kills are cleared in groups of 8, then alone.
    """
    return max(1, held // 8)
