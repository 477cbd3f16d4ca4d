"""The parent of a worker: renews its lease from outside its interpreter, buries and restarts it when it dies.

`python -m duly.runtime.supervisor`, started by `duly serve` and `duly worker`. It holds the listening
socket, so that a restart queues connections; and it imports next to nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import socket
import subprocess
import sys
from typing import Any

from duly.clock import Clock, SystemClock
from duly.model.events import Emit
from duly.observe.logs import Log
from duly.runtime.control import Pipe
from duly.runtime.handover import REPLACE, Handover, received
from duly.runtime.ward import PATIENCE, Unreachable, Ward, patiently
from duly.store.driver import choose
from duly.store.transaction import Terms

#: Rests before a restart, in thirtieths of the lease: seconds, for the usual lease of 30 s.
BACKOFF = (1, 2, 4, 8, 15, 30)
#: A child that lived this long had a good start; the next restart is quick again.
GOOD_LIFE = 60.0
#: A child that announces one of these and ends with it is not started again: it would not help.
FINAL_CODES = frozenset({0, 2})
EXTRA_SECONDS = 5.0
#: What runs as the child; named here, imported only there.
MODULES = {"serve": "duly.http.serve", "worker": "duly.runtime.child"}


def listen(host: str, port: int) -> socket.socket:
    """The API's listening socket, open for all children to come."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def notify(state: str) -> None:
    """Tells systemd (sd_notify), when it started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address.replace("@", "\0", 1))


class Supervisor:
    """One child at a time; its sessions, its last words, its end."""

    def __init__(self, handover: Handover, ward: Ward, *, clock: Clock, emit: Emit) -> None:
        self._handover = handover
        self._settings = handover.settings
        self._ward = ward
        self._clock = clock
        self._emit = emit
        self._listeners: list[socket.socket] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._sessions: list[str] = []
        self._last_words: list[dict[str, Any]] = []
        self._announced: int | None = None
        self._killed = False
        self._unit = self._settings["lease"] / 30
        self._renewed_at = 0.0
        self._renew_at = float("inf")
        self._silent_by = float("inf")
        self._stop_by: float | None = None
        self._wakes = socket.socketpair()

    def run(self) -> int:
        """Supervises until the child ends for good; answers the exit code."""
        if self._handover.mode == "serve":
            self._listeners = [listen(self._settings["host"], self._settings["port"])]
        self._catch_signals()
        failures = 0
        while True:
            born = self._clock.monotonic()
            code = self._life()
            self._bury(code)
            if self._stop_by is not None:
                return 0
            meant = code == self._announced  # a handler can end the process too, with any code
            if meant and code in self._final_codes():
                return code
            if meant and code == REPLACE:
                continue
            failures = 0 if self._clock.monotonic() - born > GOOD_LIFE else failures
            self._rest(self._unit * BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1
            if self._stop_by is not None:
                return 0

    def _final_codes(self) -> frozenset[int]:
        """0 is final where the work has an end; a signal to the child alone does not end the service."""
        return FINAL_CODES if self._handover.once else FINAL_CODES - {0}

    def _catch_signals(self) -> None:
        self._wakes[1].setblocking(False)
        signal.set_wakeup_fd(self._wakes[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop(self, *_: Any) -> None:
        if self._stop_by is not None:  # asked twice: now
            self._kill("asked twice to stop")
            return
        notify("STOPPING=1")
        self._stop_by = self._clock.monotonic() + self._settings["drain"] + EXTRA_SECONDS
        if self._child is not None:
            self._child.terminate()

    def _life(self) -> int:
        """Starts a child and watches it to its end; answers its exit code."""
        self._start()
        assert self._child is not None  # noqa: S101 - just started
        assert self._pipe is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            selector.register(self._wakes[0], selectors.EVENT_READ)
            while self._child.poll() is None:
                self._listen(selector)
                self._tend()
            with contextlib.suppress(BlockingIOError):  # a process that the child left may hold its end open
                while self._hear():  # what it said last may still stand in the pipe
                    pass
        return self._child.returncode

    def _listen(self, selector: selectors.BaseSelector) -> None:
        """Waits for a signal, a message, or the time of the next duty."""
        for key, _ in selector.select(self._pause()):
            if key.fileobj is self._wakes[0]:
                self._wakes[0].recv(4096)
            elif not self._hear():
                selector.unregister(key.fileobj)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        descriptors = [listener.fileno() for listener in self._listeners]
        handover = dataclasses.replace(self._handover, control=theirs.fileno(), sockets=descriptors)
        self._sessions, self._last_words = [], []
        self._announced, self._killed = None, False
        self._renew_at = self._silent_by = float("inf")
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", MODULES[self._handover.mode]],
            env=handover.environment(),
            pass_fds=[theirs.fileno(), *descriptors],
        )
        theirs.close()
        ours.setblocking(False)
        self._pipe = Pipe(ours)
        self._emit("child.started", pid=self._child.pid)
        if self._stop_by is not None:  # asked while it was being started
            self._child.terminate()

    def _pause(self) -> float:
        now = self._clock.monotonic()
        if self._killed:
            return 3600.0  # its end is a signal
        until = min(self._renew_at, self._silent_by, self._stop_by or float("inf"))
        return max(0.0, min(until - now, 3600.0))

    def _hear(self) -> bool:
        """Takes what the child says; False when it will say no more."""
        messages = self._pipe.receive() if self._pipe is not None else None
        for message in messages or []:
            if "session" in message:
                self._sessions.append(message["session"])
                self._renewed_at = self._clock.monotonic()
                self._renew_at = self._renewed_at + self._settings["renew"]
            if "beat" in message:
                rest = max(message["beat"] + self._settings["stuck"], self._settings["renew"])
                self._silent_by = self._clock.monotonic() + rest + self._settings["lease"]
            if "last_words" in message:
                self._last_words = message["last_words"]
            if "ending" in message:
                self._announced = message["ending"]
            if message.get("ready"):
                notify("READY=1")
        return messages is not None

    def _tend(self) -> None:
        now = self._clock.monotonic()
        if self._killed:
            return
        if self._stop_by is not None and now >= self._stop_by:
            self._kill("did not drain in time")
        elif now >= self._silent_by:
            self._kill("its loop is silent")
        elif now >= self._renew_at:
            self._renew(now)

    def _renew(self, now: float) -> None:
        session = self._sessions[-1]
        try:
            alive = self._ward.renew(session)
        except Unreachable as error:
            self._emit("lease.renew_failed", worker_id=session, error=str(error))
            self._renew_again()
            return
        self._renewed_at = now
        self._renew_at = now + self._settings["renew"]
        if not alive and self._pipe is not None:
            self._emit("session.lost", worker_id=session)
            self._renew_at = float("inf")
            self._pipe.send(lost=session)

    def _renew_again(self) -> None:
        """Tries once more soon; kills the child when one more try could outlast the lease."""
        self._renew_at = self._clock.monotonic() + self._unit
        if self._renew_at + PATIENCE + self._unit > self._renewed_at + self._settings["lease"]:
            self._kill("its lease could not be renewed")

    def _kill(self, reason: str) -> None:
        if self._child is not None and not self._killed and self._child.poll() is None:
            self._killed = True
            self._emit("child.killed", pid=self._child.pid, reason=reason)
            self._child.kill()

    def _bury(self, code: int) -> None:
        if self._pipe is not None:
            self._pipe.close()
        buried = self._give_back() if self._sessions else 0
        name = "child.ended" if code == 0 else "child.died"
        self._emit(name, exit_code=code, tasks_given_back=buried, last_words=len(self._last_words))

    def _give_back(self) -> int | None:
        """None: the database was busy all the time; then the lease's end gives the tasks back."""
        return patiently(
            lambda: self._ward.bury(self._sessions, self._last_words),
            tries=10,
            failed=lambda error: self._emit("child.bury_failed", error=str(error)),
        )

    def _rest(self, seconds: float) -> None:
        """Waits before a restart; a signal ends the wait."""
        self._emit("child.restarting", seconds=seconds)
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakes[0], selectors.EVENT_READ)
            until = self._clock.monotonic() + seconds
            while self._stop_by is None and (left := until - self._clock.monotonic()) > 0:
                for _ in selector.select(left):
                    self._wakes[0].recv(4096)


def main() -> int:
    """The process's entry."""
    handover = received()
    settings = handover.settings
    log = Log(settings["log_format"], settings["log_level"], settings["log_file"])
    terms = Terms(
        lease_ms=round(settings["lease"] * 1000), retention_ms=round(settings["retention_days"] * 86_400_000)
    )
    clock = SystemClock()
    driver = choose(settings["database_url"], listen_url=settings["database_listen_url"] or None)
    ward = Ward(driver, terms, clock)
    try:
        return Supervisor(handover, ward, clock=clock, emit=log.emit).run()
    except OSError as error:
        log.emit("supervisor.failed", error=f"{settings['host']}:{settings['port']}: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
