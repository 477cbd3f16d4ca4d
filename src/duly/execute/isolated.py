"""A handler in a process of its own, which a timeout or a cancel really kills.

The child speaks to its worker over a pipe: (method, arguments) for what its context writes, at last its
outcome. It dies with its worker.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from duly.execute.context import BlockingContext, Context, Pen, Threads
from duly.execute.family import Asked
from duly.execute.steps import StepBook
from duly.execute.verdict import raised, returned
from duly.model.chat import ChatAnswer, ChatRequest, Paid
from duly.model.errors import DulyError
from duly.model.events import EventType, current_task
from duly.model.job import JobState, Word
from duly.model.outcome import Failed, Outcome
from duly.model.task import Claimed, Step
from duly.store.items import Item

_PR_SET_PDEATHSIG = 1
_processes = multiprocessing.get_context("spawn")


def die_with_parent() -> None:
    """Asks Linux to kill this process when the thread that started it ends; elsewhere the pipe tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class IsolatedRun:
    """The worker's side: starts the process, serves its writes, kills it on demand."""

    def __init__(
        self,
        handler: Callable[..., Any],
        claimed: Claimed,
        arguments: Mapping[str, Any],
        book: StepBook,
    ) -> None:
        ours, theirs = _processes.Pipe()
        self._pipe: Connection = ours
        self._theirs: Connection = theirs
        self._process = _processes.Process(
            target=_main,
            args=(theirs, handler, claimed, dict(arguments), book),
            name=f"duly-task-{claimed.id}",
        )

    def start(self) -> None:
        """Starts the process; blocks until it is spawned (tens of milliseconds)."""
        self._process.start()
        self._theirs.close()

    def kill(self) -> None:
        """Kills the process, whatever it does."""
        if self._process.pid is not None:
            self._process.kill()

    async def serve(self, pen: Pen, executor: ThreadPoolExecutor) -> Outcome:
        """Answers the child's writes until it sends its outcome or dies."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                method, arguments = await loop.run_in_executor(executor, self._pipe.recv)
                if method == "outcome":
                    outcome: Outcome = arguments[0]
                    return outcome
                self._pipe.send(await _answer(pen, method, arguments))
        except (EOFError, OSError):
            await loop.run_in_executor(executor, self._process.join)
            return _death(self._process.exitcode)
        finally:
            self.kill()
            await loop.run_in_executor(executor, self._process.join)
            self._pipe.close()


async def _answer(pen: Pen, method: str, arguments: tuple[Any, ...]) -> tuple[Any, DulyError | None]:
    try:
        return await getattr(pen, method)(*arguments), None
    except DulyError as error:
        return None, error


def _death(code: int | None) -> Failed:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return Failed(code="process_died", message=f"The task's process was ended by {name}.")
    return Failed(code="process_died", message=f"The task's process ended with exit code {code}.")


class _Pipe:
    """The child's pen: each call is one question to the worker and one answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def _ask(self, method: str, *arguments: Any) -> Any:
        with self._lock:
            self._connection.send((method, arguments))
            value, error = self._connection.recv()
        if error is not None:
            raise error
        return value

    async def record(self, step: Step, paid: Paid | None = None) -> None:
        await asyncio.to_thread(self._ask, "record", step, paid)

    async def spend(self, paid: Paid) -> None:
        await asyncio.to_thread(self._ask, "spend", paid)

    async def wait(self, step: Step, delay_ms: int | None) -> Step:
        found: Step = await asyncio.to_thread(self._ask, "wait", step, delay_ms)
        return found

    async def leaving(self) -> bool:
        leaving: bool = await asyncio.to_thread(self._ask, "leaving")
        return leaving

    async def job(self, name: str, n: int, wait: Step, word: Word | None) -> JobState:
        state: JobState = await asyncio.to_thread(self._ask, "job", name, n, wait, word)
        return state

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str:
        child: str = await asyncio.to_thread(self._ask, "spawn", step, task_type, input_, dict(options))
        return child

    async def spawn_many(self, step: Step, asked: Sequence[Asked]) -> list[str]:
        found: list[str] = await asyncio.to_thread(self._ask, "spawn_many", step, asked)
        return found

    async def gather(self, step: Step, children: tuple[str, ...]) -> Step:
        found: Step = await asyncio.to_thread(self._ask, "gather", step, children)
        return found

    async def ends(self, step: Step, children: tuple[str, ...], cancel: bool) -> str:
        told: str = await asyncio.to_thread(self._ask, "ends", step, children, cancel)
        return told

    async def tally(self, step: Step, children: tuple[str, ...]) -> str:
        told: str = await asyncio.to_thread(self._ask, "tally", step, children)
        return told

    async def items(self, name: str, after: int) -> list[Item]:
        found: list[Item] = await asyncio.to_thread(self._ask, "items", name, after)
        return found

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None:
        await asyncio.to_thread(self._ask, "record_items", name, some, progress)

    async def line(self, type_: EventType, data: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self._ask, "line", type_, dict(data))

    async def progress(self, value: float, message: str | None) -> None:
        await asyncio.to_thread(self._ask, "progress", value, message)

    async def text(self, text: str) -> None:
        await asyncio.to_thread(self._ask, "text", text)

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        answer: ChatAnswer = await asyncio.to_thread(self._ask, "chat", request)
        return answer

    async def blob(self, sha256: str) -> bytes:
        data: bytes = await asyncio.to_thread(self._ask, "blob", sha256)
        return data


def _main(
    connection: Connection,
    handler: Callable[..., Any],
    claimed: Claimed,
    arguments: dict[str, Any],
    book: StepBook,
) -> None:
    """The child's whole life."""
    die_with_parent()
    threading.Thread(target=_end_with_worker, name="duly-parent", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):  # a stop of the whole group is the worker's to handle
        signal.signal(number, lambda *_: None)
    current_task.set(claimed.id)
    context = Context(claimed, _Pipe(connection), book, Threads(ThreadPoolExecutor()))
    try:
        value = _call(handler, context, arguments)
        book.close()
        outcome = returned(value)
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is an outcome
        outcome = raised(error)
    connection.send(("outcome", (outcome,)))


def _end_with_worker() -> None:
    """Where no signal tells, and for a worker that died before we could ask for one."""
    worker = multiprocessing.parent_process()
    if worker is not None:
        worker.join()
        os._exit(3)


def _call(handler: Callable[..., Any], context: Context, arguments: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(handler):
        return asyncio.run(context.parking.leavable(handler(context, **arguments), stopping=lambda: False))
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    return handler(BlockingContext(context, run), **arguments)
