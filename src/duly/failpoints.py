"""Named places where a fault can be rehearsed: `DULY_FAILPOINTS="step.recorded=kill@3?/tmp/once"`.

Without the variable a failpoint is one dictionary look-up. `kill@3` acts on the third pass; a path after
`?` is created first, holds the pid, and keeps the fault from happening a second time. The faults: `kill`,
`raise`, and `hang`, which stops the process as it stands until somebody continues it (SIGCONT).
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "DULY_FAILPOINTS"


class FailpointError(Exception):
    """The exception that a failpoint with the action `raise` throws."""


@dataclass(slots=True)
class _Point:
    action: str
    countdown: int
    once: Path | None


def _parse(text: str) -> dict[str, _Point]:
    points = {}
    for entry in filter(None, text.split(";")):
        name, _, rest = entry.partition("=")
        rest, _, once = rest.partition("?")
        action, _, count = rest.partition("@")
        points[name] = _Point(action, int(count or 1), Path(once) if once else None)
    return points


_points = _parse(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Passes the place `name`; does nothing unless a fault was asked for there."""
    point = _points.get(name)
    if point is None:
        return
    point.countdown -= 1
    if point.countdown != 0 or not _first_time(point.once):
        return
    if point.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if point.action == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    raise FailpointError(name)


def _first_time(once: Path | None) -> bool:
    if once is None:
        return True
    try:
        with once.open("x") as file:
            file.write(str(os.getpid()))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True
