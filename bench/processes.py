"""Processor time and memory of processes and of the machine, from /proc; and a worker in its own process.

Linux only. The standard library only: the peers' environments import it too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO

TICKS = os.sysconf("SC_CLK_TCK")
#: PostgreSQL's own processes: their work is for whoever is measured.
SERVER_PARTS = ("walwriter", "checkpointer", "background writer", "autovacuum", "logger", "stats")


def machine_seconds() -> float:
    """Processor time that the whole machine has spent so far, without waiting."""
    words = Path("/proc/stat").read_text().split(maxsplit=9)
    user, nice, system, _idle, _wait, irq, soft = map(int, words[1:8])
    return (user + nice + system + irq + soft) / TICKS


def _stat(pid: int) -> list[str]:
    """The fields of a process after its name; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def tree(root: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Processor time of these processes and of those of their children that have ended."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in pids) / TICKS


def fine_cpu_seconds(pids: list[int]) -> float:
    """Processor time of the living threads in the scheduler's nanoseconds: ticks are too coarse here."""
    total = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(file.read_text().split()[0])
    return total / 1e9


def server_pids(database: str | None) -> list[int]:
    """PostgreSQL's processes that work for `database`, and its background processes; none without a name."""
    if database is None:
        return []
    titles = {pid: _title(pid) for pid in _pids()}
    wanted = (f" {database} ", *SERVER_PARTS)
    return [
        pid
        for pid, title in titles.items()
        if title.startswith("postgres") and any(w in title for w in wanted)
    ]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def memory_mb(pids: list[int], field: str) -> float:
    """The sum of a field of /proc/PID/status: VmRSS is now, VmHWM the peak. Shared pages count each time."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(field))
    return round(total / 1024, 1)


class Worker:
    """A worker as its user would start it; `with` ends it and all that it left behind."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._folder = folder
        self._log: IO[bytes]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Worker:
        self._log = (self._folder / "worker.log").open("ab")
        self._process = subprocess.Popen(
            self._command,
            stdout=self._log,
            stderr=self._log,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self.pids
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        for pid in left:
            with contextlib.suppress(OSError):
                if pid != self._process.pid or self._process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
        self._process.wait(5)
        self._log.close()

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return tree(self._process.pid)

    def check(self) -> None:
        """Fails when it has ended: nothing more will come of it."""
        if self._process.poll() is not None:
            log = (self._folder / "worker.log").read_text("utf-8", "replace")
            raise RuntimeError(f"the worker ended with {self._process.returncode}: {log[-800:]}")
