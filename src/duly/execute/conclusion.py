"""The transition that an outcome asks for, how long an attempt may take, and what is recorded instead of an
outcome that cannot be kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duly.clock import Clock
from duly.model.errors import DulyError
from duly.model.events import EventType
from duly.model.job import is_job
from duly.model.outcome import Completed, Failed, HandedBack, Outcome, Snoozed, Stopped, Suspended
from duly.model.policy import RetryPolicy
from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store.claims import Finish


def conclude(claimed: Claimed, outcome: Outcome, policy: RetryPolicy) -> Finish:
    """The transition that an outcome asks for."""
    match outcome:
        case Completed(result):
            awaited = claimed.limited or claimed.parent_id is not None
            return Finish.completed(claimed.id, claimed.attempt, result, awaited=awaited)
        case Snoozed(delay_ms, reason, gates):
            return _finish(
                claimed,
                Status.WAITING,
                EventType.WAITING,
                delay_ms=delay_ms,
                wait_kind="model" if gates else "snooze",
                reason=reason,
                gates=gates,
            )
        case Suspended(waits):
            kind = wait_kind(waits)
            return _finish(claimed, Status.WAITING, EventType.WAITING, wait_kind=kind, waits=waits)
        case Stopped():
            return _finish(claimed, Status.CANCELLED, EventType.CANCELLED)
        case HandedBack(reason):
            return _finish(
                claimed, Status.PENDING, EventType.HANDED_BACK, outcome="handed_back", reason=reason
            )
        case Failed(retryable=True) if claimed.retry_count < claimed.max_retries:
            delay = (
                outcome.after_ms if outcome.after_ms is not None else policy.delay_ms(claimed.retry_count + 1)
            )
            return _failure(claimed, outcome, Status.RETRY, EventType.RETRY, delay_ms=delay, charge=1)
        case Failed():
            return _failure(claimed, outcome, Status.FAILED, EventType.FAILED, exhausted=outcome.retryable)


def wait_kind(waits: Sequence[Step]) -> str:
    """For what a task waits, in a word: children, the signal of a job, that of a person, or only the clock.
    Children and signals may both wake it."""
    if any(step.children is not None for step in waits):
        return "children"
    if any(is_job(step.waits_for) for step in waits):
        return "job"
    return "signal" if any(step.waits_for for step in waits) else "sleep"


def _finish(claimed: Claimed, target: Status, event: EventType, **fields: Any) -> Finish:
    fields.setdefault("outcome", target.value)
    return Finish(id=claimed.id, attempt=claimed.attempt, target=target, event=event, **fields)


def _failure(claimed: Claimed, failed: Failed, target: Status, event: EventType, **fields: Any) -> Finish:
    return _finish(
        claimed,
        target,
        event,
        error_code=failed.code,
        error=failed.message,
        traceback=failed.traceback,
        **fields,
    )


def unrecordable(end: Finish, error: DulyError) -> Finish:
    """What is recorded instead of an outcome that the database refuses."""
    return Finish(
        id=end.id,
        attempt=end.attempt,
        target=Status.FAILED,
        event=EventType.FAILED,
        outcome="failed",
        error_code=error.code,
        error=f"The outcome could not be kept: {error}",
    )


def seconds_left(claimed: Claimed, clock: Clock) -> float:
    """How long the handler may run: its timeout, cut short by the task's deadline."""
    limit = claimed.timeout_ms
    if claimed.deadline_at is not None:
        limit = min(limit, claimed.deadline_at - clock.now_ms())
    return max(0.0, limit / 1000)


def timed_out(claimed: Claimed, clock: Clock) -> Failed:
    """The outcome of a handler whose time is over."""
    deadline = claimed.deadline_at
    if deadline is not None and clock.now_ms() >= deadline:
        return Failed(code="deadline_exceeded", message="The deadline passed while it ran.", retryable=False)
    seconds = claimed.timeout_ms / 1000
    return Failed(code="timeout", message=f"The attempt took longer than its timeout of {seconds:g} s.")
