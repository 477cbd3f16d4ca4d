"""The ledger that handlers write outside the database, read as it grows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.history import ALWAYS, Mark, Operation, Phase

#: What a handler may note at its end: an outcome that it wants recorded, or that it was stopped.
OUTCOMES = frozenset({"completed", "retry"})
ENDS = OUTCOMES | {"stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What an attempt did: start, step, or one of `ENDS`; `at` on the host's monotonic clock."""

    what: str
    task: str
    attempt: int
    n: int
    pid: int
    at: float


@dataclass(slots=True)
class Ledger:
    """All lines so far, and which attempts have begun and not ended in which process."""

    path: Path
    lines: list[Line] = field(default_factory=list)
    running: dict[int, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    _place: int = 0
    _rest: bytes = b""

    def read(self) -> None:
        """Takes in what was written since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._place)
            found = file.read()
        self._place += len(found)
        *whole, self._rest = (self._rest + found).split(b"\n")
        for text in whole:
            self._take(Line(**json.loads(text)))

    def _take(self, line: Line) -> None:
        self.lines.append(line)
        if line.what == "start":
            self.running[line.pid].add((line.task, line.attempt))
        elif line.what in ENDS:
            self.running[line.pid].discard((line.task, line.attempt))

    def operations(self) -> Iterator[Operation]:
        """Claims, each made before its handler's first line, and outcomes, each perhaps recorded later."""
        for line in self.lines:
            who = {"proc": str(line.pid), "task": line.task, "attempt": line.attempt}
            if line.what == "start":
                yield Operation(**who, f="claim", begin=ALWAYS, end=line.at)
            elif line.what in OUTCOMES:
                yield Operation(**who, f="outcome", phase=Phase.INFO, begin=line.at, status=line.what)

    def marks(self, what: str = "step") -> Iterator[Mark]:
        """The effects of steps, or of a map's items."""
        for line in self.lines:
            if line.what == what:
                yield Mark(task=line.task, n=line.n, attempt=line.attempt)
