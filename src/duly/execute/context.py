"""What a handler sees: `Context` in async handlers, `BlockingContext` in plain ones, with the same words."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from duly.execute.asking import Asking, AskPen, BlockingAsking
from duly.execute.fanout import BlockingFanout, Fanout, FanPen
from duly.execute.journal import check_line
from duly.execute.steps import Place, StepBook, outside_steps
from duly.execute.tracking import Tracked, Work, drive, drive_here
from duly.execute.waiting import FOR_EVER, NOTHING, End, Parking, in_a_step, received, slept, span_to
from duly.model import wire
from duly.model.errors import InvalidInput
from duly.model.events import EventType
from duly.model.job import Job, JobState, Word
from duly.model.policy import Polling
from duly.model.task import Claimed, Step

T = TypeVar("T")


class Pen(FanPen, AskPen, Protocol):
    """Where a context writes: the worker's journal, or a pipe to it from an isolated process."""

    async def wait(self, step: Step, delay_ms: int | None) -> Step: ...

    async def job(self, name: str, n: int, wait: Step, word: Word | None) -> JobState: ...

    async def progress(self, value: float, message: str | None) -> None: ...

    async def text(self, text: str) -> None: ...

    async def blob(self, sha256: str) -> bytes: ...


@dataclass(slots=True)
class Threads:
    """The threads that an attempt started; its task is not over while one of them runs."""

    executor: Executor
    running: set[Future[Any]] = field(default_factory=set)

    def start(self, work: Callable[[], T]) -> Future[T]:
        """Runs `work` in a thread, with the caller's context variables."""
        future = self.executor.submit(contextvars.copy_context().run, work)
        self.running.add(future)
        future.add_done_callback(self.running.discard)
        return future


