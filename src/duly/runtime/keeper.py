"""The process beside a Celery worker: renews its lease, and gives back at once what it held when it dies.

`python -m duly.runtime.keeper`, started by the worker. In a service of ours that is the parent; Celery starts
in its own way, so here it is a companion: in a process of its own all the same, for a handler may hold the
worker's interpreter. When the keeper dies the worker ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import socket
import sys

from duly.clock import SystemClock
from duly.observe.logs import Log
from duly.runtime.control import Pipe
from duly.runtime.handover import received
from duly.runtime.life import Life
from duly.runtime.ward import Ward
from duly.store.driver import choose
from duly.store.transaction import Terms


class Neighbour:
    """A process that is not our child, as `Life` sees it. How it ended nobody tells us: it says so before."""

    returncode = 0

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Whether it has ended: 0, else None."""
        ended, _, _ = select.select([self.descriptor], [], [], 0)
        return self.returncode if ended else None

    def send_signal(self, sig: int) -> None:
        """Signals it, and never another that has its number now."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, sig)

    def terminate(self) -> None:
        """Asks it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)


#: How long a worker that has closed its end of the pipe may take to end, in seconds. Celery can also begin
#: anew in the same process (SIGHUP): then the life that was kept here is over.
LAST_SECONDS = 5.0


def keep(life: Life, process: Neighbour, clock: SystemClock) -> None:
    """Tends the life to its end, then buries it."""
    gone_by = float("inf")
    selector = selectors.DefaultSelector()
    selector.register(process.descriptor, selectors.EVENT_READ)
    selector.register(life.pipe, selectors.EVENT_READ, life)
    while not life.ended and clock.monotonic() < gone_by:
        if gone_by == float("inf"):
            life.tend()
        wait = min(life.next_duty, gone_by) - clock.monotonic()
        for key, _ in selector.select(max(0.0, min(wait, 3600.0))):
            if key.data is not None and not life.hear():
                selector.unregister(life.pipe)
                gone_by = clock.monotonic() + LAST_SECONDS
    while not life.bury():
        select.select([], [], [], max(0.0, life.next_duty - clock.monotonic()))


def main() -> int:
    """The process's entry. What stops the worker does not stop its keeper: that one goes last."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    handover = received()
    settings = handover.settings
    log = Log(settings["log_format"], settings["log_level"], settings["log_file"])
    terms = Terms(
        lease_ms=round(settings["lease"] * 1000), retention_ms=round(settings["retention_days"] * 86_400_000)
    )
    clock = SystemClock()
    driver = choose(settings["database_url"], listen_url=settings["database_listen_url"] or None)
    end = socket.socket(fileno=handover.control)
    end.setblocking(False)
    try:
        process = Neighbour(handover.watched)
    except ProcessLookupError:
        return 0
    ward = Ward(driver, terms, clock)
    keep(Life("celery", process, Pipe(end), settings, ward=ward, clock=clock, emit=log.emit), process, clock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
