"""One execution of one task: run, stop in time, turn the outcome into a transition, record it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from duly.execute.journal import Journal
from duly.execute.offload import Execution, Place
from duly.execute.verdict import raised
from duly.failpoints import failpoint
from duly.model.errors import DulyError, NotReady
from duly.model.events import Emit, EventType, current_task
from duly.model.outcome import Completed, Failed, HandedBack, Outcome, Snoozed, Stopped
from duly.model.policy import RetryPolicy
from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.registry import TaskType
from duly.store import lists
from duly.store.claims import Finish, finish
from duly.store.database import Database

RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


def conclude(claimed: Claimed, outcome: Outcome, policy: RetryPolicy) -> Finish:
    """The transition that an outcome asks for."""
    match outcome:
        case Completed(result):
            return _finish(claimed, Status.COMPLETED, EventType.COMPLETED, result=result)
        case Snoozed(delay_ms, reason):
            return _finish(
                claimed,
                Status.WAITING,
                EventType.WAITING,
                delay_ms=delay_ms,
                wait_kind="snooze",
                reason=reason,
            )
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


def _unrecordable(end: Finish, error: DulyError) -> Finish:
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


class Attempt:
    """One attempt of one task, from its claim until its outcome is recorded or its lease is lost."""

    def __init__(
        self, claimed: Claimed, kind: TaskType, database: Database, *, emit: Emit, stuck: float
    ) -> None:
        self.claimed = claimed
        self.lane = kind.lane
        #: Whether its handler has ended, so that its slot is free.
        self.handled = False
        self._kind = kind
        self._database = database
        self._emit = emit
        self._stuck_seconds = stuck
        self._journal = Journal(database, claimed, emit=emit, lost=self.lose)
        #: What others want of it; a value once they do.
        self._wish: list[Outcome | None] = []
        self._woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: When the handler must have ended, in the loop's time.
        self.ends_by = asyncio.get_running_loop().time() + self._seconds()
        #: Set when the handler ignores its stop: what shall be recorded once its process is gone.
        self.last_word: Finish | None = None

    def cancel(self) -> None:
        """Somebody asked for a cancel: stop the handler; its task ends as cancelled."""
        self._end(Stopped())

    def hand_back(self, reason: str) -> None:
        """The worker must stop: stop the handler; its task goes back, uncharged."""
        self._end(HandedBack(reason))

    def lose(self) -> None:
        """The task is no longer ours: stop the handler, record nothing."""
        self._end(None)

    def _end(self, wish: Outcome | None) -> None:
        if not self._wish:
            self._wish.append(wish)
            self._wake()

    def _wake(self, *_: Any) -> None:
        if not self._woken.done():
            self._woken.set_result(None)

    async def run(
        self, place: Place, stuck: Callable[[Attempt], None], ended: Callable[[Attempt], None]
    ) -> None:
        """Runs the attempt until its outcome is recorded. `ended` is called when the handler has ended,
        `stuck` if it ignores its stop for too long."""
        current_task.set(self.claimed.id)
        self._say("attempt.started", task_type=self.claimed.task_type, attempt=self.claimed.attempt)
        outcome = await self._outcome(place, stuck)
        ended(self)
        if outcome is None:
            self._say("attempt.lease_lost", attempt=self.claimed.attempt)
            return
        with contextlib.suppress(NotReady):
            await self._journal.close()
        failpoint("attempt.before_finish")
        await self._record(conclude(self.claimed, outcome, self._kind.policy))

    async def _outcome(self, place: Place, stuck: Callable[[Attempt], None]) -> Outcome | None:
        try:
            steps = await self._steps() if self.claimed.attempt > 1 else []
            arguments = self._kind.bind(json.loads(self.claimed.input))
        except DulyError as error:
            return Failed(code=error.code, message=str(error), retryable=False)
        if self._wish:  # the handler need not begin at all
            return self._wish[0]
        self.ends_by = asyncio.get_running_loop().time() + self._seconds()
        execution = place.execution(self._kind, self.claimed, self._journal, steps, arguments)
        work = execution.start()
        await self._until_ended(work)
        if work.done():
            return self._ended(work)
        wish = self._wish[0] if self._wish else self._timed_out()
        return await self._stop(execution, work, wish, stuck)

    async def _until_ended(self, work: asyncio.Task[Outcome]) -> None:
        """Waits for the handler's end, a wish or the timeout, whichever is first."""
        work.add_done_callback(self._wake)
        timer = asyncio.get_running_loop().call_at(self.ends_by, self._wake)
        try:
            await self._woken
        finally:
            timer.cancel()

    async def _steps(self) -> list[Step]:
        """What earlier attempts remembered. A busy database costs time, not a retry."""
        steps: list[Step] = []
        while not self._wish:
            try:
                steps = await self._database.read(lists.steps, self.claimed.id)
                break
            except NotReady as error:
                self._say("journal.waiting", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[1])
        if steps:
            self._say("attempt.replays", steps=len(steps))
        return steps

    def _seconds(self) -> float:
        """How long the handler may run: its timeout, cut short by the task's deadline."""
        limit = self.claimed.timeout_ms
        if self.claimed.deadline_at is not None:
            limit = min(limit, self.claimed.deadline_at - self._database.clock.now_ms())
        return max(0.0, limit / 1000)

    def _timed_out(self) -> Failed:
        deadline = self.claimed.deadline_at
        if deadline is not None and self._database.clock.now_ms() >= deadline:
            return Failed(
                code="deadline_exceeded", message="The deadline passed while it ran.", retryable=False
            )
        seconds = self.claimed.timeout_ms / 1000
        return Failed(code="timeout", message=f"The attempt took longer than its timeout of {seconds:g} s.")

    async def _stop(
        self,
        execution: Execution,
        work: asyncio.Task[Outcome],
        wish: Outcome | None,
        stuck: Callable[[Attempt], None],
    ) -> Outcome | None:
        """Stops the handler. A result that it still returned is kept: it was paid for."""
        execution.stop()
        await asyncio.wait({work}, timeout=self._stuck_seconds)
        if not work.done():
            self._say("attempt.ignores_stop", attempt=self.claimed.attempt, seconds=self._stuck_seconds)
            await self._until_stopped(execution, work, self.ends_by)
            if not work.done():
                self.last_word = conclude(self.claimed, wish, self._kind.policy) if wish is not None else None
                stuck(self)
                await self._until_stopped(execution, work, float("inf"))
        ended = self._ended(work)
        return ended if isinstance(ended, Completed) and wish is not None else wish

    def _ended(self, work: asyncio.Task[Outcome]) -> Outcome:
        if work.cancelled():  # before its first line
            return Stopped()
        defect = work.exception()  # of ours: it must not leave the task running for ever
        return work.result() if defect is None else raised(defect)

    async def _until_stopped(self, execution: Execution, work: asyncio.Task[Outcome], latest: float) -> None:
        """Asks again and again: after a timeout for ever, after a cancel until the timeout strikes too."""
        loop = asyncio.get_running_loop()
        while not work.done() and (left := latest - loop.time()) > 0:
            execution.stop()
            await asyncio.wait({work}, timeout=min(left, self._stuck_seconds))

    async def _record(self, end: Finish) -> None:
        """Records the outcome; as long as the database refuses, it is tried again: the work was paid for."""
        status: Status | None = None
        for number in range(1_000_000):
            try:
                status = await self._database.write(finish, end)
                break
            except NotReady as error:
                self._say("attempt.record_failed", error=str(error), tries=number + 1)
                if not self._database.is_open:
                    return
            except DulyError as error:
                self._say("attempt.record_refused", error=str(error), tries=number + 1)
                end = _unrecordable(end, error)
            await asyncio.sleep(RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)])
        if status is None:
            self._say("attempt.lease_lost", attempt=end.attempt)
        else:
            self._say(
                f"attempt.{status.value}", attempt=end.attempt, error_code=end.error_code, error=end.error
            )

    def _say(self, name: str, **fields: Any) -> None:
        self._emit(name, task_id=self.claimed.id, **fields)
