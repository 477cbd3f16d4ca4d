"""The parent's parts: its pipe, its word to systemd; which child it starts when."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duly.config import Settings
from duly.runtime import supervisor
from duly.runtime.control import Pipe
from duly.runtime.handover import REPLACE, VARIABLE, Handover
from duly.runtime.supervisor import Supervisor, listen, notify
from duly.store.claims import GivenBack
from support.parents import Hand, Victim, WardOfHand
from support.world import Emitted


class Actor(Victim):
    """A child process that was started: what it was handed, and its end of the pipe."""

    def __init__(self, command: list[str], env: dict[str, str], pass_fds: list[int]) -> None:
        super().__init__()
        self.module = command[-1]
        self.handed: dict[str, Any] = json.loads(env[VARIABLE])
        self.inherited = len(pass_fds)
        self.end = socket.socket(fileno=os.dup(pass_fds[0]))
        self.end.setblocking(False)

    def say(self, **message: Any) -> None:
        self.end.sendall(json.dumps(message).encode() + b"\n")

    def die(self, code: int = -9, **last: Any) -> None:
        """Its process is gone, after it said something perhaps."""
        if last:
            self.say(**last)
        self.end.close()
        self.returncode = code

    def told(self) -> list[dict[str, Any]]:
        """What its parent has said to it."""
        try:
            return [json.loads(line) for line in self.end.recv(1 << 16).splitlines()]
        except BlockingIOError:
            return []


class Stage:
    """A supervisor over children that are played, with hands on its clock and its database."""

    def __init__(self, patch: pytest.MonkeyPatch, *, once: bool = False, **settings: Any) -> None:
        self.clock, self.emitted, self.actors = Hand(), Emitted(), list[Actor]()
        self.fail_with: OSError | None = None
        self.ward = WardOfHand(self.clock)
        handover = Handover(mode="worker", settings=Settings(**settings).model_dump(), once=once)
        patch.setattr(supervisor.subprocess, "Popen", self.start)
        self.supervisor = Supervisor(
            handover,
            self.ward,  # type: ignore[arg-type]
            clock=self.clock,
            emit=self.emitted,
        )
        self.turn()

    def start(self, command: list[str], env: dict[str, str], pass_fds: list[int]) -> Actor:
        if self.fail_with is not None:
            raise self.fail_with
        self.actors.append(Actor(command, env, pass_fds))
        return self.actors[-1]

    def turn(self, seconds: float = 0.0) -> None:
        """What the supervisor does meanwhile."""
        end, parts = self.clock.now + seconds, self.supervisor
        while True:
            for _ in range(3):  # what one turn brings about, the next ones see
                parts._heed_signals()
                for life in parts._lives:
                    life._hear_out()
                for post in parts._posts:
                    parts._turn(post)
            if self.clock.now >= end:
                return
            self.clock.now = min(end, self.clock.now + max(parts._pause(), 0.001))

    @property
    def ordinary(self) -> Actor:
        """The newest ordinary child."""
        return [actor for actor in self.actors if not actor.handed["quarantine"]][-1]

    @property
    def quarantines(self) -> list[Actor]:
        """All quarantine children so far."""
        return [actor for actor in self.actors if actor.handed["quarantine"]]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def with_suspects(stage: Stage) -> Actor:
    """A quarantine child that runs under a session; the ordinary one told of suspects."""
    stage.ordinary.say(suspects=True)
    stage.turn()
    stage.quarantines[-1].say(session="apart")
    stage.turn()
    return stage.quarantines[-1]


def test_there_is_one_child_as_long_as_there_is_no_suspect(stage: Stage) -> None:
    """An idle server is two processes."""
    stage.ordinary.say(session="s1", beat=0.0)
    stage.turn(30)
    assert len(stage.actors) == 1


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_a_start_that_fails_is_tried_again(stage: Stage, number: int) -> None:
    """A host without processes, descriptors or memory has some again later; the supervisor does not end."""
    stage.ordinary.say(session="s1")
    stage.turn(30)
    stage.fail_with = OSError(number, os.strerror(number))
    stage.ordinary.die()
    stage.turn(10)
    assert len(stage.actors) == 1
    assert stage.emitted.names().count("child.start_failed") in (2, 3)
    stage.fail_with = None
    stage.turn(10)
    assert len(stage.actors) == 2
    stage.actors[0].end.close()


def test_a_quarantine_that_cannot_be_started_costs_nobody_else(stage: Stage) -> None:
    """The ordinary child lives on, and the quarantine comes later."""
    stage.fail_with = OSError(errno.ENOMEM, "no memory")
    stage.ordinary.say(session="s1", suspects=True)
    stage.turn(5)
    assert stage.ordinary.returncode is None
    stage.fail_with = None
    stage.turn(10)
    assert len(stage.quarantines) == 1


def test_a_quarantine_child_is_started_when_suspects_wait(stage: Stage) -> None:
    """One, however often they are told of; it is a worker without sockets, not an API."""
    for _ in range(3):
        with_suspects(stage)
    [child] = stage.quarantines
    assert (child.module, child.inherited) == ("duly.runtime.child", 1)
    assert child.handed["mode"] == "worker"
    assert "quarantine.started" in stage.emitted.names()


def test_a_quarantine_child_that_has_nothing_to_do_ends(stage: Stage) -> None:
    """It is not replaced, and comes again when there are suspects again."""
    with_suspects(stage).die(0, ending=0)
    stage.turn(100)
    assert len(stage.quarantines) == 1
    with_suspects(stage)
    assert len(stage.quarantines) == 2


@pytest.mark.parametrize("suspects", [0, 1])
def test_a_death_calls_for_a_quarantine_when_it_leaves_suspects(stage: Stage, suspects: int) -> None:
    """At once; the first death under a task leaves none."""
    stage.ordinary.say(session="s1")
    stage.turn()
    stage.ward.held = GivenBack(tasks=5, suspects=suspects)
    stage.ordinary.die()
    stage.turn()
    assert stage.ward.buried == [(["s1"], False)]
    assert len(stage.quarantines) == suspects


def test_a_quarantine_whose_task_is_given_up_has_no_successor(stage: Stage) -> None:
    """Nobody is left to run apart; if somebody is, the ordinary child's sweep will tell."""
    stage.ward.held = GivenBack(tasks=1)
    with_suspects(stage).die()
    stage.turn(100)
    assert len(stage.quarantines) == 1
    assert "quarantine.restarting" not in stage.emitted.names()


