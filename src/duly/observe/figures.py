"""The figures that are watched, and which of them are an alarm: four rules, each with its limit."""

from __future__ import annotations

from typing import Any

from duly.store.figures import Figures

#: Alarms: failed of all that ended, in percent; the mean of a type, in seconds; pending tasks.
FAILED_PERCENT, MEAN_SECONDS, BACKLOG = 10.0, 120.0, 50


def figures_wire(seen: Figures, hours: float) -> dict[str, Any]:
    """The figures as JSON; rates are percent, null where nothing is counted."""
    total = sum(seen.statuses.values())
    completed, failed = seen.statuses["completed"], seen.statuses["failed"]
    told: dict[str, Any] = {
        "hours": hours,
        "tasks": seen.statuses,
        "success_rate": _percent(completed, total),
        "failure_rate": _percent(failed, completed + failed),
        "durations": [
            {"task_type": name, "completed": count, "mean_s": round(mean / 1000, 3)}
            for name, (count, mean) in seen.durations.items()
        ],
        "retries": [{"retry_count": retries, "count": count} for retries, count in seen.retries.items()],
        "backlog": seen.backlog,
        "workers": seen.workers,
    }
    return {**told, "alerts": alerts(told)}


def alerts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Each rule with its figure, its limit, and whether it fires now."""
    slowest = max((one["mean_s"] for one in told["durations"]), default=None)
    rules = [
        ("failure_rate", told["failure_rate"], FAILED_PERCENT),
        ("mean_duration", slowest, MEAN_SECONDS),
        ("backlog", told["backlog"], BACKLOG),
    ]
    found = [
        {"code": code, "value": value, "limit": limit, "firing": value is not None and value > limit}
        for code, value, limit in rules
    ]
    return [
        *found,
        {"code": "no_worker", "value": told["workers"], "limit": 1, "firing": told["workers"] < 1},
    ]


def _percent(part: int, whole: int) -> float | None:
    return round(part * 100 / whole, 2) if whole else None
