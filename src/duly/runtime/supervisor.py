"""The parent of a worker: watches its children (`runtime.life` each), and starts them again when they die.

`python -m duly.runtime.supervisor`, started by `duly serve` and `duly worker`. It holds the listening
socket, so that a restart queues connections; and it imports next to nothing. Beside the ordinary child it
keeps a quarantine child as long as there are suspects: tasks under which workers died.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from duly.clock import Clock, SystemClock
from duly.model.events import Emit
from duly.observe.logs import Log
from duly.runtime.control import Pipe
from duly.runtime.handover import REPLACE, Handover, received
from duly.runtime.life import Life
from duly.runtime.ward import Ward
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


@dataclasses.dataclass(slots=True)
class Post:
    """A place that one child at a time fills; after a death it stays empty for a while."""

    name: str
    handover: Handover
    wanted: bool
    life: Life | None = None
    rest_until: float = float("-inf")
    failures: int = 0

    @property
    def due(self) -> float:
        """When its next child shall start."""
        return self.rest_until if self.wanted and self.life is None else float("inf")

    def rest(self, life: Life | None, unit: float, now: float) -> float:
        """How many seconds it stays empty after this life, or after a start that failed."""
        self.failures = 0 if life is not None and now - life.born > GOOD_LIFE else self.failures
        seconds = unit * BACKOFF[min(self.failures, len(BACKOFF) - 1)]
        self.failures += 1
        self.rest_until = now + seconds
        return seconds


class Supervisor:
    """The ordinary child, and beside it a quarantine child as long as there are suspects."""

    def __init__(self, handover: Handover, ward: Ward, *, clock: Clock, emit: Emit) -> None:
        self._settings = handover.settings
        self._once = handover.once
        self._ward = ward
        self._clock = clock
        self._emit = emit
        self._listeners: list[socket.socket] = []
        self._ordinary = Post("child", handover, wanted=True)
        apart = dataclasses.replace(handover, mode="worker", quarantine=True)
        self._quarantine = Post("quarantine", apart, wanted=False)
        self._asked = 0
        self._stop_by: float | None = None
        self._code = 0
        self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    @property
    def _posts(self) -> tuple[Post, Post]:
        return self._ordinary, self._quarantine

    @property
    def _lives(self) -> list[Life]:
        return [life for post in self._posts if (life := post.life) is not None]

    def run(self) -> int:
        """Supervises until the ordinary child ends for good; answers the exit code."""
        over = threading.Event()
        threading.Thread(target=self._watch_leases, args=(over,), name="duly-leases", daemon=True).start()
        try:
            return self._supervise()
        finally:
            over.set()

    def _watch_leases(self, over: threading.Event) -> None:
        """A thread beside the loop, which may wait for the database longer than a lease has left. Who wakes
        much too late has stood still, the whole host perhaps: then the loop comes first, once."""
        lease, late = self._settings["lease"], False
        while not over.is_set():
            now = self._clock.monotonic()
            due = min([now + lease / 2, *(life.kill_at for life in self._lives)])
            wake = max(due, now + lease / 60)
            over.wait(wake - now)
            late = not late and self._clock.monotonic() > wake + lease / 30
            for life in [] if late else self._lives:
                life.end_with_lease()

    def _supervise(self) -> int:
        if self._ordinary.handover.mode == "serve":
            self._listeners = [listen(self._settings["host"], self._settings["port"])]
        self._catch_signals()
        self._selector.register(self._wakes[0], selectors.EVENT_READ)
        while True:
            self._heed_signals()
            for post in self._posts:
                self._turn(post)
            if self._stop_by is not None and not self._lives:
                return self._code
            self._listen()

    def _catch_signals(self) -> None:
        self._wakes[1].setblocking(False)
        signal.set_wakeup_fd(self._wakes[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop(self, *_: Any) -> None:
        self._asked += 1

    def _heed_signals(self) -> None:
        if self._asked and self._stop_by is None:
            notify("STOPPING=1")
            self._stop()
        if self._asked > 1:
            for life in self._lives:
                life.kill("asked twice to stop")

    def _stop(self) -> None:
        self._stop_by = self._clock.monotonic() + self._settings["drain"] + EXTRA_SECONDS
        for listener in self._listeners:  # once the child accepts no more, who connects is refused at once
            listener.close()
        for life in self._lives:
            life.stop()

    def _turn(self, post: Post) -> None:
        """What a post needs now: a child, or that its child is watched, or buried."""
        now, life = self._clock.monotonic(), post.life
        if life is None:
            if self._stop_by is None and now >= post.due:
                self._try_to_start(post)
        elif life.ended:
            if life.bury():
                self._retire(post, life)
        elif self._stop_by is not None and now >= self._stop_by:
            life.kill("did not drain in time")
        else:
            life.tend()

    def _try_to_start(self, post: Post) -> None:
        """A host without memory, processes or descriptors has some again later; the other child goes on."""
        try:
            self._start(post)
        except OSError as error:
            seconds = post.rest(None, self._settings["lease"] / 30, self._clock.monotonic())
            self._emit(f"{post.name}.start_failed", error=str(error), seconds=seconds, level="error")

    def _start(self, post: Post) -> None:
        ours, theirs = socket.socketpair()
        descriptors = [] if post is self._quarantine else [one.fileno() for one in self._listeners]
        handover = dataclasses.replace(post.handover, control=theirs.fileno(), sockets=descriptors)
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", MODULES[handover.mode]],
                    env=handover.environment(),
                    pass_fds=[theirs.fileno(), *descriptors],
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        post.life = self._life(post, process, Pipe(ours))
        post.wanted = post is self._ordinary
        self._selector.register(post.life.pipe, selectors.EVENT_READ, post.life)
        self._tell_sibling()

    def _life(self, post: Post, process: subprocess.Popen[bytes], pipe: Pipe) -> Life:
        return Life(
            post.name,
            process,
            pipe,
            self._settings,
            ward=self._ward,
            clock=self._clock,
            emit=self._emit,
            heard=functools.partial(self._on_message, post),
        )

    def _on_message(self, post: Post, message: dict[str, Any]) -> None:
        if "session" in message and post is self._quarantine:
            self._tell_sibling()
        if "suspects" in message:
            self._quarantine.wanted = True
        if message.get("ready") and post is self._ordinary:
            notify("READY=1")

    def _tell_sibling(self) -> None:
        """After the host slept the ordinary child may look first: its sibling is not dead."""
        if self._ordinary.life is not None:
            sessions = self._quarantine.life.sessions if self._quarantine.life is not None else []
            self._ordinary.life.pipe.send(sibling=sessions[-1] if sessions else None)

    def _retire(self, post: Post, life: Life) -> None:
        """A child is buried: who comes after it, and when?"""
        with contextlib.suppress(KeyError):  # it may have closed its end before
            self._selector.unregister(life.pipe)
        life.pipe.close()
        post.life = None
        self._tell_sibling()
        if life.given_back.suspects and not self._once:
            self._quarantine.wanted = True
            if self._quarantine.life is not None:
                self._quarantine.life.pipe.send(suspects=True)
        if self._stop_by is None:
            self._succeed(post, life)

    def _succeed(self, post: Post, life: Life) -> None:
        code = life.code if life.meant else None
        if post is self._ordinary and code in self._final_codes():
            self._code = life.code
            self._stop()
        elif code == REPLACE:
            post.wanted = True
        elif code == 0 and post is self._quarantine:
            post.failures = 0
        else:
            if not life.sessions and code not in FINAL_CODES:
                post.wanted = True  # it never came to look at the suspects that it was started for
            seconds = post.rest(life, self._settings["lease"] / 30, self._clock.monotonic())
            if post.wanted:
                self._emit(f"{post.name}.restarting", seconds=seconds)

    def _final_codes(self) -> frozenset[int]:
        """0 is final where the work has an end; a signal to the child alone does not end the service."""
        return FINAL_CODES if self._once else FINAL_CODES - {0}

    def _listen(self) -> None:
        """Waits for a signal, a message, or the time of the next duty."""
        for key, _ in self._selector.select(self._pause()):
            if key.data is None:
                self._wakes[0].recv(4096)
            elif not key.data.hear():
                self._selector.unregister(key.fileobj)

    def _pause(self) -> float:
        now = self._clock.monotonic()
        duties = [life.next_duty for life in self._lives]
        if self._stop_by is None:
            duties += [post.due for post in self._posts]
        elif self._stop_by > now:
            duties.append(self._stop_by)
        return max(0.0, min([now + 3600.0, *duties]) - now)


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
