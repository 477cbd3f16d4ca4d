"""The words of a bulk job: a task of a built-in type that does one thing to many tasks (decision 0046)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The task type that every worker knows. Nobody submits it: whoever may act on tasks begins a job.
BULK = "duly.bulk"
ACTIONS = ("cancel", "retry", "move")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """What is done to which tasks, once somebody has looked at who asks. Only this is accepted as a job's
    input: what comes as JSON is not, on whatever way."""

    action: str
    where: Mapping[str, Any]
    #: Where tasks are moved: queue, priority, or both.
    to: Mapping[str, Any] | None = None

    @property
    def input(self) -> dict[str, Any]:
        """The task's input."""
        told = {"action": self.action, "where": dict(self.where)}
        return told if self.to is None else {**told, "to": dict(self.to)}
