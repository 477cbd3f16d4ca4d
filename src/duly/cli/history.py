"""What a timeline says about attempts and steps: the same facts on both desks, for both tell the timeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

#: The events that end an attempt, and the outcome that each means; one that was to wait may be woken at once.
ENDS = ("completed", "failed", "cancelled", "retry", "waiting", "woken", "lost", "handed_back")


def attempts(events: Iterable[Json]) -> list[Json]:
    """Each attempt with its times, outcome and error; a running one has no outcome yet."""
    found: list[Json] = []
    for event in events:
        if event["type"] == "started":
            found.append({"attempt": event["data"].get("attempt"), "started_at": event["at"], **_OPEN})
        elif event["type"] in ENDS and found and found[-1]["outcome"] is None:
            data = event["data"]
            reason = data.get("error") or data.get("reason")
            outcome = "waiting" if event["type"] == "woken" else event["type"]
            found[-1] |= {"ended_at": event["at"], "outcome": outcome, "error": reason}
            found[-1]["error_code"] = data.get("error_code")
    return found


_OPEN = {"ended_at": None, "outcome": None, "error_code": None, "error": None}


def steps(events: Iterable[Json]) -> list[Json]:
    """The remembered steps: name, n, the attempt that computed it, how long that took, when it was kept."""
    return [{**event["data"], "at": event["at"]} for event in events if event["type"] == "step"]


def jobs(events: Iterable[Json]) -> list[Json]:
    """The external jobs: name, external_id, and what was last heard of each."""
    found = {
        (event["data"]["name"], event["data"]["external_id"]): event for event in events if _of_job(event)
    }
    return [{**event["data"], "at": event["at"]} for event in found.values()]


def _of_job(event: Json) -> bool:
    return bool(event["type"] == "job")


def computed_twice(events: Iterable[Json]) -> list[str]:
    """The steps that were recorded more than once; Duly's promise is that there are none."""
    counted = Counter((step["name"], step["n"]) for step in steps(events))
    return [f"{name}#{n}" for (name, n), times in counted.items() if times > 1]