class Context(Fanout, Asking):
    """The task that a handler works on, and what it can do beyond computing.

    Every write is fenced: once another attempt owns the task, each raises `LeaseLost`.
    """

    def __init__(self, claimed: Claimed, pen: Pen, book: StepBook, threads: Threads) -> None:
        self._claimed = claimed
        self._pen: Pen = pen
        self._book = book
        self._threads = threads
        self.parking = Parking()
        #: Whether a stop was asked for, and whether the handler has seen that.
        self.stopping = False
        self.heeded = False

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked this attempt to stop: a cancel, a timeout, a shutdown.

        A handler that has seen True and returns has stopped: what it returns is not recorded.
        """
        self.heeded = self.heeded or self.stopping
        if self.stopping:
            self._book.shake()
        return self.stopping

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self._claimed.id

    @property
    def task_type(self) -> str:
        """The task's type."""
        return self._claimed.task_type

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1; it grows with every claim, charged or not."""
        return self._claimed.attempt

    @property
    def retry_count(self) -> int:
        """How many charged retries came before."""
        return self._claimed.retry_count

    @property
    def owner(self) -> str:
        """Whose task this is."""
        return self._claimed.owner

    @property
    def tenant(self) -> str:
        """The owner's tenant."""
        return self._claimed.tenant

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was submitted as metadata."""
        return self._claimed.metadata

    @property
    def idempotency_key(self) -> str:
        """The same in all attempts of this task: pass it to services that deduplicate."""
        return f"duly-{self._claimed.id}"

    def step(
        self, name: str, fn: Callable[..., Any], /, *args: Any, key: str | None = None, **kwargs: Any
    ) -> Awaitable[Any]:
        """Runs `fn(*args, **kwargs)` once in the task's life and remembers its value.

        The number of the step is taken now, when `step` is called. A later attempt that makes the same
        call gets the recorded value without running `fn`. Arguments and value must be JSON; a plain `fn`
        runs in a thread. Branches that run at once under one name need `key=`. `fn` has no steps of its own.

        Raises:
            ReplayMismatch: the recorded call had other arguments.
            LeaseLost: another attempt owns the task.
        """
        outside_steps(name)
        place = self._book.take(name, key, [args, kwargs])
        return self._step(place, functools.partial(fn, *args, **kwargs))

    async def _step(self, place: Place, work: functools.partial[Any]) -> Any:
        if place.recorded is not None:
            return place.value()
        with self.parking.active():
            if not await self._pen.leaving():
                return await self._done(place, work)
        return await self.parking.park()

    async def _done(self, place: Place, work: functools.partial[Any]) -> Any:
        start = time.monotonic()
        try:
            with self._book.watched():
                value = await self._value(work)
        except (SystemExit, KeyboardInterrupt) as error:  # asyncio would pass it on through the loop
            raise RuntimeError(f"step {place.name!r} raised {type(error).__name__}: {error}") from error
        return await self._remember(place, value, time.monotonic() - start)

    async def _may_begin(self) -> None:
        """For a plain handler, whose steps run in its own thread."""
        if await self._pen.leaving():
            await self.parking.park()

    async def _value(self, work: functools.partial[Any]) -> Any:
        with in_a_step():
            if _is_async(work):
                return await work()
            value = await asyncio.wrap_future(self._threads.start(work))
            return await value if inspect.isawaitable(value) else value

    async def _remember(self, place: Place, value: Any, seconds: float) -> Any:
        text = wire.dumps(value, what=f"the value of step {place.name!r}")
        await self._pen.record(place.step(self.attempt, value=text, duration_ms=round(seconds * 1000)))
        return json.loads(text)

    def sleep(
        self,
        name: str,
        /,
        *,
        seconds: float | timedelta = 0,
        minutes: float = 0,
        hours: float = 0,
        until: datetime | None = None,
        key: str | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Sleeps for that long, or until a moment with a time zone, and holds no worker meanwhile.

        It is a remembered step whose first recorded end stands, whatever a later attempt asks for. The
        handler is left as by a cancel, and when the time has come it runs again from its top: what is in no
        step is done again. Other branches' steps end before it leaves.

        Raises:
            ReplayMismatch: something else than a sleep was recorded here.
        """
        place = self._book.take_sleep(name, key)
        if place is None:
            return slept()
        end = span_to(until, "a sleep", seconds=seconds, minutes=minutes, hours=hours)
        return self._waited(place, end, None)

    def wait_for(
        self,
        signal: str,
        /,
        *,
        timeout: float | timedelta | None = None,
        until: datetime | None = None,
        default: Any = NOTHING,
        key: str | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """The data of the oldest signal of this name that no wait has taken yet; see `Duly.signal`.

        As `sleep` it holds no worker meanwhile and is a remembered step; a signal that came before is taken
        at once. After `timeout` seconds, or from `until` on, it answers `default`.

        Raises:
            WaitTimeout: no signal came in time, and there is no `default`.
            ReplayMismatch: something else than a wait for this signal was recorded here.
        """
        end = (
            FOR_EVER
            if timeout is None and until is None
            else span_to(until, "a timeout", seconds=timeout or 0)
        )
        return self._waited(self._book.take_wait(signal, key, signal), end, default)

    async def _waited(self, place: Place, end: End, default: Any) -> Any:
        step = place.recorded
        if step is None or step.taken is None:
            asked = place.step(self.attempt, value="null", due_at=end.due_at)
            with self.parking.active():
                step = await self._pen.wait(asked, end.delay_ms)
        if step.taken is None:
            await self.parking.park(step)
        return received(step, default)

    def track(
        self,
        name: str,
        /,
        *,
        submit: Callable[[Job], Any],
        poll: Callable[[Any], Any],
        interval: float | timedelta | Polling = 10,
        final: Callable[[Any], Any] | None = None,
        timeout: float | timedelta | datetime | None = None,
        cancel: Callable[[Any], Any] | None = None,
        key: str | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Has work done elsewhere and answers how it ended; holds no worker meanwhile.

        `submit(job)` starts it and returns the vendor's id, which is stored before anything else; `job.key`
        lets a vendor deduplicate, `job.callback_url` is where it may call back. Then `poll(id)` is asked at
        growing intervals. The first answer, of a poll or a callback, for which `final(answer)` is true is
        remembered and returned; without `final` its "status" decides. All four may be plain or async; `final`
        is plain. A poll that raises is tried again by the next one, as `Polling.patience` allows; `Fail` is
        for good. `timeout` is a length or a moment; then `cancel(id)` is called.

        Raises:
            TrackTimeout: there was no final answer in time.
            ReplayMismatch: something else was recorded here.
        """
        work, given = Work(submit, poll, cancel), (self._claimed, self._book)
        tracked = Tracked(*given, name, key, work, interval=interval, timeout=timeout, final=final)
        return drive(tracked, self._pen, self.parking, self._value)

    async def progress(self, value: float, message: str | None = None) -> None:
        """Says how far the task is (0..1) and what it does; written at most four times a second."""
        if isinstance(value, bool) or not 0 <= value <= 1:
            raise InvalidInput(f"progress must be 0..1, not {value!r}")
        with self.parking.active():
            await self._pen.progress(
                float(value), None if message is None else wire.mended(str(message))[:500]
            )

    async def emit(self, text: str) -> None:
        """Streams partial output to whoever watches; deleted when the task ends."""
        with self.parking.active():
            await self._pen.text(wire.checked_text(text, "emitted text"))

    async def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Adds a line to the task's timeline."""
        with self.parking.active():
            await self._pen.line(EventType.LOG, check_line({**fields, "level": level, "message": message}))

    async def usage(self, **numbers: float) -> None:
        """Notes what was used (tokens, pages, cost …) in the task's timeline."""
        with self.parking.active():
            await self._pen.line(EventType.USAGE, check_line(numbers))

    async def blob(self, sha256: str) -> bytes:
        """The bytes of an upload by its SHA-256, as the file input `{"blob": …}` names it."""
        with self.parking.active():
            return await self._pen.blob(sha256)


class BlockingContext(BlockingFanout, BlockingAsking):
    """`Context` for plain handlers: the same methods, each returns when its work is done."""

    def __init__(self, context: Context, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._context: Context = context
        self._run = run
        context.parking.blocks = True

    @property
    def cancelled(self) -> bool:
        """Whether to stop now: a thread cannot be interrupted, so long loops should look here.

        A handler that has seen True and returns has stopped: what it returns is not recorded.
        """
        return self._context.cancelled

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self._context.task_id

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._context.attempt

    @property
    def owner(self) -> str:
        """Whose task this is."""
        return self._context.owner

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was submitted as metadata."""
        return self._context.metadata

    @property
    def idempotency_key(self) -> str:
        """The same in all attempts of this task."""
        return self._context.idempotency_key

    def step(
        self, name: str, fn: Callable[..., Any], /, *args: Any, key: str | None = None, **kwargs: Any
    ) -> Any:
        """See `Context.step`; `fn` runs here, in the handler's own thread."""
        outside_steps(name)
        place = self._context._book.take(name, key, [args, kwargs])  # noqa: SLF001 - two faces of one thing
        if place.recorded is not None:
            return place.value()
        self._run(self._context._may_begin())  # noqa: SLF001
        start = time.monotonic()
        with in_a_step(), self._context._book.watched():  # noqa: SLF001
            value = fn(*args, **kwargs)
        return self._run(self._context._remember(place, value, time.monotonic() - start))  # noqa: SLF001

    def sleep(self, name: str, /, **how: Any) -> None:
        """See `Context.sleep`; here the handler is left by an exception that is no `Exception`.

        Threads that it started itself must not run steps meanwhile.
        """
        self._run(self._context.sleep(name, **how))

    def wait_for(self, signal: str, /, **how: Any) -> Any:
        """See `Context.wait_for` and `sleep`."""
        return self._run(self._context.wait_for(signal, **how))

    def track(
        self, name: str, /, *, submit: Any, poll: Any, cancel: Any = None, key: str | None = None, **how: Any
    ) -> Any:
        """See `Context.track` and `sleep`; the functions are plain ones, and run in the handler's thread."""
        context, work = self._context, Work(submit, poll, cancel)
        tracked = Tracked(context._claimed, context._book, name, key, work, **how)  # noqa: SLF001
        return drive_here(tracked, context._pen, context.parking, self._run)  # noqa: SLF001

    def progress(self, value: float, message: str | None = None) -> None:
        """See `Context.progress`."""
        self._run(self._context.progress(value, message))

    def emit(self, text: str) -> None:
        """See `Context.emit`."""
        self._run(self._context.emit(text))

    def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """See `Context.log`."""
        self._run(self._context.log(message, level=level, **fields))

    def usage(self, **numbers: float) -> None:
        """See `Context.usage`."""
        self._run(self._context.usage(**numbers))

    def blob(self, sha256: str) -> bytes:
        """See `Context.blob`."""
        data: bytes = self._run(self._context.blob(sha256))
        return data


def _is_async(work: functools.partial[Any]) -> bool:
    call = getattr(work.func, "__call__", None)  # noqa: B004 - an object with an async __call__
    return inspect.iscoroutinefunction(work.func) or inspect.iscoroutinefunction(call)
