"""What a soak says of tasks that no client submitted: children, items of maps, ticks of schedules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from duly.model.state import TERMINAL
from support.history import Operation, Phase
from support.rooms import moments

Rows = Sequence[Any]

#: The type with a limit, and how many of it may run at once.
LIMITED, CAP = "soak.limited", 2
#: From one tick of the soak's schedule to the next.
BEAT_MS = 2000


def recorded_items(items: Rows) -> dict[tuple[str, int], int]:
    """(task, item from 0) to the attempt whose value is kept."""
    values = {(row.task_id, row.n): json.loads(row.result) for row in items if row.result is not None}
    return {(task, value["n"]): value["attempt"] for (task, _), value in values.items()}


def strange_families(tasks: Rows, results: Mapping[str, Any]) -> Iterator[str]:
    """Parents that heard something else of their children than what these became, or left some alive."""
    children: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in tasks:
        if row.parent_id is not None:
            children[row.parent_id][row.id] = row
    parents = {row.id: row for row in tasks}
    for id_, its in children.items():
        parent = parents[id_]
        alive = [child for child, row in its.items() if row.status not in TERMINAL]
        if parent.status in TERMINAL and alive:
            yield f"{id_}: {parent.status}, and its children {alive} have not ended"
        if parent.status == "completed":
            kin = {child: results.get(child) for child in its}
            if results[id_]["kin"] != kin:
                yield f"{id_}: heard {results[id_]['kin']} of its children, which became {kin}"


def exceeded(tasks: Rows, events: Rows) -> Iterator[str]:
    """Moments at which more tasks of the limited type ran than may; of one moment, ends come first."""
    ours = {row.id: LIMITED for row in tasks if row.task_type == LIMITED}
    for limit, at, count in moments(events, ours):
        if count > CAP:
            yield f"at {at} ran {count} tasks of {limit}, of which {CAP} may"


def strange_ticks(tasks: Rows) -> Iterator[str]:
    """Ticks that were submitted twice, or left out between two others."""
    keys = [row.idempotency_key for row in tasks if str(row.idempotency_key).startswith("schedule/")]
    ticks = sorted(int(key.rsplit("/", 1)[1]) for key in keys)
    for before, after in pairwise(ticks):
        if after - before != BEAT_MS:
            yield f"from tick {before} to the next {after} are {after - before} ms"


def silent_births(tasks: Rows) -> Iterator[Operation]:
    """The submits of tasks that no client saw accepted, and the cancels of children whose parent failed."""
    status = {row.id: row.status for row in tasks}
    for row in tasks:
        said = {"proc": "database", "phase": Phase.INFO, "task": row.id}
        if row.parent_id is not None or str(row.idempotency_key).startswith("schedule/"):
            yield Operation(**said, f="submit")
        if row.parent_id is not None and status[row.parent_id] in ("failed", "cancelled"):
            yield Operation(**said, f="cancel")
