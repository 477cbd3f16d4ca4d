"""A provider as one process knows it, and the turn of one request at it."""

from __future__ import annotations

from dataclasses import dataclass, field

from duly.llm.failures import Failure
from duly.llm.providers import Provider

#: Requests at once to a provider that nothing is known of.
FIRST_WINDOW = 4


@dataclass(slots=True)
class Lane:
    """One provider as this process knows it. Moments are those of the event loop's clock."""

    provider: Provider
    busy: int = 0
    window: int = FIRST_WINDOW
    in_a_row: int = 0
    openings: int = 0
    closed_until: float = 0.0
    reason: Failure | None = None
    #: Another process makes the one request that will open it.
    probed: bool = False

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    @property
    def room(self) -> bool:
        """Whether one more request may be under way; each failure since the last answer leaves one less."""
        return self.busy < max(1, min(self.window, self.provider.concurrency) - self.in_a_row)

    def ready(self, now: float) -> bool:
        """Whether it may be asked, as far as this process knows."""
        return self.closed_until <= now and not self.probed and self.room

    def shut(self, now: float) -> bool:
        """Whether it is closed, or one request finds out whether it still is."""
        return self.closed_until > now or self.probed or (self.reason is not None and self.busy > 0)

    def close(self, now: float, seconds: float, reason: Failure) -> None:
        """Nobody asks for so long; then one does."""
        self.closed_until = max(self.closed_until, now + seconds)
        self.window, self.reason, self.in_a_row = 1, reason, 0
        self.openings += 1


@dataclass(slots=True, kw_only=True)
class Permit:
    """What one request may take: so many tokens, out of this second of the database's; or it is a probe."""

    tokens: int = 0
    second: int = 0
    probe: bool = False


@dataclass(slots=True)
class Turn:
    """One request's turn at a provider, until it is given back."""

    lane: Lane
    permit: Permit = field(default_factory=Permit)

    @property
    def provider(self) -> Provider:
        """Who is asked."""
        return self.lane.provider

    @property
    def name(self) -> str:
        """His name."""
        return self.lane.name