@pytest.mark.parametrize("end", [(-9, {}), (1, {"ending": 1})], ids=["killed", "no database"])
def test_a_quarantine_that_never_looked_has_a_successor(
    stage: Stage, end: tuple[int, dict[str, Any]]
) -> None:
    """It died before it had a session: the suspects that it was started for still wait."""
    stage.ordinary.say(suspects=True)
    stage.turn()
    stage.quarantines[-1].die(end[0], **end[1])
    stage.turn(1.1)
    assert len(stage.quarantines) == 2


def test_a_quarantine_child_is_told_of_what_was_just_given_back(stage: Stage) -> None:
    """It runs already, and need not wait for its poll."""
    stage.ordinary.say(session="s1")
    apart = with_suspects(stage)
    apart.told()
    stage.ward.held = GivenBack(tasks=2, suspects=1)
    stage.ordinary.die()
    stage.turn()
    assert {"suspects": True} in apart.told()


@pytest.mark.parametrize("last", [{"ending": REPLACE}, {"last_words": []}])
def test_an_orderly_end_calls_for_none(stage: Stage, last: dict[str, Any]) -> None:
    """A child that says that it ends is replaced, and what it still held is under no suspicion."""
    stage.ordinary.say(session="s1")
    stage.turn()
    stage.ward.held = GivenBack(tasks=5)
    stage.ordinary.die(REPLACE, **last)
    stage.turn(3)
    assert stage.ward.buried == [(["s1"], True)]
    assert [len(stage.actors), len(stage.quarantines)] == [2, 0]


def test_each_child_has_its_own_rests(stage: Stage) -> None:
    """The quarantine child dies again and again, ever later; the ordinary one is not touched."""
    starts = []
    stage.ward.held = GivenBack(tasks=1, suspects=1)
    with_suspects(stage)
    for _ in range(4):
        stage.quarantines[-1].die()
        died, count = stage.clock.now, len(stage.quarantines)
        while len(stage.quarantines) == count:
            stage.turn(0.1)
        starts.append(round(stage.clock.now - died))
        stage.quarantines[-1].say(session="again")
    assert starts == [1, 2, 4, 8]
    assert stage.ordinary is stage.actors[0]
    stage.ordinary.die()
    stage.turn(1.1)
    assert stage.ordinary is not stage.actors[0]


