"""So many requests or tokens a minute: a bucket that refills evenly, reserved from before each request.

A reservation that was too large or too small is settled when the provider has counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class Bucket:
    """`rate` a minute; what is saved up is a tenth of that, so that no minute sees much more. Seconds of any
    one clock."""

    rate: int
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.most

    @property
    def most(self) -> float:
        """What can be saved up."""
        return max(1.0, self.rate / 10)

    def opens_in(self, now: float, count: float) -> float:
        """Seconds until so much may be taken; 0: now. More than is ever saved up waits for a full bucket."""
        self._refill(now)
        lacking = min(count, self.most) - self.level
        return max(0.0, lacking * MINUTE / self.rate)

    def take(self, now: float, count: float) -> None:
        """Reserves; the level may fall below nothing, and then later ones wait."""
        self._refill(now)
        self.level -= count

    def settle(self, difference: float) -> None:
        """Gives back what was reserved and not used; negative: it was more."""
        self.level = min(self.most, self.level + difference)

    def _refill(self, now: float) -> None:
        self.level = min(self.most, self.level + max(0.0, now - self.at) * self.rate / MINUTE)
        self.at = max(self.at, now)
