"""What a fault case tells of itself: its figures, and everything that was not as promised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Case:
    """One case as it goes; its fixture fails the test at the end if there is a violation."""

    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def figure(self, **figures: Any) -> None:
        """Numbers to be printed with the case."""
        self.figures |= figures

    def wrong(self, promise: str, found: Iterable[object]) -> None:
        """Each thing that was found breaks a promise."""
        self.violations += [f"{promise}: {one}" for one in found]

    def holds(self, promise: str, kept: bool, found: object = "not so") -> None:
        """A promise is kept, or `found` was seen instead."""
        self.wrong(promise, [] if kept else [found])
