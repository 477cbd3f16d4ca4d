"""Where the branches of a handler wait for what this attempt cannot give them, and when it leaves.

That is the end of a wait, or any further step once the worker stops. A branch that waits stays where it is.
Only once no other branch runs a step or writes, for a few turns of the loop, is the whole handler cancelled:
so a step that has begun is recorded, and nothing is told twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn, TypeVar

from duly.model.errors import InvalidInput, WaitTimeout
from duly.model.outcome import Leave, Suspend
from duly.model.task import Step

T = TypeVar("T")

#: Turns of the loop that a branch may need to go on after a step, however deep its `gather` stands.
TURNS = 25
LONGEST_SECONDS = 366 * 86_400
#: No default.
NOTHING: Any = object()
_in_a_step: ContextVar[bool] = ContextVar("duly_in_a_step", default=False)


class Parking:
    """The open waits of one attempt's handler."""

    # Most attempts never wait: what they do not change is not made for each.
    _busy = 0
    _moves = 0
    _handler: asyncio.Task[Any] | None = None
    #: Whether the handler is a plain one, in a thread of its own.
    blocks = False
    #: What the handler raises, once it was asked to leave.
    _leave: Suspend | Leave | None = None
    #: Whether a plain handler was stopped, and what the loop does for it that ends with that.
    _stopped = False
    _calls: frozenset[asyncio.Task[Any]] = frozenset()

    def __init__(self) -> None:
        self._open: dict[asyncio.Future[None], Step | None] = {}

    async def leavable(self, handler: Coroutine[Any, Any, Any], stopping: Callable[[], bool]) -> Any:
        """Runs an async handler to its end.

        Raises:
            Suspend: it can go no further.
            Leave: it must not go further.
        """
        self._handler = asyncio.current_task()
        try:
            return await handler
        except asyncio.CancelledError:
            if self._leave is None or stopping():
                raise
            raise self._leave from None
        finally:
            self._handler = None
            for branch in list(self._open):  # that the handler left behind
                branch.cancel()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """While this lasts the attempt does not leave."""
        if self._leave is not None:  # somebody caught what should have ended the handler
            raise asyncio.CancelledError
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._moved()

    async def park(self, step: Step | None = None) -> NoReturn:
        """Waits until the attempt leaves, or the branch is cancelled by the handler itself.

        Without a step it waits for nothing: the worker stops.

        Raises:
            Suspend, Leave: the handler is in a thread, which nothing can cancel.
        """
        if self.blocks:
            raise _leave_for([step])
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[never] = step
        self._moved()
        try:
            await never
        finally:
            del self._open[never]
        raise asyncio.CancelledError

    async def until_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Does what may take long, until the handler is stopped: a thread cannot be stopped, its call can.

        Raises:
            CancelledError: the handler was stopped.
        """
        call = asyncio.current_task()
        if self._stopped or call is None:
            work.close()
            raise asyncio.CancelledError
        self._calls |= {call}
        try:
            return await work
        except Exception:
            if self._stopped:  # what it could not record meanwhile is of no use to the handler
                raise asyncio.CancelledError from None
            raise
        finally:
            self._calls -= {call}

    def stop(self) -> None:
        """The handler, a plain one, is stopped. A call hears of it once: then it records what was made."""
        self._stopped = True
        calls, self._calls = self._calls, frozenset()
        for call in calls:
            call.cancel()

    def _moved(self) -> None:
        self._moves += 1
        if self._open and not self._busy:
            self._look(TURNS, self._moves)

    def _look(self, turns: int, moves: int) -> None:
        if self._busy or moves != self._moves or not self._open:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._look, turns - 1, moves)
        elif self._handler is not None:
            self._leave = _leave_for(self._open.values())
            self._handler.cancel()


def _leave_for(branches: Iterable[Step | None]) -> Suspend | Leave:
    """How the handler is left: one branch that only lacks a worker is enough to go back to the queue."""
    waits = tuple(branches)
    steps = tuple(step for step in waits if step is not None)
    return Suspend(steps) if len(steps) == len(waits) else Leave()


@contextlib.contextmanager
def in_a_step() -> Iterator[None]:
    """Marks what runs within as a step's."""
    token = _in_a_step.set(True)
    try:
        yield
    finally:
        _in_a_step.reset(token)


def inside_a_step() -> bool:
    """Whether the running code is a step's: a step that waited would never be recorded."""
    return _in_a_step.get()


class End(NamedTuple):
    """When a wait is over at the latest: a moment, or so long after it was recorded; neither: never."""

    due_at: int | None = None
    delay_ms: int | None = None


FOR_EVER = End()


def span_to(until: datetime | None, what: str, *, seconds: float | timedelta, **more: float) -> End:
    """The end that a caller names: a moment with a time zone, or a length of at most a year."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    total = _seconds(what, seconds, more.get("minutes", 0), more.get("hours", 0))
    if until is None:
        return End(delay_ms=math.ceil(1000 * total))
    if total or not isinstance(until, datetime) or until.tzinfo is None:
        raise InvalidInput(f"{what} takes a length or `until`, a datetime with a time zone; not {until!r}")
    return End(due_at=round(until.timestamp() * 1000))


def _seconds(what: str, seconds: float, minutes: float, hours: float) -> float:
    parts = (seconds, minutes, hours)
    if any(isinstance(part, bool) or not isinstance(part, int | float) for part in parts):
        raise InvalidInput(f"{what} is measured in numbers of seconds, minutes, hours; not {parts}")
    total = seconds + 60 * minutes + 3600 * hours
    if not 0 <= total <= LONGEST_SECONDS:  # nor is NaN
        raise InvalidInput(f"{what} lasts 0 seconds to 366 days, not {total} seconds")
    return total


async def slept() -> None:
    """A sleep that is over."""


def received(step: Step, default: Any) -> Any:
    """What a wait that is over answers.

    Raises:
        WaitTimeout: nothing came, and there is no default.
    """
    if step.taken:
        return json.loads(step.value)
    if default is NOTHING:
        raise WaitTimeout(f"no signal {step.waits_for!r} came in time", signal=step.waits_for)
    return default