def test_once_needs_no_quarantine_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the one child takes suspects itself, when it runs nothing else."""
    stage = Stage(monkeypatch, once=True)
    stage.ordinary.say(session="s1")
    stage.turn()
    stage.ward.held = GivenBack(tasks=5, suspects=5)
    stage.ordinary.die()
    stage.turn(2)
    assert [len(stage.actors), len(stage.quarantines)] == [2, 0]


def test_a_child_that_cannot_start_ends_the_other_too(stage: Stage) -> None:
    """Wrong settings are final; the quarantine child may drain first."""
    apart = with_suspects(stage)
    stage.ordinary.die(2, ending=2)
    stage.turn(1)
    assert (apart.stopped, apart.killed) == (1, 0)
    apart.die(0, ending=0)
    stage.turn()
    assert (stage.supervisor._lives, stage.supervisor._code) == ([], 2)


def test_a_quarantine_child_that_cannot_start_does_not_end_the_service(stage: Stage) -> None:
    """Its code may have changed meanwhile; it is tried again when suspects are told of again."""
    with_suspects(stage).die(2, ending=2)
    stage.turn(100)
    assert (stage.ordinary.stopped, len(stage.quarantines)) == (0, 1)
    with_suspects(stage)
    assert len(stage.quarantines) == 2


def test_the_ordinary_child_knows_its_sibling(stage: Stage) -> None:
    """After the host slept it may look before the parent renews: whom it must not bury."""
    apart = with_suspects(stage)
    assert stage.ordinary.told()[-1] == {"sibling": "apart"}
    stage.ordinary.die()
    stage.turn(2)
    assert stage.ordinary.told() == [{"sibling": "apart"}]
    apart.die(0, ending=0)
    stage.turn()
    assert stage.ordinary.told() == [{"sibling": None}]


def test_a_stop_that_takes_too_long_becomes_a_kill(stage: Stage) -> None:
    """`drain` and five seconds after SIGTERM both children are killed, once; none is started again."""
    children = [stage.ordinary, with_suspects(stage)]
    stage.supervisor._on_stop()
    stage.turn(29)
    assert [(child.stopped, child.killed) for child in children] == [(1, 0)] * 2
    stage.turn(2)
    assert [(child.stopped, child.killed) for child in children] == [(1, 1)] * 2
    assert stage.supervisor._lives == []
    assert len(stage.actors) == 2
    assert all(orderly for _, orderly in stage.ward.buried)


def test_a_second_signal_means_now(stage: Stage) -> None:
    """For both."""
    children = [stage.ordinary, with_suspects(stage)]
    stage.supervisor._on_stop()
    stage.turn()
    stage.supervisor._on_stop()
    stage.turn()
    assert [child.killed for child in children] == [1, 1]


def test_a_burial_that_must_be_tried_again_does_not_hold_the_sibling(stage: Stage) -> None:
    """One try at a time: the other child's lease is renewed meanwhile."""
    stage.ordinary.say(session="s1")
    apart = with_suspects(stage)
    stage.turn(9.5)
    stage.ward.fails_to_bury = True
    stage.ordinary.die()
    stage.turn(8)
    assert "child.bury_failed" in stage.emitted.names()
    assert stage.ward.renewed.count("apart") == 1
    assert apart.killed == 0
    stage.ward.fails_to_bury = False
    stage.turn(2)
    assert len(stage.actors) == 3


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY=1 and STOPPING=1 arrive at $NOTIFY_SOCKET as datagrams; READY when the ordinary child is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        stage = Stage(monkeypatch)
        with_suspects(stage).say(ready=True)
        stage.turn()
        stage.ordinary.say(ready=True)
        stage.turn()
        stage.supervisor._on_stop()
        stage.turn()
        assert [receiver.recv(100), receiver.recv(100)] == [b"READY=1", b"STOPPING=1"]


@pytest.mark.parametrize("address", ["", "/no/such/socket", "@nobody-listens-here"])
def test_nobody_to_tell_is_no_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without systemd, or when it is gone, nothing happens."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_the_listening_socket_is_open_for_all_children() -> None:
    """The parent opens it; a restart of the child queues connections instead of refusing them."""
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=2) as client,
    ):
        assert client.getpeername() == listener.getsockname()


class TestPipe:
    """One JSON object per line, both ways."""

    @pytest.fixture
    def ends(self) -> Iterator[tuple[Pipe, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield Pipe(ours), theirs

    def test_messages_arrive_whole_however_they_are_cut(self, ends: tuple[Pipe, socket.socket]) -> None:
        """Reads may end anywhere, also inside a character."""
        pipe, other = ends
        data = '{"a":"ü"}\n{"b":2}\n'.encode()
        found = []
        for byte in data:
            other.sendall(bytes([byte]))
            found += pipe.receive() or []
        assert found == [{"a": "ü"}, {"b": 2}]

    def test_many_messages_in_one_read(self, ends: tuple[Pipe, socket.socket]) -> None:
        """What was said together is heard together, in order; the rest waits for its end."""
        pipe, other = ends
        other.sendall(b'{"n":1}\n\n{"n":2}\n{"n":')
        assert pipe.receive() == [{"n": 1}, {"n": 2}]
        other.sendall(b"3}\n")
        assert pipe.receive() == [{"n": 3}]

    def test_the_other_ends_death_is_none(self, ends: tuple[Pipe, socket.socket]) -> None:
        """None means that nothing more will come; sending then is no error."""
        pipe, other = ends
        other.close()
        assert pipe.receive() is None
        pipe.send(lost="s")

    def test_nothing_to_hear_does_not_hold_a_parent(self, ends: tuple[Pipe, socket.socket]) -> None:
        """A pipe that another process still holds open does not end: the last listening must not wait."""
        pipe, _ = ends
        pipe._socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            pipe.receive()
