"""A real child before a parent whose clock is moved by hand: its session, and where its silent loop hangs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from duly.runtime.control import Pipe
from duly.runtime.handover import Handover
from duly.runtime.life import Life
from support.cluster import Cluster, cluster, until
from support.parents import Hand, WardOfHand
from support.world import Emitted


class Parent:
    """One life, its clock, and what it does to the database."""

    def __init__(self, cluster: Cluster, child: subprocess.Popen[bytes], end: socket.socket) -> None:
        self.clock, self.emitted = Hand(), Emitted()
        self.ward = WardOfHand(self.clock)
        self.child = child
        self.heard: dict[str, Any] = {}
        self.life = Life(
            "child",
            child,
            Pipe(end),
            cluster.settings.model_dump(),
            ward=self.ward,  # type: ignore[arg-type]
            clock=self.clock,
            emit=self.emitted,
            heard=self.heard.update,
        )

    def wait_for(self, event: str) -> None:
        """Time passes until it has said this."""
        while event not in self.emitted.names():
            self.clock.now = max(self.clock.now, self.life.next_duty)
            self.life.tend()


@contextmanager
def parent(cluster: Cluster) -> Iterator[Parent]:
    """The parent of a worker that has just been started."""
    ours, theirs = socket.socketpair()
    handover = Handover(mode="worker", settings=cluster.settings.model_dump(), control=theirs.fileno())
    with (
        subprocess.Popen(
            [sys.executable, "-m", "duly.runtime.child"],
            env=handover.environment(),
            cwd=cluster.folder,
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
        ) as child,
        ours,
    ):
        theirs.close()
        try:
            yield Parent(cluster, child, ours)
        finally:
            child.kill()


async def test_a_silent_child_says_where_it_hangs_before_it_is_killed(tmp_path: Path) -> None:
    """The stacks of its threads stand in its log: which handler blocks the loop, and in which line."""
    async with cluster(tmp_path) as one:
        id_ = await one.submit("blocked.loop", {"seconds": 100})
        with parent(one) as it:
            await until(lambda: one.ledger("start", id_))
            it.life.hear()
            it.wait_for("child.silent")
            assert it.child.stderr is not None
            assert any(b"in blocked_loop" in line for line in it.child.stderr)
            assert it.child.poll() is None
            it.wait_for("child.killed")
            assert it.child.wait(30) == -9


async def test_the_lease_of_a_child_is_its_parents_to_renew(tmp_path: Path) -> None:
    """Then a handler may hold the interpreter's lock for longer than a lease."""
    async with cluster(tmp_path) as one:
        with parent(one) as it:
            while "ready" not in it.heard:
                assert it.life.hear()
            assert len(it.life.sessions) == 1
            it.clock.now = it.life.next_duty
            it.life.tend()
            assert it.ward.renewed == it.life.sessions
