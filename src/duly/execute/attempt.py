"""One execution of one task: run, stop in time, turn the outcome into a transition, record it.

Nearly every attempt costs the loop one task, its handler's; the rest is two callbacks, for the handler's end
and for the record's. What is rare has a task of its own: steps to read, a stop, a database that refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from duly.execute.conclusion import conclude, seconds_left, timed_out, unrecordable
from duly.execute.journal import Journal
from duly.execute.means import Means
from duly.execute.offload import Execution, Place
from duly.execute.verdict import raised
from duly.failpoints import failpoint
from duly.model import wire
from duly.model.errors import DulyError, NotReady
from duly.model.events import Emit, current_task
from duly.model.outcome import STOPS, Completed, Failed, HandedBack, Outcome, Stopped
from duly.model.state import Status
from duly.model.task import NOTHING_YET, Claimed, Remembered
from duly.registry import TaskType
from duly.store import recall
from duly.store.claims import Finish, finish
from duly.store.database import Database

RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the attempts of one worker share, and whom they tell: that the handler began, that it has ended,
    that it ignores its stop, that the attempt is over (with the defect that ended it, if one did)."""

    database: Database
    place: Place
    emit: Emit
    stuck_seconds: float
    begun: Callable[[Attempt], None]
    handled: Callable[[Attempt], None]
    stuck: Callable[[Attempt], None]
    over: Callable[[Attempt, BaseException | None], None]
    #: What a handler may use; and who is told that a task may have become pending.
    means: Means
    stirred: Callable[[], None]


