"""The supervised process: worker, API, or both, on one event loop.

`python -m duly.runtime.child` is a worker; `python -m duly.http.serve` passes in the API's factory.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from duly.claim.poller import Role
from duly.config import Settings, SettingsError
from duly.execute.isolated import die_with_parent
from duly.model.errors import DulyError, NotReady
from duly.runtime.app import App
from duly.runtime.control import ChildPipe
from duly.runtime.handover import REPLACE, Handover, received
from duly.runtime.load import load_declared
from duly.runtime.worker import Worker

T = TypeVar("T")
#: How long a start waits for the database, and how often it looks, in seconds: as long as a server takes to
#: come up again. To begin anew costs a second of imports, and the tasks of the child before wait meanwhile.
START_SECONDS = 5.0
START_PAUSE = 0.2
#: How long a quarantine child stays when it has nothing to do, in leases: where workers die, more die soon,
#: and on a busy host the next suspects would wait for seconds until another one has started.
LINGER_LEASES = 2
#: How long a thread keeps the interpreter while another wants it.
SWITCH_SECONDS = 0.001
#: Makes the ASGI application: `duly.http.create_api`.
CreateApi = Callable[..., Any]


class Child:
    """One life: start the parts, run until a signal or a stuck handler, drain, end."""

    def __init__(self, handover: Handover, pipe: ChildPipe, create_api: CreateApi | None) -> None:
        self._handover = handover
        self._pipe = pipe
        self._create_api = create_api
        self._settings = Settings(**handover.settings)
        self._app = App(self._settings, load_declared(self._settings))
        self._app.log.adopt()
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._code = 0
        self._worker: Worker | None = None

    async def run(self) -> int:
        """Runs to the end; answers the exit code."""
        await patiently(self._app.start)
        self._handle_signals()
        if self._handover.work:
            self._worker = self._make_worker()
            self._pipe.listen(self._on_message)
            await patiently(self._worker.start)
        else:
            self._pipe.listen(lambda _: None)
        settle()
        if self._handover.once and self._worker is not None:
            await self._do(self._worker.until_idle())
        elif self._handover.quarantine and self._worker is not None:
            await self._do(self._worker.until_clear(LINGER_LEASES * self._settings.lease))
        await (self._serve(self._create_api) if self._create_api else self._wait())
        return await self._end()

    def _make_worker(self) -> Worker:
        def suspects() -> None:
            self._pipe.send(suspects=True)

        def supervised(session: str) -> None:
            self._pipe.send(session=session)

        def pulse(seconds: float) -> None:
            self._pipe.send(beat=seconds)

        if self._settings.engine == "celery" and not self._handover.quarantine:
            from duly.runtime.bridged import Sender

            return Sender(self._app, suspects=suspects, supervised=supervised, pulse=pulse)
        return Worker(
            self._app,
            role=self._role(),
            suspects=suspects,
            supervised=supervised,
            replace=self._replace,
            pulse=pulse,
        )

    def _role(self) -> Role:
        if self._handover.once:
            return Role.ALONE
        return Role.QUARANTINE if self._handover.quarantine else Role.ORDINARY

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)

    def _replace(self) -> None:
        """A handler ignores its stop: drain, and let the parent start a new child."""
        self._code = REPLACE
        self._over.set()

    def _on_message(self, message: dict[str, Any]) -> None:
        if self._worker is None:
            return
        if "lost" in message:
            work = self._worker.replace_session(message["lost"])
            asyncio.run_coroutine_threadsafe(work, self._loop)
        if "sibling" in message:
            self._worker.rescuer.sibling = message["sibling"]
        if "moved" in message:
            self._loop.call_soon_threadsafe(self._worker.let_go)
        if "suspects" in message:
            self._loop.call_soon_threadsafe(self._worker.look)

    async def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Until there is no more of it to do, or until a signal."""
        idle = asyncio.create_task(work, name="duly-until")
        over = asyncio.create_task(self._over.wait(), name="duly-over")
        await asyncio.wait({idle, over}, return_when=asyncio.FIRST_COMPLETED)
        self._over.set()
        if idle.done():
            idle.result()
        idle.cancel()

    async def _wait(self) -> None:
        self._pipe.send(ready=True)
        await self._over.wait()
        await self._drain()

    async def _serve(self, create_api: CreateApi) -> None:
        from duly.runtime.api import ApiServer  # here: a worker without an API starts sooner
        from duly.runtime.receipt import Terms

        sockets = [socket.socket(fileno=descriptor) for descriptor in self._handover.sockets]
        stopping = asyncio.Event()
        api = create_api(self._app, ready=self._ready, stopping=stopping)
        terms = Terms(
            seconds=self._settings.receipt,
            connections=self._settings.connections,
            per_peer=self._settings.connections_per_peer,
            title=api.state.title,
        )
        server = ApiServer(api, sockets, terms)
        await server.start()
        self._pipe.send(ready=True)
        await self._over.wait()
        stopping.set()  # ends streams and waits: whoever listens goes on at another server
        await self._drain()
        await server.stop()

    def _ready(self) -> tuple[bool, str]:
        if self._over.is_set():
            return False, "draining"
        return self._worker.ready if self._worker is not None else (True, "ok")

    async def _drain(self) -> None:
        if self._worker is not None:
            await self._worker.drain(self._settings.drain)

    async def _end(self) -> int:
        if self._worker is not None:
            await self._worker.stop()
            words = self._worker.runner.last_words()
            self._pipe.send(last_words=[word._asdict() for word in words])
        await self._app.stop()
        return self._code


