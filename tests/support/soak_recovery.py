"""How long the tasks of a killed process waited until they ran again, or had ended."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from support.soak_books import Kept
from support.soak_ledger import Line
from support.soak_storm import Kill


def recoveries(found: Kept, lines: Iterable[Line], kills: Sequence[Kill]) -> dict[str, list[float]]:
    """Kind of kill to the seconds of each such kill, until the last of the tasks it held ran again."""
    starts: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in lines:
        if line.what == "start":
            starts[line.task].append((line.attempt, line.at))
    offset = time.time() - time.monotonic()
    ends = {row.id: row.completed_at / 1000 - offset for row in found.tasks if row.completed_at is not None}
    waits: dict[Kill, list[float]] = defaultdict(list)
    for row in found.attempts:
        kill = next((one for one in kills if row.pid in one.pids), None)
        # A paused worker may have lost its tasks long before it is killed.
        if kill is not None and row.outcome == "lost" and row.ended_at / 1000 - offset > kill.at:
            again = [at for attempt, at in starts[row.task_id] if attempt > row.attempt]
            waits[kill].append(min([*again, ends.get(row.task_id, math.inf)]) - kill.at)
    return {
        what: [round(max(waits[kill]), 2) for kill in kills if kill.what == what and kill in waits]
        for what in {kill.what for kill in kills}
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that is not below `share` of all; None of none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
