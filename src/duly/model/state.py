"""The states of a task and the only ways between them.

One table: the SQL CHECK, the guard in `store.transitions`, the docs' diagram and the property test
derive from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """One word on every surface: the column, the JSON field, the metric label."""

    #: Set by submit when `due` lies ahead. The clock moves it to pending. A crash leaves it as it is.
    SCHEDULED = "scheduled"
    #: Due now. Set by submit, the clock, a hand-back, an operator's retry; cleared by a claim.
    PENDING = "pending"
    #: Due, but its limit key is full; out of the claim's index. Set by a claim, cleared by a release.
    BLOCKED = "blocked"
    #: Set by a claim together with worker and attempt. After a crash the row stays running until the
    #: worker's session has ended; then it is handed back, uncharged.
    RUNNING = "running"
    #: Failed for now; due again at `due_at`. Set by a finish, cleared by the clock.
    RETRY = "retry"
    #: Suspended (snooze, durable sleep, signal, children): holds no worker and no slot.
    WAITING = "waiting"
    #: Terminal. Only an operator's retry leaves these three; history is kept.
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the task has ended."""
        return self in TERMINAL


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
#: Ended without success: what an operator may give another run.
RETRYABLE = frozenset({Status.FAILED, Status.CANCELLED})
#: Neither running nor ended: what an operator may move, or cancel at once.
IDLE = frozenset(Status) - TERMINAL - {Status.RUNNING}

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset({Status.PENDING, Status.CANCELLED}),
    Status.PENDING: frozenset({Status.RUNNING, Status.BLOCKED, Status.CANCELLED, Status.FAILED}),
    Status.BLOCKED: frozenset({Status.PENDING, Status.CANCELLED, Status.FAILED}),
    Status.RUNNING: frozenset(
        {
            Status.COMPLETED,
            Status.FAILED,
            Status.CANCELLED,
            Status.RETRY,
            Status.WAITING,
            Status.PENDING,
        }
    ),
    Status.RETRY: frozenset({Status.PENDING, Status.CANCELLED}),
    Status.WAITING: frozenset({Status.PENDING, Status.CANCELLED, Status.FAILED}),
    Status.COMPLETED: frozenset({Status.PENDING}),
    Status.FAILED: frozenset({Status.PENDING}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}


def allowed(source: Status, target: Status) -> bool:
    """Whether a task in `source` may become `target`."""
    return target in TRANSITIONS[source]
