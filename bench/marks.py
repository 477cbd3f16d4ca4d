"""What a handler writes down, in every system alike: a line in one shared file, opened for appending.

Workers import this, so it stays small. Times are seconds since 1970: they are compared across processes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_once: set[str] = set()
_files: list[int] = []


def _path() -> Path:
    return Path(os.environ["BENCH_MARKS"])


def _write(line: str) -> None:
    if not _files:
        _files.append(os.open(_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))
    os.write(_files[0], line.encode())


def ran() -> None:
    """A no-op began; only the first of a process is written down."""
    if "ran" not in _once:
        _once.add("ran")
        _write(f"ran {time.time()}\n")


def picked_up(submitted_at: float) -> None:
    """A handler began that was submitted at `submitted_at`: its latency in seconds."""
    _write(f"latency {time.time() - submitted_at}\n")


def waits() -> None:
    """A handler began that will wait for a second."""
    _write(f"waits {time.time()}\n")


def read(what: str) -> list[float]:
    """The values of one kind of mark, in the order they were written."""
    if not _path().exists():
        return []
    lines = (line.split() for line in _path().read_text().splitlines())
    return [float(line[1]) for line in lines if line[0] == what]


def clear() -> None:
    """Forgets all marks; for a new measurement."""
    _path().unlink(missing_ok=True)
