"""One child process from its start to its burial, as its parent sees it: its pipe, its lease, its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from duly.clock import Clock
from duly.model.events import Emit
from duly.runtime.control import Pipe
from duly.runtime.ward import PATIENCE, Sealed, Unreachable, Ward
from duly.store.claims import GivenBack

#: Tries to give back what a dead child held; after them, some ten seconds, the lease's end does it.
BURIALS = 14
#: The first rest between two of them, doubled each time up to one thirtieth of the lease, of which it is a
#: share: a deadlock or a restart of the database is over soon, and the tasks wait for this.
FIRST_REST = 0.1
INF = float("inf")


class Process(Protocol):
    """What it needs of `subprocess.Popen`; a process that is no child of ours can have it too."""

    pid: int
    returncode: int

    def poll(self) -> int | None: ...

    def send_signal(self, sig: int, /) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class Life:
    """Renews the lease of a child that lives, kills one that is done for, gives back what a dead one held.

    `name` begins its events; `heard` is called with each message after it was heeded here.
    """

    def __init__(
        self,
        name: str,
        process: Process,
        pipe: Pipe,
        settings: Mapping[str, Any],
        *,
        ward: Ward,
        clock: Clock,
        emit: Emit,
        heard: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._process = process
        self.pipe = pipe
        self._settings = settings
        self._ward = ward
        self._clock = clock
        self._emit = emit
        self._heard = heard
        self.born = clock.monotonic()
        self.sessions: list[str] = []
        self._last_words: list[dict[str, Any]] | None = None
        self._announced: int | None = None
        self._killed = False
        self._blamed = False
        self._unit = settings["lease"] / 30
        self._renewed_at = 0.0
        self._renew_at = INF
        self._silent_by = INF
        self._asked = self._sealed = False
        self._bury_at = 0.0
        self._burials = 0
        #: What went back at its burial.
        self.given_back = GivenBack()
        self._emit(f"{name}.started", pid=process.pid)

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.returncode

    @property
    def meant(self) -> bool:
        """Whether it ended as it had announced; a handler can end the process too, with any code."""
        return self.code == self._announced

    @property
    def orderly(self) -> bool:
        """Whether no task can be the cause of its end: it stopped by itself, or had to for another reason."""
        said = self._announced is not None or self._last_words is not None
        return said or (self._killed and not self._blamed)

    def stop(self) -> None:
        """Asks it to drain and end."""
        self._process.terminate()

    def kill(self, reason: str, *, blamed: bool = False) -> None:
        """Ends it now; `blamed`: for what one of its tasks did."""
        if not self._killed and not self.ended:
            self._killed, self._blamed = True, blamed
            self._emit(f"{self._name}.killed", pid=self._process.pid, reason=reason)
            self._process.kill()

    @property
    def kill_at(self) -> float:
        """When its lease is as good as over, and others may soon start what it runs."""
        if self._killed or self._renew_at == INF:
            return INF
        return float(self._renewed_at + self._settings["lease"] - self._unit)

    def end_with_lease(self) -> None:
        """Kills it if that time has come: also called while a try to renew is under way."""
        if self._clock.monotonic() >= self.kill_at:
            self.kill("its lease could not be renewed")

    @property
    def next_duty(self) -> float:
        """When `tend` or `bury` has something to do, on the monotonic clock."""
        if self.ended:
            return self._bury_at
        return INF if self._killed else min(self._renew_at, self._silent_by)

    def hear(self) -> bool:
        """Takes what the child says; False when it will say no more."""
        messages = self.pipe.receive()
        for message in messages or []:
            self._heed(message)
            self._heard(message)
        return messages is not None

    def _heed(self, message: dict[str, Any]) -> None:
        now = self._clock.monotonic()
        if "session" in message:
            self.sessions.append(message["session"])
            self._renewed_at = now
            self._renew_at = now + self._settings["renew"]
        if "beat" in message:
            rest = max(message["beat"] + self._settings["stuck"], self._settings["renew"])
            self._silent_by, self._asked = now + rest + self._settings["lease"], False
        self._last_words = message.get("last_words", self._last_words)
        self._announced = message.get("ending", self._announced)

    def tend(self) -> None:
        """Does what is due for a child that lives."""
        now = self._clock.monotonic()
        if self._killed:
            return
        if now >= self._silent_by:
            self._end_silence(now)
        elif now >= self._renew_at:
            self._renew(now)

    def _end_silence(self, now: float) -> None:
        """Asks a silent child for its threads' stacks, and kills it a little later."""
        if self._asked:
            self.kill("its loop is silent", blamed=True)
            return
        self._asked, self._silent_by = True, now + self._unit
        self._emit(f"{self._name}.silent", pid=self._process.pid)
        self._process.send_signal(signal.SIGUSR2)

    def _renew(self, now: float) -> None:
        session = self.sessions[-1]
        try:
            alive = self._ward.renew(session)
        except Sealed as error:
            self._outlast(session, now, error)
            return
        except Unreachable as error:
            self._emit("lease.renew_failed", worker_id=session, error=str(error))
            self._renew_again()
            return
        self._renewed_at = now
        self._renew_at = now + self._settings["renew"]
        self._sealed = False
        if not alive:
            self._emit("session.lost", worker_id=session)
            self._renew_at = INF
            self.pipe.send(lost=session)

    def _outlast(self, session: str, now: float, error: Sealed) -> None:
        """Nobody can rescue its tasks in a sealed database, so the child may stay: without them it answers
        that the installation moves, and works again should the seal be taken off."""
        self._renewed_at = now
        self._renew_at = now + self._settings["renew"]
        if not self._sealed:
            self._sealed = True
            self._emit("installation.moved", worker_id=session, error=str(error))
            self.pipe.send(moved=True)

    def _renew_again(self) -> None:
        """Tries once more soon; kills the child when one more try could outlast the lease."""
        self._renew_at = self._clock.monotonic() + self._unit
        if self._renew_at + PATIENCE >= self.kill_at:
            self.kill("its lease could not be renewed")

    def bury(self) -> bool:
        """One try to give back what a dead child held; True when there is no more to do."""
        if self._clock.monotonic() < self._bury_at:
            return False
        self._hear_out()
        if self.sessions and not self._give_back():
            return False
        name = "ended" if self.code == 0 and self.meant else "died"
        words, count = len(self._last_words or []), self.given_back.tasks
        self._emit(f"{self._name}.{name}", exit_code=self.code, tasks_given_back=count, last_words=words)
        return True

    def _hear_out(self) -> None:
        """What it said last may still stand in the pipe."""
        with contextlib.suppress(BlockingIOError):  # a process that the child left may hold its end open
            while self.hear():
                pass

    def _give_back(self) -> bool:
        """False: to be tried again. When the database is busy all the time, the lease's end gives back."""
        try:
            words = self._last_words or []
            self.given_back = self._ward.bury(self.sessions, words, orderly=self.orderly)
        except Unreachable as error:
            self._emit(f"{self._name}.bury_failed", error=str(error))
            rest = self._unit * min(1.0, FIRST_REST * 2.0**self._burials)
            self._burials += 1
            self._bury_at = self._clock.monotonic() + rest
            return self._burials >= BURIALS
        return True
