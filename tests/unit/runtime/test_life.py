"""One child as its parent sees it: renewed in time, killed when it must be, given back when it is dead."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest

from duly.config import Settings
from duly.runtime.control import Pipe
from duly.runtime.life import BURIALS, Life
from support.parents import Hand, Victim, WardOfHand
from support.world import Emitted


class Watch:
    """A life that never was, with hands on its clock, its pipe and its database."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.emitted, self.child = Hand(), Emitted(), Victim()
        self.ward = WardOfHand(self.clock)
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.life = Life(
            "child",
            self.child,  # type: ignore[arg-type]
            Pipe(ours),
            Settings(**settings).model_dump(),
            ward=self.ward,  # type: ignore[arg-type]
            clock=self.clock,
            emit=self.emitted,
        )
        self.say(session="s1")

    def say(self, **message: Any) -> None:
        """The child says something, and its parent hears it."""
        self.theirs.sendall(json.dumps(message).encode() + b"\n")
        self.life.hear()

    def turn(self, seconds: float) -> None:
        """Time passes, in turns as long as the parent's pauses."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.life.tend()
            if self.child.killed:
                return
            self.clock.now = min(end, max(self.life.next_duty, self.clock.now + 0.001))

    def die(self, code: int = -9) -> None:
        self.theirs.close()
        self.child.returncode = code


def test_a_lease_is_renewed_every_ten_seconds() -> None:
    """Three renewals per lease, so that two may fail."""
    watch = Watch()
    watch.turn(100.5)
    assert watch.ward.tries == 10
    assert watch.child.killed == 0


@pytest.mark.parametrize("lease", [30.0, 6.0, 3.0])
def test_a_child_is_killed_before_its_lease_ends(lease: float) -> None:
    """However the tries fall: while it still runs its tasks, nobody else may start them."""
    watch = Watch(lease=lease, renew=lease / 3)
    watch.ward.fails = True
    begun = watch.clock.now
    watch.turn(3 * lease)
    assert watch.child.killed == 1
    assert lease * 0.5 < watch.clock.now - begun < lease
    assert watch.emitted.lines[-1][1]["reason"] == "its lease could not be renewed"


def test_a_short_lock_costs_nothing() -> None:
    """When a later try succeeds, the child lives, and the next renewal is in time."""
    watch = Watch()
    watch.ward.fails = True
    watch.turn(20)
    watch.ward.fails = False
    watch.turn(60)
    assert watch.child.killed == 0


def test_a_session_that_others_ended_is_told_to_the_child() -> None:
    """It is not renewed any more; the child's new one is."""
    watch = Watch()
    watch.ward.alive = False
    watch.theirs.setblocking(False)
    watch.turn(11)
    assert json.loads(watch.theirs.recv(1000)) == {"lost": "s1"}
    tries = watch.ward.tries
    watch.turn(60)
    assert watch.ward.tries == tries
    watch.ward.alive = True
    watch.say(session="s2")
    watch.turn(11)
    assert watch.ward.tries == tries + 1


def test_a_child_that_turns_its_loop_is_left_alone() -> None:
    """Beats every ten seconds, for hours."""
    watch = Watch()
    for _ in range(500):
        watch.say(beat=0.0)
        watch.turn(10)
    assert watch.child.killed == 0


def test_a_silent_loop_is_left_alone_until_its_handlers_are_overdue() -> None:
    """A handler may block the loop as long as its timeout allows, and a lease longer; then it is killed."""
    watch = Watch()
    watch.say(beat=600.0)
    watch.turn(630)
    assert (watch.child.signals, watch.child.killed) == ([], 0)
    watch.turn(10)
    assert watch.child.killed == 1
    assert watch.emitted.lines[-1][1]["reason"] == "its loop is silent"


def test_a_silent_loop_is_asked_for_its_stacks_before_the_end() -> None:
    """Once, and it has a second to say them; when it speaks again meanwhile it lives."""
    watch = Watch()
    for asked in (1, 2):
        watch.say(beat=0.0)
        due = watch.life._silent_by
        watch.turn(due + 0.5 - watch.clock.now)
        assert watch.child.signals == [signal.SIGUSR2] * asked
    assert watch.child.killed == 0
    watch.turn(1)
    assert (len(watch.child.signals), watch.child.killed) == (2, 1)
    assert watch.emitted.names()[-2:] == ["child.silent", "child.killed"]


def test_a_kill_happens_once() -> None:
    """However often it is asked for, and not to what has ended."""
    watch = Watch()
    for _ in range(5):
        watch.life.kill("a reason")
    assert watch.child.killed == 1
    assert watch.emitted.names().count("child.killed") == 1


@pytest.mark.parametrize(
    ("story", "orderly"),
    [
        ("dies", False),
        ("exits politely", False),
        ("announces its end", True),
        ("has last words", True),
        ("is killed for its lease", True),
        ("is killed for its silence", False),
    ],
)
def test_whose_fault_an_end_can_be(story: str, orderly: bool) -> None:
    """A task's, unless the child said that it ends, or was killed for something that no task did."""
    watch = Watch()
    if story == "announces its end":
        watch.say(ending=75)
    if story == "has last words":
        watch.say(last_words=[])
    if story.startswith("is killed"):
        watch.life.kill(story, blamed="silence" in story)
    watch.die(0 if story == "exits politely" else -9)
    assert watch.life.bury()
    assert watch.ward.buried == [(["s1"], orderly)]


def test_what_it_said_last_is_heard_before_it_is_buried() -> None:
    """It may still stand in the pipe."""
    watch = Watch()
    watch.theirs.sendall(b'{"session":"s2"}\n{"last_words":[]}\n{"ending":75}\n')
    watch.die(75)
    assert watch.life.bury()
    assert watch.life.meant
    assert watch.ward.buried == [(["s1", "s2"], True)]


def test_a_child_without_a_session_leaves_nothing_to_give_back() -> None:
    """The database is not even asked."""
    watch = Watch()
    watch.life.sessions.clear()
    watch.die(1)
    assert watch.life.bury()
    assert watch.ward.buried == []


def test_a_burial_is_tried_again_and_given_up_in_the_end() -> None:
    """One try a call, with pauses; after the last one the lease's end gives the tasks back."""
    watch = Watch()
    watch.ward.fails_to_bury = True
    watch.die()
    tries = 0
    while not watch.life.bury():
        assert not watch.life.bury()
        tries += 1
        watch.clock.now = watch.life.next_duty
    assert tries == BURIALS - 1
    assert watch.emitted.names().count("child.bury_failed") == BURIALS
    assert watch.emitted.lines[-1][1]["tasks_given_back"] == 0


def test_a_burial_is_tried_again_soon_then_every_second() -> None:
    """A deadlock or a restart is over soon; all rests together are as long as a database may be away."""
    watch = Watch()
    watch.ward.fails_to_bury = True
    watch.die()
    rests = []
    while not watch.life.bury():
        rests.append(round(watch.life.next_duty - watch.clock.now, 1))
        watch.clock.now = watch.life.next_duty
    assert rests[:5] == [0.1, 0.2, 0.4, 0.8, 1.0]
    assert set(rests[5:]) == {1.0}
    assert 9 < sum(rests) < 12
