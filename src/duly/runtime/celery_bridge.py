"""A Celery worker that runs our tasks: `celery -A duly.runtime.celery_bridge worker -P threads -c 200`.

A message is a task's id. The slot that takes it claims that task in the database, and waits for it while the
attempt runs on the one event loop of the process, as in a worker of our own. Settings come from `DULY_…` and
`duly.toml`, as everywhere.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NoReturn, TypeVar

from celery import signals

from duly.config import Settings, SettingsError, load
from duly.model.errors import DulyError
from duly.runtime.app import App
from duly.runtime.bridged import Carrier
from duly.runtime.broker import TASK, celery_app
from duly.runtime.child import patiently, settle
from duly.runtime.control import ChildPipe
from duly.runtime.handover import Handover
from duly.runtime.load import load_declared

T = TypeVar("T")
#: Celery's pools in which a task is a thread of one process, where our loop is another.
POOLS = ("celery.concurrency.thread", "celery.concurrency.solo")
#: What a stop may take beyond the drain, in seconds.
EXTRA_SECONDS = 10.0


def _refuse(problem: object) -> NoReturn:
    """Celery would log an error of ours and go on without us."""
    print(f"duly: {problem}", file=sys.stderr, flush=True)  # noqa: T201 - the operator's terminal
    os._exit(2)


class Bridge:
    """Our part of one Celery worker process: a loop in a thread, a worker on it, a keeper beside it."""

    def __init__(self, settings: Settings, *, node: str) -> None:
        self._settings = settings
        self._node = node
        self._loop = asyncio.new_event_loop()
        self._carrier: Carrier | None = None
        self._app: App | None = None
        self._pipe: ChildPipe | None = None
        self._drained: Future[None] | None = None

    def start(self) -> None:
        """Starts all three; the database must be there.

        Raises:
            DulyError, SettingsError: it is not, or the handlers cannot be loaded.
        """
        faulthandler.register(signal.SIGUSR2)  # the keeper asks in what a silent loop hangs
        self._pipe = self._start_keeper()
        self._pipe.listen(self._on_message)
        threading.Thread(target=self._loop.run_forever, name="duly-loop", daemon=True).start()
        self._do(self._begin()).result()

    def _start_keeper(self) -> ChildPipe:
        ours, theirs = socket.socketpair()
        handover = Handover(
            mode="keeper", settings=self._settings.model_dump(), watched=os.getpid(), control=theirs.fileno()
        )
        subprocess.Popen(
            [sys.executable, "-m", "duly.runtime.keeper"],
            env=handover.environment(),
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        return ChildPipe(ours)

    def _do(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _begin(self) -> None:
        app = self._app = App(self._settings, load_declared(self._settings))
        await patiently(app.start)
        self._carrier = Carrier(
            app,
            node=self._node,
            supervised=lambda session: self._say(session=session),
            replace=lambda: os.kill(os.getpid(), signal.SIGTERM),
            pulse=lambda seconds: self._say(beat=seconds),
        )
        await patiently(self._carrier.start)
        settle()

    def _say(self, **message: Any) -> None:
        if self._pipe is not None:
            self._pipe.send(**message)

    def _on_message(self, message: dict[str, Any]) -> None:
        if "lost" in message and self._carrier is not None:
            self._do(self._carrier.replace_session(message["lost"]))

    def carry(self, id_: str) -> bool:
        """Runs a task to its end, on the loop; called in Celery's threads."""
        if self._carrier is None:
            raise RuntimeError("the bridge has not started")
        return self._do(self._carrier.carry(id_)).result()

    def drain(self) -> None:
        """Begins to stop; slots come back as their tasks end or go back."""
        if self._carrier is not None and self._drained is None:
            self._drained = self._do(self._carrier.drain(self._settings.drain))

    def stop(self) -> None:
        """Ends what `drain` has left. A handler that ignores its stop does not hold the process."""
        self.drain()
        if self._drained is not None:
            self._drained.result(self._settings.drain + EXTRA_SECONDS)
            words = self._do(self._end()).result(EXTRA_SECONDS)
            self._say(last_words=words)
            self._say(ending=0)
            if words:
                os._exit(0)

    async def _end(self) -> list[dict[str, Any]]:
        assert self._carrier is not None and self._app is not None  # noqa: S101, PT018 - it was drained
        await self._carrier.stop()
        words = [word._asdict() for word in self._carrier.runner.last_words()]
        await self._app.stop()
        return words


class _Process:
    """The one bridge of this process."""

    bridge: Bridge | None = None


def _guarded(step: Callable[[], T]) -> T:
    try:
        return step()
    except (DulyError, SettingsError) as error:
        _refuse(error)


settings = _guarded(load)
app = _guarded(lambda: celery_app(settings, patient=True))


@app.task(name=TASK)  # type: ignore[untyped-decorator]
def run(task_id: str) -> None:
    """Carries one message; whatever became of it, the row knows."""
    if _Process.bridge is None:
        raise RuntimeError("this process was not started as a Celery worker of its own")
    _Process.bridge.carry(task_id)


def _start(sender: str, instance: Any, **_: Any) -> None:
    """Before the first message: which queues (-Q) and how many slots (-c) are known now."""
    if instance.app is not app:
        return
    pool = instance.pool_cls.__module__
    if pool not in POOLS:
        _refuse(f"the bridge runs in one process: start Celery with -P threads (or solo), not {pool}")
    slots = instance.concurrency or settings.concurrency
    names = [name.removeprefix(settings.broker_prefix) for name in app.amqp.queues.consume_from]
    lanes = {"concurrency": slots, "threads": slots, "processes": min(slots, 256)}
    mine = settings.model_copy(update={**lanes, "queues": ",".join(names)})
    try:
        _Process.bridge = Bridge(mine, node=sender)
        _guarded(_Process.bridge.start)
    except Exception:  # noqa: BLE001 - Celery would go on, and drop each message
        traceback.print_exc()
        os._exit(1)


def _drain(**_: Any) -> None:
    if _Process.bridge is not None:
        _Process.bridge.drain()


def _stop(**_: Any) -> None:
    if _Process.bridge is not None:
        _Process.bridge.stop()


signals.celeryd_after_setup.connect(_start, weak=False)
signals.worker_shutting_down.connect(_drain, weak=False)
signals.worker_shutdown.connect(_stop, weak=False)