async def patiently(start: Callable[[], Awaitable[None]]) -> None:
    """Starts; while the database is away or busy it tries again, for some seconds.

    Raises:
        NotReady: it was, all the time.
    """
    give_up_at = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            return await start()
        except NotReady as error:
            final = type(error) is not NotReady  # another version's schema, a database of the wrong kind
            if final or asyncio.get_running_loop().time() >= give_up_at:
                raise
        await asyncio.sleep(START_PAUSE)


def settle() -> None:
    """What has been loaded stays: the collector need not walk it again, nor come by for each ten tasks. It
    took a fifth of the loop's time under load. And the writer's thread, which needs the interpreter for some
    microseconds after each statement, need not wait for it five milliseconds each time."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(5000, 20, 20)


async def _main(handover: Handover, pipe: ChildPipe, create_api: CreateApi | None) -> int:
    return await Child(handover, pipe, create_api).run()


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on a loop of its own, which a SystemExit in a handler's task does not end.

    asyncio passes SystemExit and KeyboardInterrupt of any task through the loop, and gives them to whoever
    awaits that task too; so the loop is simply entered again.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(work, name="duly-child")
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt):
            if task.done():
                return task.result()


def keep_from_offspring(handover: Handover) -> None:
    """What a handler starts or forks gets neither our sockets (the port would stay taken) nor our signals."""
    descriptors = (handover.control, *handover.sockets)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=lambda: _forget(descriptors))


def _forget(descriptors: Sequence[int]) -> None:
    """In a fork: it shares the loop's wake-up pipe, so that a SIGTERM to it would stop us and not it."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor, inheritable=False)  # not closed: its number must not be given again
    os.close(nothing)


def main(create_api: CreateApi | None = None) -> None:
    """The process's entry. Ends without waiting for handlers: one may ignore its stop for ever."""
    handover = received()
    if sys.stderr is not None:  # where the stacks go when the parent asks in what a silent loop hangs
        faulthandler.register(signal.SIGUSR2)
    die_with_parent()
    keep_from_offspring(handover)
    pipe = ChildPipe(socket.socket(fileno=handover.control))
    try:
        code = run_to_end(_main(handover, pipe, create_api))
    except (DulyError, SettingsError) as error:
        print(f"duly: {error}", file=sys.stderr)  # noqa: T201 - nothing is there yet that could log
        code = 1 if type(error) is NotReady else 2  # a busy database is worth another try
    pipe.send(ending=code)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
