"""How many tasks of each limit ran at once, as their timelines tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Events with which a task stops running.
STOPS = frozenset({"completed", "failed", "cancelled", "retry", "waiting", "lost", "handed_back"})


def moments(events: Iterable[Any], limits: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """(limit, time, how many run from then on) at each start and end; of one moment, ends come first.

    `events` are in the order of each task's timeline; `limits` says which task is under which limit.
    """
    moves: dict[str, list[tuple[int, int]]] = defaultdict(list)
    running: set[str] = set()
    for event in events:
        limit = limits.get(event.task_id)
        if limit is not None and event.type == "started":
            running.add(event.task_id)
            moves[limit].append((event.at, 1))
        elif event.task_id in running and event.type in STOPS:
            running.remove(event.task_id)
            moves[limit or ""].append((event.at, -1))
    for limit, its in moves.items():
        count = 0
        for at, step in sorted(its):
            count += step
            yield limit, at, count
