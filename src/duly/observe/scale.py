"""How many workers the load asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duly.store.scale import Load


def scale_wire(loads: Mapping[str, Load], slots: int, *, overdue: bool) -> dict[str, Any]:
    """The load of each queue and of all, with the workers, of `slots` tasks each, that would run it.

    `overdue`: the clock has something to do, in whichever queue; one worker in all is enough for that.
    """
    queues = {name: _wire(one, slots) for name, one in loads.items()}
    words = ("queued", "running", "blocked", "waiting")
    total: dict[str, Any] = {word: sum(one[word] for one in queues.values()) for word in words}
    total["oldest_due_s"] = max((one["oldest_due_s"] for one in queues.values()), default=0.0)
    total["slots"] = slots
    startable = sum(one.queued for one in loads.values() if not one.paused) + total["running"]
    total["overdue"] = overdue
    total["desired"] = max(-(-startable // slots), int(overdue))
    return {"total": total, "queues": queues}


def _wire(load: Load, slots: int) -> dict[str, Any]:
    """What a paused queue holds asks for nobody; what runs is not to be killed."""
    startable = load.running + (0 if load.paused else load.queued)
    return {
        "queued": load.queued,
        "running": load.running,
        "blocked": load.blocked,
        "waiting": load.waiting,
        "oldest_due_s": round(load.oldest_ms / 1000, 3),
        "slots": slots,
        "desired": -(-startable // slots),
        "paused": load.paused,
    }
