"""A worker's process whose parent is gone ends at once: nobody renews its lease any more.

It learns of it twice over: its pipe ends, and Linux kills it. Each is tried without the other.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duly.runtime.control import Pipe
from duly.runtime.handover import Handover
from support.cluster import Cluster, alive, cluster, until

#: Seconds; one that goes on goes on for ever.
PATIENCE = 3.0
#: A child that does nothing but listen.
LISTENER = """
import socket, sys, threading
from duly.runtime.control import ChildPipe
ChildPipe(socket.socket(fileno=int(sys.argv[1]))).listen(lambda message: None)
threading.Event().wait()
"""
#: A parent that starts a worker, tells its number and waits for it.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "duly.runtime.child"], pass_fds=[int(sys.argv[1])])
print(child.pid, flush=True)
child.wait()
"""


def test_a_child_whose_pipe_ends_ends_itself() -> None:
    """Whatever its main thread does."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", LISTENER, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as child, ours:
        theirs.close()
        ours.close()
        try:
            assert child.wait(PATIENCE) == 3
        finally:
            child.kill()


@contextmanager
def parent(cluster: Cluster) -> Iterator[tuple[subprocess.Popen[bytes], Pipe]]:
    """The parent of a worker, and its end of the pipe, which outlives it: somebody has inherited it."""
    ours, theirs = socket.socketpair()
    handover = Handover(mode="worker", settings=cluster.settings.model_dump(), control=theirs.fileno())
    command = [sys.executable, "-c", PARENT, str(theirs.fileno())]
    where = {"env": handover.environment(), "cwd": cluster.folder}
    with (
        subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, **where) as one,
        ours,
    ):
        theirs.close()
        yield one, Pipe(ours)
        one.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pipe alone tells")
async def test_a_child_whose_parent_is_killed_dies(tmp_path: Path) -> None:
    """Though its pipe stands."""
    async with cluster(tmp_path) as one:
        with parent(one) as (process, pipe):
            assert process.stdout is not None
            child = int(process.stdout.readline())
            assert pipe.receive()  # it works
            process.kill()
            await until(lambda: not alive(child), PATIENCE)
