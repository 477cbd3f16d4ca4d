"""Two kinds of events: lines of a task's timeline (stored), and signals between stages (logged).

Stages call an `Emit`; only `observe` subscribes and writes logs.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

#: The task that the running code belongs to; log lines carry it.
current_task: ContextVar[str | None] = ContextVar("duly_current_task", default=None)


class EventType(StrEnum):
    """The lines of a task's timeline; `data` holds what each says."""

    ACCEPTED = "accepted"  #: {status}
    DUE = "due"  #: {} the clock moved it to pending; of a wait that is over `waiting` has said when
    STARTED = "started"  #: {attempt}
    BLOCKED = "blocked"  #: {limit} it had no room for the task
    UNBLOCKED = "unblocked"  #: {limit} there may be room now
    STEP = "step"  #: {name, n, attempt, duration_ms}
    PROGRESS = "progress"  #: {progress, message}
    LOG = "log"  #: {level, message, …}
    USAGE = "usage"  #: {…} numbers that the handler counted
    CANCEL_REQUESTED = "cancel_requested"  #: {}
    LOST = "lost"  #: {attempt, worker, held, losses} the worker died, with `held` tasks running in it
    HANDED_BACK = "handed_back"  #: {attempt, reason}
    RETRY = "retry"  #: {attempt, error_code, error, due_at}
    WAITING = "waiting"  #: {attempt, kind, due_at, reason} or {attempt, kind, name, signal, due_at}
    SIGNALLED = "signalled"  #: {name, id} a signal came and is kept until a wait takes it
    WOKEN = "woken"  #: {name, id} a signal came for which the task waits, or {attempt, name} had just come
    JOB = "job"  #: {name, did, external_id, …} submitted, poll_failed, not_final, answered, timed_out
    COMPACTED = "compacted"  #: {rounds, attempt} in place of the lines of so many rounds that ended in a wait
    COMPLETED = "completed"  #: {attempt}
    FAILED = "failed"  #: {attempt, error_code, error}
    CANCELLED = "cancelled"  #: {}
    RETRIED = "retried"  #: {} an operator asked for another run
    MOVED = "moved"  #: {queue, priority} an operator put it into another queue, or to another priority
    AGED = "aged"  #: {priority} it has waited long, and rose to this priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a task's timeline; `seq` ascends from 1 without a gap."""

    task_id: str
    seq: int
    at: int
    type: str
    data: dict[str, Any]


class Emit(Protocol):
    """How a stage says what happened: `emit("attempt.finished", task_id=…, status=…)`."""

    def __call__(self, name: str, /, **fields: Any) -> None: ...


def silent(name: str, /, **fields: Any) -> None:
    """The emitter that nobody listens to."""
