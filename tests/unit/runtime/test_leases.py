"""The parent's second pair of eyes: a child ends with its lease, whatever the parent is waiting for."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from duly.config import Settings
from duly.runtime.control import Pipe
from duly.runtime.handover import Handover
from duly.runtime.life import Life
from duly.runtime.supervisor import Supervisor
from support.parents import Hand, Victim, WardOfHand
from support.world import Emitted

LEASE = 30.0


class Rounds:
    """The event that ends the watch after so many naps, each as long as asked for, or as long as given."""

    def __init__(self, clock: Hand, count: int, naps: dict[int, float] | None = None) -> None:
        self._clock, self._left, self._naps, self.number = clock, count, naps or {}, 0

    def is_set(self) -> bool:
        return self.number >= self._left

    def wait(self, seconds: float) -> None:
        self.number += 1
        self._clock.now += self._naps.get(self.number, seconds)


class Scene:
    """A parent with one child that has a session, and nobody who renews it."""

    def __init__(self) -> None:
        self.clock, self.child = Hand(), Victim()
        settings = Settings(lease=LEASE).model_dump()
        ward: Any = WardOfHand(self.clock)
        handover = Handover(mode="worker", settings=settings)
        self.parent = Supervisor(handover, ward, clock=self.clock, emit=Emitted())
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        child: Any = self.child
        self.life = Life("child", child, Pipe(ours), settings, ward=ward, clock=self.clock, emit=Emitted())
        self.parent._ordinary.life = self.life
        self.theirs.sendall(json.dumps({"session": "s1"}).encode() + b"\n")
        self.life.hear()

    def watch(self, rounds: Rounds) -> None:
        over: Any = rounds
        self.parent._watch_leases(over)


def test_a_child_ends_with_its_lease_while_its_parent_waits_for_the_database() -> None:
    """A server that does not answer holds the parent's loop for longer than the lease has left."""
    scene = Scene()
    begun = scene.clock.now
    scene.watch(Rounds(scene.clock, 2))
    assert scene.child.killed == 1
    assert LEASE / 2 < scene.clock.now - begun < LEASE


def test_a_parent_that_stood_still_is_asked_first() -> None:
    """A host that slept renews the lease when it wakes: nobody may have taken its tasks."""
    scene = Scene()
    scene.watch(Rounds(scene.clock, 1, naps={1: 10 * LEASE}))
    assert scene.child.killed == 0
    scene.life.tend()
    scene.watch(Rounds(scene.clock, 1))
    assert scene.child.killed == 0


@pytest.mark.parametrize("naps", [{1: 10 * LEASE}, {1: 10 * LEASE, 2: LEASE}])
def test_a_parent_that_stood_still_and_cannot_renew_is_not_spared(naps: dict[int, float]) -> None:
    """It has a moment for it, not a lease; also on a host where everything is late."""
    scene = Scene()
    scene.watch(Rounds(scene.clock, 2, naps=naps))
    assert scene.child.killed == 1


def test_the_watch_runs_beside_the_loop() -> None:
    """As long as the parent supervises, and no longer."""
    scene, seen = Scene(), threading.Event()
    scene.parent._watch_leases = lambda over: (over.wait(10), seen.set())  # type: ignore[assignment,method-assign]
    scene.parent._supervise = lambda: 7  # type: ignore[method-assign]
    assert scene.parent.run() == 7
    assert seen.wait(10)
