"""The process beside a Celery worker: it sees the end of a process that is not its child."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from duly.clock import SystemClock
from duly.config import Settings
from duly.runtime import keeper
from duly.runtime.control import Pipe
from duly.runtime.keeper import Neighbour
from duly.runtime.life import Life
from support.parents import Hand, WardOfHand
from support.world import Emitted


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def watched(pid: int) -> tuple[Life, WardOfHand, socket.socket, Emitted]:
    """A life around a process, its database by hand, the worker's end of the pipe."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ward, emitted = WardOfHand(Hand()), Emitted()
    settings = Settings().model_dump()
    clock = SystemClock()
    life = Life("celery", Neighbour(pid), Pipe(ours), settings, ward=ward, clock=clock, emit=emitted)  # type: ignore[arg-type]
    return life, ward, theirs, emitted


def test_it_sees_a_process_live_and_end(sleeper: subprocess.Popen[bytes]) -> None:
    """And what it does to it reaches that process only."""
    process = Neighbour(sleeper.pid)
    assert process.poll() is None
    process.terminate()
    assert sleeper.wait(5) == -signal.SIGTERM
    assert process.poll() is not None
    process.kill()  # it is gone: nothing happens


def test_a_killed_worker_is_buried_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    """Its session, and under suspicion, for it did not say that it ends."""
    life, ward, theirs, emitted = watched(sleeper.pid)
    theirs.sendall(json.dumps({"session": "s1"}).encode() + b"\n")
    sleeper.kill()
    keeper.keep(life, Neighbour(sleeper.pid), SystemClock())
    assert ward.buried == [(["s1"], False)]
    assert emitted.names()[-1] == "celery.died"


def test_a_worker_that_closes_its_end_has_seconds_to_go(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery can begin anew in the same process: the life that was kept is over all the same."""
    monkeypatch.setattr(keeper, "LAST_SECONDS", 0.1)
    life, ward, theirs, emitted = watched(sleeper.pid)
    theirs.sendall(json.dumps({"session": "s1"}).encode() + b"\n")
    theirs.sendall(json.dumps({"last_words": [], "ending": 0}).encode() + b"\n")
    theirs.close()
    keeper.keep(life, Neighbour(sleeper.pid), SystemClock())
    assert sleeper.poll() is None
    assert ward.buried == [(["s1"], True)]
    assert emitted.names()[-1] == "celery.ended"
