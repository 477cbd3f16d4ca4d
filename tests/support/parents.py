"""What the tests of the supervising parent play: its clock, its connection, a child process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duly.runtime.ward import Unreachable
from duly.store.claims import GivenBack


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    def told(self, _database_ms: int | None) -> int:
        return self.now_ms()


class WardOfHand:
    """A ward whose calls take a second and fail, or succeed, as told."""

    def __init__(self, clock: Hand) -> None:
        self._clock = clock
        self.fails = False
        self.fails_to_bury = False
        self.alive = True
        self.held = GivenBack()
        self.tries = 0
        self.renewed: list[str] = []
        self.buried: list[tuple[list[str], bool]] = []

    def renew(self, session: str) -> bool:
        self.tries += 1
        if self.fails:
            self._busy()
        self.renewed.append(session)
        return self.alive

    def bury(
        self, ended: Sequence[str], last_words: Sequence[dict[str, Any]], *, orderly: bool = False
    ) -> GivenBack:
        if self.fails_to_bury:
            self._busy()
        self.buried.append((list(ended), orderly))
        return self.held

    def _busy(self) -> None:
        self._clock.now += 1.0
        raise Unreachable("database is locked")


class Victim:
    """A child process that runs until it is killed."""

    pid = 1

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.killed = 0
        self.stopped = 0
        self.signals: list[int] = []

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.killed += 1
        self.returncode = -9

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def terminate(self) -> None:
        self.stopped += 1
