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
from typing import Any, Protocol, TypeVar

from duly.execute.journal import check_line
from duly.execute.steps import Place, StepBook
from duly.model import wire
from duly.model.errors import InvalidInput
from duly.model.events import EventType
from duly.model.task import Claimed, Step

T = TypeVar("T")


class Pen(Protocol):
    """Where a context writes: the worker's journal, or a pipe to it from an isolated process."""

    async def record(self, step: Step) -> None: ...

    async def line(self, type_: EventType, data: Mapping[str, Any]) -> None: ...

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


class Context:
    """The task that a handler works on, and what it can do beyond computing.

    Every write is fenced: once another attempt owns the task, each raises `LeaseLost`.
    """

    def __init__(self, claimed: Claimed, pen: Pen, book: StepBook, threads: Threads) -> None:
        self._claimed = claimed
        self._pen = pen
        self._book = book
        self._threads = threads
        #: Whether a stop was asked for, and whether the handler has seen that.
        self.stopping = False
        self.heeded = False

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked this attempt to stop: a cancel, a timeout, a shutdown.

        A handler that has seen True and returns has stopped: what it returns is not recorded.
        """
        self.heeded = self.heeded or self.stopping
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
        runs in a thread. Branches that run at once under one name need `key=`.

        Raises:
            ReplayMismatch: the recorded call had other arguments.
            LeaseLost: another attempt owns the task.
        """
        place = self._book.take(name, key, [args, kwargs])
        return self._step(place, functools.partial(fn, *args, **kwargs))

    async def _step(self, place: Place, work: functools.partial[Any]) -> Any:
        if place.recorded is not None:
            return place.value()
        start = time.monotonic()
        try:
            value = await self._value(work)
        except (SystemExit, KeyboardInterrupt) as error:  # asyncio would pass it on through the worker's loop
            raise RuntimeError(f"step {place.name!r} raised {type(error).__name__}: {error}") from error
        return await self._remember(place, value, time.monotonic() - start)

    async def _value(self, work: functools.partial[Any]) -> Any:
        if _is_async(work):
            return await work()
        value = await asyncio.wrap_future(self._threads.start(work))
        return await value if inspect.isawaitable(value) else value

    async def _remember(self, place: Place, value: Any, seconds: float) -> Any:
        text = wire.dumps(value, what=f"the value of step {place.name!r}")
        step = Step(
            name=place.name,
            n=place.n,
            digest=place.digest,
            value=text,
            attempt=self.attempt,
            duration_ms=round(seconds * 1000),
        )
        await self._pen.record(step)
        return json.loads(text)

    async def progress(self, value: float, message: str | None = None) -> None:
        """Says how far the task is (0..1) and what it does; written at most four times a second."""
        if isinstance(value, bool) or not 0 <= value <= 1:
            raise InvalidInput(f"progress must be 0..1, not {value!r}")
        await self._pen.progress(float(value), None if message is None else str(message)[:500])

    async def emit(self, text: str) -> None:
        """Streams partial output to whoever watches; deleted when the task ends."""
        await self._pen.text(wire.checked_text(text, "emitted text"))

    async def log(self, message: str, *, level: str = "info", **fields: Any) -> None:
        """Adds a line to the task's timeline."""
        await self._pen.line(EventType.LOG, check_line({**fields, "level": level, "message": message}))

    async def usage(self, **numbers: float) -> None:
        """Notes what was used (tokens, pages, cost …) in the task's timeline."""
        await self._pen.line(EventType.USAGE, check_line(numbers))

    async def blob(self, sha256: str) -> bytes:
        """The bytes of an upload by its SHA-256, as the file input `{"blob": …}` names it."""
        return await self._pen.blob(sha256)


class BlockingContext:
    """`Context` for plain handlers: the same methods, each returns when its work is done."""

    def __init__(self, context: Context, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._context = context
        self._run = run

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
        place = self._context._book.take(name, key, [args, kwargs])  # noqa: SLF001 - two faces of one thing
        if place.recorded is not None:
            return place.value()
        start = time.monotonic()
        value = fn(*args, **kwargs)
        return self._run(self._context._remember(place, value, time.monotonic() - start))  # noqa: SLF001

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
