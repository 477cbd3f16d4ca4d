"""How long the tasks of a killed process waited until they ran again, or had ended."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from support.soak_books import Kept
from support.soak_kin import LIMITED
from support.soak_ledger import Line
from support.soak_storm import Kill


def recoveries(
    found: Kept, lines: Iterable[Line], kills: Sequence[Kill], outages: Sequence[tuple[float, float]] = ()
) -> dict[str, list[float]]:
    """Kind of kill to the seconds of each such kill, until the last of the tasks it held ran again.

    Limited tasks do not count: what a dead host holds of the limit keeps them waiting too.
    The clock stands still in `outages`, when the database was away: nothing can be given back then.
    """
    offset = time.time() - time.monotonic()
    begins = _begins(found, lines, offset)
    ends = {row.id: row.completed_at / 1000 - offset for row in found.tasks if row.completed_at is not None}
    waits: dict[Kill, list[float]] = defaultdict(list)
    limited = {row.id for row in found.tasks if row.task_type == LIMITED}
    for row in found.attempts:
        if row.task_id in limited:
            continue
        kill = next((one for one in kills if row.pid in one.pids), None)
        # A paused worker may have lost its tasks long before it is killed.
        if kill is not None and row.outcome == "lost" and row.ended_at / 1000 - offset > kill.at:
            later = [at for attempt, at in begins[row.task_id] if attempt > row.attempt]
            again = min([*later, ends.get(row.task_id, math.inf)])
            waits[kill].append(again - kill.at - _away(kill.at, again, outages))
    return {
        what: [round(max(waits[kill]), 2) for kill in kills if kill.what == what and kill in waits]
        for what in {kill.what for kill in kills}
    }


def _away(begin: float, end: float, outages: Iterable[tuple[float, float]]) -> float:
    """How much of a time the database was away."""
    return sum(max(0.0, min(end, till) - max(begin, since)) for since, till in outages)


def _begins(found: Kept, lines: Iterable[Line], offset: float) -> dict[str, list[tuple[int, float]]]:
    """Task to its attempts and when each began: its handler's first line, or its claim if it died before."""
    noted = {(line.task, line.attempt): line.at for line in lines if line.what == "start"}
    cut = {
        (row.task_id, row.attempt): row.started_at / 1000 - offset
        for row in found.attempts
        if row.outcome == "lost"
    }
    begins: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for (task, attempt), at in {**cut, **noted}.items():
        begins[task].append((attempt, at))
    return begins


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that is not below `share` of all; None of none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
