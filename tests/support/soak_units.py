"""The processes of a soak: one API and some workers as a service manager runs them, always started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.cluster import alive, children, quarantine, until

#: What systemd waits before it starts a unit again (RestartSec).
REST_SECONDS = 0.1
STOP_SECONDS = 60


class Unit:
    """One `duly serve` or `duly worker`: the supervising process, and below it its children."""

    def __init__(
        self,
        name: str,
        words: list[str],
        folder: Path,
        environment: Mapping[str, str],
        enter: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [*enter, sys.executable, "-m", "duly.cli", *words]
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        #: A program that sets something and becomes the command; what is added to its environment.
        self.prefix: list[str] = []
        self.extra: dict[str, str] = {}
        self.paused = False
        self.starts = 0

    @property
    def pid(self) -> int:
        """The supervisor's process id; the command becomes the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a supervisor, or the command that becomes one."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it unless it runs."""
        if not self.runs:
            with self.log.open("ab") as log:
                command, environment = [*self.prefix, *self._command], {**self._environment, **self.extra}
                self._process = subprocess.Popen(
                    command, cwd=self._folder, env=environment, stdout=log, stderr=log
                )
            self.starts += 1

    def children(self, *, apart: bool) -> list[int]:
        """Its living ordinary children, or with `apart` those that run suspects."""
        if not self.runs:
            return []
        return [pid for pid in children(self.pid) if alive(pid) and quarantine(pid) == apart]

    def family(self) -> list[int]:
        """All its processes, the supervisor first."""
        return [self.pid, *children(self.pid)] if self.runs else []

    def pause(self, *, whole: bool) -> None:
        """Stops the supervisor in its tracks; with `whole` its children too, as a sleeping host does."""
        self.paused = True
        for pid in self.family() if whole else [self.pid]:
            send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets all of it go on."""
        for pid in self.family():
            send(pid, signal.SIGCONT)
        self.paused = False

    async def stop(self) -> int:
        """Its exit code after SIGTERM."""
        assert self._process is not None
        process = self._process
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(AssertionError):
            await until(lambda: process.poll() is not None, STOP_SECONDS, every=0.05)
        return -1 if process.poll() is None else process.returncode

    def put_away(self) -> None:
        """Ends it whatever it does; its children die with it."""
        for pid in self.family():
            send(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)


def send(pid: int, what: signal.Signals) -> None:
    """Sends a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


class Fleet:
    """An API and workers. `keep` starts again what ends, until `closing` is set."""

    def __init__(self, api: Unit, workers: Sequence[Unit]) -> None:
        self.api = api
        self.workers = list(workers)
        self.units = [self.api, *self.workers]
        self.closing = False

    async def keep(self) -> None:
        """The service manager's part."""
        while not self.closing:
            for unit in self.units:
                unit.start()
            await asyncio.sleep(REST_SECONDS)

    def awake(self, die: random.Random) -> list[Unit]:
        """The workers that are not paused, in any order."""
        found = [unit for unit in self.workers if not unit.paused]
        die.shuffle(found)
        return found

    async def stop(self) -> list[int]:
        """Ends all in good order; the exit codes."""
        self.closing = True
        return list(await asyncio.gather(*(unit.stop() for unit in self.units)))

    def put_away(self) -> None:
        """Ends all at once."""
        self.closing = True
        for unit in self.units:
            unit.put_away()
