"""Whether the clock by which leases end keeps the pace of time; after a jump it says nothing of who lives.

A host that slept, an operator, NTP at a start: when the database's clock jumps forward all leases are over
at once, and when it jumps back those of the dead last longer. Whoever lives renews, and that counts then
(decision 0033).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

#: The share of a lease by which the clock may differ between two looks: no renewal is as late as the rest.
LEEWAY = 1 / 6


class Pace:
    """Compares the database's clock with `monotonic` at every look; `lease` is in seconds."""

    def __init__(self, monotonic: Callable[[], float], lease: float) -> None:
        self._monotonic = monotonic
        self._lease = lease
        self._ahead: float | None = None
        self._jumped_at = 0.0
        self._seen: Mapping[str, int] = {}
        #: Whether leases say nothing now: there was a jump, and not yet an answer of `dead`.
        self.lost = False

    def jump(self, now_ms: int, at: float) -> float:
        """By how many seconds the clock, which said `now_ms` at `at`, has jumped since the last look; 0.0: it
        kept the pace."""
        ahead = now_ms / 1000 - at
        jump = 0.0 if self._ahead is None else ahead - self._ahead
        self._ahead = ahead
        return jump if abs(jump) > LEEWAY * self._lease else 0.0

    def lose(self, leases: Mapping[str, int]) -> None:
        """There was a jump; `leases` are the ends of those of all sessions that nobody has ended."""
        self.lost, self._jumped_at, self._seen = True, self._monotonic(), leases

    def dead(self, over: Iterable[str], leases: Mapping[str, int]) -> set[str]:
        """Nobody, until a lease of true time has passed since the jump; then who is `over`, and who has not
        renewed since."""
        if self._monotonic() < self._jumped_at + self._lease:
            return set()
        self.lost = False
        return {*over, *(id_ for id_, until in self._seen.items() if leases.get(id_) == until)}
