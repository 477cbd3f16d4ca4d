"""One measurement and the noise around it: what the disk and others on this machine did meanwhile."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from processes import cpu_seconds, machine_seconds, server_pids, tree

#: A machine is quiet when others use less than this share of one processor.
QUIET_CORES = 0.2
PROBES = 60
LOOK_SECONDS = 0.7


def fsync_us(folder: Path) -> int:
    """Median microseconds for 4 KiB to reach stable storage (fdatasync over the same block)."""
    path, seconds = folder / "probe", []
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(PROBES):
            os.pwrite(file, b"z" * 4096, 0)
            start = time.perf_counter()
            os.fdatasync(file)
            seconds.append(time.perf_counter() - start)
    finally:
        os.close(file)
        path.unlink()
    return round(statistics.median(seconds) * 1e6)


def wait_for_quiet(limit: float) -> None:
    """Returns when others leave the machine alone, or after `limit` seconds."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        others, start = machine_seconds() - cpu_seconds([os.getpid()]), time.monotonic()
        time.sleep(LOOK_SECONDS)
        others = machine_seconds() - cpu_seconds([os.getpid()]) - others
        if others / (time.monotonic() - start) < QUIET_CORES:
            return


class Noise:
    """What others do from now on, until `figures` is asked for; begin it before a worker starts.

    Ours is this process with all its descendants, and PostgreSQL's processes for `database`.
    """

    def __init__(self, folder: Path, database: str | None) -> None:
        self._database = database
        self._fsync_us = fsync_us(folder)
        self._server = self._server_seconds()
        self._ours, self._all = cpu_seconds(tree(os.getpid())), machine_seconds()
        self._start = time.monotonic()

    def _server_seconds(self) -> float:
        return cpu_seconds(server_pids(self._database))

    def figures(self) -> dict[str, float]:
        """For the measurement's line; `foreign_cores` is the processor time of others per second."""
        seconds = time.monotonic() - self._start
        server = self._server_seconds() - self._server
        ours, everyone = cpu_seconds(tree(os.getpid())) - self._ours, machine_seconds() - self._all
        foreign = round(max(0.0, everyone - ours - server) / seconds, 2)
        found: dict[str, float] = {"foreign_cores": foreign, "fsync_us": self._fsync_us}
        if self._database is not None:
            found["server_cpu_s"] = round(server, 2)
        return found


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The 50th, 95th, 99th and 100th percentile, in milliseconds (nearest rank)."""
    ascending = sorted(seconds)
    last = len(ascending) - 1
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {
        name: round(ascending[min(last, int(len(ascending) * share))] * 1000, 2)
        for name, share in shares.items()
    }
