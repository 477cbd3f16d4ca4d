"""When a delivery that failed is sent again: the schedule of Standard Webhooks, jittered."""

from __future__ import annotations

import random

#: Seconds before each send; the first is at once. After the last, the delivery is dead.
SCHEDULE = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.1
DAY = 86_400.0


def delay_ms(attempt: int, retry_after: float | None = None, roll: float | None = None) -> int | None:
    """Milliseconds until the send after send number `attempt` (from 1); None when there is none.

    A receiver's Retry-After (seconds) is kept if it is later, up to a day. `roll` in 0..1 replaces the
    die in tests.
    """
    if attempt >= len(SCHEDULE):
        return None
    die = random.random() if roll is None else roll  # noqa: S311 - spreads load, hides nothing
    seconds = SCHEDULE[attempt] * (1 - JITTER + 2 * JITTER * die)
    return round(1000 * max(seconds, min(retry_after or 0.0, DAY)))
