"""A provider's minute: how many requests and tokens each second took; no 60 seconds see more than they may.

Two rules. The sum over the last 61 seconds never passes the rate: that is exact, wherever a minute begins.
And a bucket that refills evenly spreads it, so that the first seconds do not take it all.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import NamedTuple

#: A second's entry counts so long, in seconds: a minute, and the second itself.
WINDOW = 61
#: Milliseconds in which a bucket earns one rate: as evenly as the window allows.
EVEN_MS = WINDOW * 1000
REQUESTS, TOKENS = 0, 1
#: What is saved up where there is no rate: whatever the next one allows.
FULL = 1e12


class Unused(NamedTuple):
    """What was taken in a second and not used; negative: it was more."""

    second: int
    requests: int
    tokens: int


def burst(rate: int) -> float:
    """What can be saved up: two seconds' worth."""
    return max(1.0, rate / 30)


@dataclass(slots=True)
class Minute:
    """`levels` are what is saved up of requests and tokens, as of `at`, milliseconds UTC."""

    levels: list[float]
    at: int
    seconds: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, requests: float, tokens: float, at: int, seconds: str) -> Minute:
        """From its columns."""
        return cls([requests, tokens], at, {second: counts for second, *counts in json.loads(seconds)})

    @property
    def text(self) -> str:
        """Its seconds as its column has them."""
        return json.dumps(
            [[second, *counts] for second, counts in self.seconds.items()], separators=(",", ":")
        )

    def turn(self, now: int, rates: tuple[int | None, int | None]) -> None:
        """Forgets what is over, and earns what the time since has brought."""
        first = now // 1000 - WINDOW
        self.seconds = {second: counts for second, counts in self.seconds.items() if second > first}
        for which, rate in enumerate(rates):
            earned = self.levels[which] + max(0, now - self.at) * (rate or 0) / EVEN_MS
            self.levels[which] = min(burst(rate), earned) if rate else FULL
        self.at = now

    def opens_in(self, now: int, tokens: int, rates: tuple[int | None, int | None]) -> int:
        """Milliseconds until one more request of so many tokens fits; 0: now."""
        needs = (1, tokens)
        waits = [self._wait(now, which, needs[which], rate) for which, rate in enumerate(rates) if rate]
        return max(waits, default=0)

    def _wait(self, now: int, which: int, need: int, rate: int) -> int:
        lacking = min(need, burst(rate)) - self.levels[which]
        wait = math.ceil(lacking * EVEN_MS / rate) if lacking > 1e-9 else 0
        over = (
            self.used(which) + min(need, rate) - rate
        )  # more than a minute's worth goes when nothing else did
        for second in sorted(self.seconds):
            if over <= 0:
                break
            over -= self.seconds[second][which]
            wait = max(wait, (second + WINDOW) * 1000 - now)
        return wait

    def used(self, which: int) -> int:
        """What the last 61 seconds took."""
        return sum(counts[which] for counts in self.seconds.values())

    def take(self, now: int, tokens: int) -> None:
        """One request of so many tokens."""
        self._add(now // 1000, 1, tokens)

    def give_back(self, now: int, unused: Unused) -> None:
        """What was not used counts no more, in the second that took it; what was used above it counts now."""
        second, requests, tokens = unused
        if tokens < 0 or requests < 0:
            self._add(now // 1000, -min(0, requests), -min(0, tokens))
        if second in self.seconds:
            had = self.seconds[second]
            back = (min(had[REQUESTS], max(0, requests)), min(had[TOKENS], max(0, tokens)))
            self._add(second, -back[REQUESTS], -back[TOKENS])

    def _add(self, second: int, requests: int, tokens: int) -> None:
        counts = self.seconds.setdefault(second, [0, 0])
        for which, count in enumerate((requests, tokens)):
            counts[which] += count
            self.levels[which] -= count
