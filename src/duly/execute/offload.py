"""Three places where a handler can run: the loop, a thread, a process. One face: `start` and `stop`.

What `start()` gives is done only when the handler's code has truly stopped; `stop()` asks for that, as hard
as the place allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError as Cancelled
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Protocol

from duly.execute.context import BlockingContext, Context, Threads
from duly.execute.isolated import IsolatedRun
from duly.execute.journal import Journal
from duly.execute.steps import StepBook
from duly.execute.verdict import raised, returned
from duly.model.outcome import Failed, Outcome, Stopped
from duly.model.task import Claimed, Remembered
from duly.registry import TaskType


class Execution(Protocol):
    """A handler that runs somewhere."""

    def start(self) -> asyncio.Task[Outcome]:
        """Runs the handler to its true end. Never raises what the handler raised; cancelled means stopped."""
        ...

    def stop(self) -> None:
        """Asks the handler to stop; may be called more than once."""
        ...


def _ended(context: Context, value: Any) -> Outcome:
    """A handler that looked at `cancelled`, saw a stop and returned has stopped; any other has a result."""
    if context.heeded:
        return Stopped()
    context._book.close()  # noqa: SLF001 - it is not for handlers
    return returned(value)


async def _rest(threads: Threads) -> None:
    """Returns when none of an attempt's threads runs any more: nothing can cancel them."""
    while threads.running:
        await asyncio.wait([asyncio.wrap_future(one) for one in tuple(threads.running)])


class InLoop:
    """An async handler on the worker's loop; a stop cancels it. Its plain steps run in threads."""

    def __init__(
        self, handler: Callable[..., Any], context: Context, arguments: Mapping[str, Any], threads: Threads
    ) -> None:
        self._call = (handler, context, arguments)
        self._context = context
        self._threads = threads
        self._task: asyncio.Task[Outcome] | None = None
        self._over = False

    def start(self) -> asyncio.Task[Outcome]:
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self._task

    def stop(self) -> None:
        self._context.stopping = True
        if self._task is not None and not self._over:
            self._task.cancel()

    async def _run(self) -> Outcome:
        outcome = await self._handle()
        self._over = True  # what is left are its threads
        await _rest(self._threads)
        return outcome

    async def _handle(self) -> Outcome:
        handler, context, arguments = self._call
        try:
            work = handler(context, **arguments)
            return _ended(context, await context.parking.leavable(work, stopping=lambda: context.stopping))
        except asyncio.CancelledError as error:
            return Stopped() if self._context.stopping else raised(error)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is an outcome
            return raised(error)


class InThread:
    """A plain handler in a thread; a stop raises its `cancelled` flag, ends its model call and its map.

    It has a thread of `handlers`, and what it waits for has others: or all would wait for each other's.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        context: Context,
        arguments: Mapping[str, Any],
        threads: Threads,
        handlers: Executor,
    ) -> None:
        self._call = (handler, context, arguments)
        self._context = context
        self._threads = threads
        self._handlers = handlers

    def start(self) -> asyncio.Task[Outcome]:
        return asyncio.create_task(self._outcome())

    async def _outcome(self) -> Outcome:
        if self._context.stopping:  # once it runs, nothing can stop it
            return Stopped()
        loop = asyncio.get_running_loop()

        def run(work: Coroutine[Any, Any, Any]) -> Any:
            try:
                return asyncio.run_coroutine_threadsafe(work, loop).result()
            except Cancelled:  # which is an `Exception`, and would be caught as one
                raise asyncio.CancelledError from None

        work = Threads(self._handlers).start(lambda: self._run(BlockingContext(self._context, run)))
        outcome = await asyncio.shield(asyncio.wrap_future(work))
        await _rest(self._threads)  # of a map that was stopped
        return outcome

    def stop(self) -> None:
        self._context.stopping = True
        self._context.parking.stop()

    def _run(self, context: BlockingContext) -> Outcome:
        handler, _, arguments = self._call
        try:
            return _ended(self._context, handler(context, **arguments))
        except asyncio.CancelledError as error:
            return Stopped() if self._context.stopping else raised(error)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is an outcome
            return raised(error)


class InProcess:
    """A handler in a process of its own; a stop kills it."""

    def __init__(
        self, run: Callable[[], IsolatedRun], journal: Journal, executor: ThreadPoolExecutor
    ) -> None:
        self._make = run
        self._journal = journal
        self._executor = executor
        self._run: IsolatedRun | None = None
        self._stopped = False

    def start(self) -> asyncio.Task[Outcome]:
        return asyncio.create_task(self._outcome())

    async def _outcome(self) -> Outcome:
        loop = asyncio.get_running_loop()
        try:
            self._run = self._make()
            await loop.run_in_executor(self._executor, self._run.start)
        except Exception as error:  # noqa: BLE001 - for instance a handler that cannot be pickled
            return Failed(code="not_started", message=f"the isolated process: {error}", retryable=False)
        if self._stopped:
            self._run.kill()
        outcome = await self._run.serve(self._journal, self._executor)
        killed = self._stopped and isinstance(outcome, Failed) and outcome.code == "process_died"
        return Stopped() if killed else outcome

    def stop(self) -> None:
        self._stopped = True
        if self._run is not None:
            self._run.kill()


class Place:
    """Makes executions: holds the threads of one worker."""

    def __init__(self, *, threads: int, concurrency: int, processes: int) -> None:
        self._handlers = ThreadPoolExecutor(threads, thread_name_prefix="duly-handler")
        self._steps = ThreadPoolExecutor(max(8, min(32, concurrency)), thread_name_prefix="duly-step")
        self._pipes = ThreadPoolExecutor(processes * 2, thread_name_prefix="duly-pipe")

    def execution(
        self,
        kind: TaskType,
        claimed: Claimed,
        journal: Journal,
        past: Remembered,
        arguments: Mapping[str, Any],
    ) -> Execution:
        """An execution of this attempt in its task type's lane."""
        book = StepBook(*past, whole=len(kind.versions) == 1)
        if kind.lane == "process":
            return InProcess(
                lambda: IsolatedRun(kind.handler, claimed, arguments, book), journal, self._pipes
            )
        threads = Threads(self._steps)
        context = Context(claimed, journal, book, threads)
        if kind.lane == "thread":
            return InThread(kind.handler, context, arguments, threads, self._handlers)
        return InLoop(kind.handler, context, arguments, threads)

    def close(self) -> None:
        """Lets the threads end by themselves; one that ignores its stop must not hold the worker."""
        for executor in (self._handlers, self._steps, self._pipes):
            executor.shutdown(wait=False, cancel_futures=True)
