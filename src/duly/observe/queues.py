"""A queue as the API and the command line show it."""

from __future__ import annotations

from typing import Any

from duly.clock import iso
from duly.store.queues import QueueState


def queue_wire(state: QueueState) -> dict[str, Any]:
    """The queue's name, whether it is paused, by whom and why, and how many of its tasks stand where."""
    words = {"paused_at": iso(state.paused_at), "paused_by": state.paused_by, "reason": state.reason}
    return {"name": state.name, "paused": state.paused_at is not None, **words, "tasks": dict(state.counts)}