class Attempt:
    """One attempt of one task, from its claim until its outcome is recorded or its lease is lost."""

    __slots__ = (
        *("claimed", "lane", "handled", "ends_by", "last_word", "_kind", "_bench", "_loop", "_journal"),
        *("_wishes", "_stopping", "_execution", "_work", "_end_", "_tasks"),
    )

    def __init__(self, claimed: Claimed, kind: TaskType, bench: Bench) -> None:
        self.claimed = claimed
        self.lane = kind.lane
        #: Whether its handler has ended, so that its slot is free.
        self.handled = False
        #: Set when the handler ignores its stop: what shall be recorded once its process is gone.
        self.last_word: Finish | None = None
        self._kind = kind
        self._bench = bench
        self._loop = asyncio.get_running_loop()
        self._journal = Journal(
            bench.database,
            claimed,
            emit=bench.emit,
            lost=self.lose,
            version=kind.version,
            means=bench.means,
        )
        #: What others want of it; a value once they do.
        self._wishes: list[Outcome | None] = []
        self._stopping = False
        self._execution: Execution | None = None
        self._work: asyncio.Task[Outcome] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: When the handler must have ended, in the loop's time.
        self.ends_by = self._loop.time() + seconds_left(self.claimed, self._bench.database.clock)

    def cancel(self) -> None:
        """Somebody asked for a cancel: stop the handler; its task ends as cancelled."""
        self._wish(Stopped())

    def hand_back(self, *, at_once: bool) -> None:
        """The worker stops: the handler goes as far as its next step, or no further; its task goes back,
        uncharged."""
        self._journal.leave()
        if at_once or self._work is None:  # it has not even begun
            self._wish(HandedBack(STOPS))

    def lose(self) -> None:
        """The task is no longer ours: stop the handler, record nothing."""
        self._wish(None)

    def strike(self) -> None:
        """The handler's time is over."""
        if self.may_strike:
            self._begin_stop(timed_out(self.claimed, self._bench.database.clock))

    @property
    def may_strike(self) -> bool:
        """Whether a handler runs that nobody has stopped yet."""
        return self._work is not None and not self._stopping and not self.handled

    def _wish(self, wish: Outcome | None) -> None:
        if not self._wishes:
            self._wishes.append(wish)
            if self.may_strike:
                self._begin_stop(wish)

    def begin(self) -> None:
        """Starts the handler; an attempt that is not the first reads what the others remembered before."""
        self._say("attempt.started", task_type=self.claimed.task_type, attempt=self.claimed.attempt)
        token = current_task.set(self.claimed.id)  # what is started here inherits it
        try:
            if self.claimed.attempt > 1:
                self._apart(self._begin_again())
            else:
                self._start(NOTHING_YET)
        finally:
            current_task.reset(token)

    def _start(self, past: Remembered) -> None:
        if self._wishes:  # the handler need not begin at all
            self._conclude(self._wishes[0])
            return
        try:
            arguments = self._kind.bind(wire.loads_own(self.claimed.input))
        except DulyError as error:
            self._conclude(Failed(code=error.code, message=str(error), retryable=False))
            return
        self.ends_by = self._loop.time() + seconds_left(self.claimed, self._bench.database.clock)
        self._journal.ends_by = self.ends_by
        place = self._bench.place
        self._execution = place.execution(self._kind, self.claimed, self._journal, past, arguments)
        self._work = self._execution.start()
        self._work.add_done_callback(self._handler_ended)
        self._bench.begun(self)

    def _handler_ended(self, work: asyncio.Task[Outcome]) -> None:
        if not self._stopping:
            self._guarded(self._conclude, _ended(work))

    async def _begin_again(self) -> None:
        """With what earlier attempts remembered. A busy database costs time, not a retry."""
        past = NOTHING_YET
        while not self._wishes:
            try:
                past = await self._bench.database.read(recall.remembered, self.claimed.id)
                break
            except NotReady as error:
                self._say("journal.waiting", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[1])
        if past.many:
            self._say("attempt.replays", steps=past.many)
        self._start(past)

    def _begin_stop(self, wish: Outcome | None) -> None:
        if self._execution is not None and self._work is not None:
            self._stopping = True
            self._journal.stop()
            self._execution.stop()
            self._apart(self._stop(self._execution, self._work, wish))

    async def _stop(self, execution: Execution, work: asyncio.Task[Outcome], wish: Outcome | None) -> None:
        """Sees the handler stop. A result that it still returned is kept: it was paid for."""
        await asyncio.wait({work}, timeout=self._bench.stuck_seconds)
        if not work.done():
            seconds = self._bench.stuck_seconds
            self._say("attempt.ignores_stop", attempt=self.claimed.attempt, seconds=seconds)
            await self._until_stopped(execution, work, self.ends_by)
            if not work.done():
                self.last_word = conclude(self.claimed, wish, self._kind.policy) if wish is not None else None
                self._bench.stuck(self)
                await self._until_stopped(execution, work, float("inf"))
        ended = _ended(work)
        self._conclude(ended if isinstance(ended, Completed) and wish is not None else wish)

    async def _until_stopped(self, execution: Execution, work: asyncio.Task[Outcome], latest: float) -> None:
        """Asks again and again: after a timeout for ever, after a cancel until the timeout strikes too."""
        while not work.done() and (left := latest - self._loop.time()) > 0:
            execution.stop()
            await asyncio.wait({work}, timeout=min(left, self._bench.stuck_seconds))

    def _conclude(self, outcome: Outcome | None) -> None:
        """The handler has ended, or never began; None: the task belongs to others."""
        self._bench.handled(self)
        if outcome is None:
            self._say("attempt.lease_lost", attempt=self.claimed.attempt)
            if self._journal.owes:  # the task belongs to others, the bill does not
                self._apart(_in_order(self._journal.settle(), lambda: self._bench.over(self, None)))
            else:
                self._bench.over(self, None)
            return
        self._end_ = conclude(self.claimed, outcome, self._kind.policy)
        if self._journal.idle:
            self._record()
        else:
            self._apart(_in_order(self._journal.close(), self._record))

    def _record(self) -> None:
        failpoint("attempt.before_finish")
        self._bench.database.post(finish, self._end_, self._recorded)

    def _recorded(self, answer: Status | Exception | None) -> None:
        if isinstance(answer, Exception):
            self._apart(self._record_again(answer))
        else:
            self._guarded(self._tell, answer)

    async def _record_again(self, error: Exception | None) -> None:
        """As long as the database refuses, it is tried again: the work was paid for."""
        for number in range(1_000_000):
            try:
                if error is not None:
                    raise error
                status = await self._bench.database.write(finish, self._end_)
            except NotReady as refusal:
                self._say("attempt.record_failed", error=str(refusal), tries=number + 1)
                if not self._bench.database.is_open:
                    self._bench.over(self, None)
                    return
            except DulyError as refusal:
                self._say("attempt.record_refused", error=str(refusal), tries=number + 1)
                self._end_ = unrecordable(self._end_, refusal)
            else:
                self._tell(status)
                return
            error = None
            await asyncio.sleep(RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)])

    def _tell(self, status: Status | None) -> None:
        end = self._end_
        if status is None:
            self._say("attempt.lease_lost", attempt=end.attempt)
        else:
            self._say(
                f"attempt.{status.value}", attempt=end.attempt, error_code=end.error_code, error=end.error
            )
            if self.claimed.parent_id is not None or status is Status.PENDING:
                self._bench.stirred()
        self._bench.over(self, None)

    def _apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what is rare in a task of its own."""
        task = asyncio.create_task(work, name=f"duly-task-{self.claimed.id}")
        self._tasks.add(task)
        task.add_done_callback(self._apart_ended)

    def _apart_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self._bench.over(self, error)

    def _guarded(self, step: Callable[..., None], *args: Any) -> None:
        """A defect of ours in a callback ends the attempt; the loop would only log it."""
        try:
            step(*args)
        except Exception as error:  # noqa: BLE001 - its row is given back by the reconciler
            self._bench.over(self, error)

    def let_go(self) -> None:
        """It is over: without this circle it is freed at once. The collector takes as long as the rest."""
        self._journal.let_go()
        self._execution = self._work = None

    def _say(self, name: str, **fields: Any) -> None:
        self._bench.emit(name, task_id=self.claimed.id, **fields)


async def _in_order(first: Coroutine[Any, Any, None], then: Callable[[], None]) -> None:
    await first
    then()


def _ended(work: asyncio.Task[Outcome]) -> Outcome:
    if work.cancelled():  # before its first line
        return Stopped()
    defect = work.exception()  # of ours: it must not leave the task running for ever
    return work.result() if defect is None else raised(defect)
