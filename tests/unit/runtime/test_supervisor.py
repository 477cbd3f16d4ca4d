"""The parent's parts: its pipe, its word to systemd, its connection, and when it gives a child up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from duly.config import Settings
from duly.model.state import Status
from duly.runtime.control import Pipe
from duly.runtime.handover import Handover
from duly.runtime.supervisor import Supervisor, listen, notify
from duly.runtime.ward import Unreachable, Ward, patiently
from duly.store import claims, sqlite
from duly.store.transaction import Terms
from support.world import Emitted, World


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    def told(self, _database_ms: int | None) -> int:
        return self.now_ms()


class Busy:
    """A ward whose renewals take a second and fail, or succeed, as told."""

    def __init__(self, clock: Hand) -> None:
        self._clock = clock
        self.fails = False
        self.alive = True
        self.tries = 0

    def renew(self, session: str) -> bool:
        self.tries += 1
        if self.fails:
            self._clock.now += 1.0
            raise Unreachable("database is locked")
        return self.alive

    def bury(self, ended: Sequence[str], last_words: Sequence[dict[str, Any]]) -> int:
        return 0


class Victim:
    """A child that runs until it is killed."""

    pid = 1

    def __init__(self) -> None:
        self.killed = 0
        self.stopped = 0

    def poll(self) -> None:
        return None

    def kill(self) -> None:
        self.killed += 1

    def terminate(self) -> None:
        self.stopped += 1


class Watch:
    """A supervisor over a child that never was, with hands on its clock, its pipe and its database."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.emitted, self.child = Hand(), Emitted(), Victim()
        self.ward = Busy(self.clock)
        values = Settings(**settings).model_dump()
        handover = Handover(mode="worker", settings=values)
        self.supervisor = Supervisor(
            handover,
            self.ward,  # type: ignore[arg-type]
            clock=self.clock,
            emit=self.emitted,
        )
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.supervisor._child = self.child  # type: ignore[assignment]
        self.supervisor._pipe = Pipe(ours)
        self.say(session="s1")

    def say(self, **message: Any) -> None:
        """The child says something, and the supervisor hears it."""
        self.theirs.sendall(json.dumps(message).encode() + b"\n")
        self.supervisor._hear()

    def turn(self, seconds: float) -> None:
        """Time passes, in turns as long as the supervisor's pauses."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.supervisor._tend()
            if self.child.killed:
                return
            self.clock.now = min(end, self.clock.now + max(self.supervisor._pause(), 0.001))


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
    assert watch.child.killed == 0
    watch.turn(10)
    assert watch.child.killed == 1
    assert watch.emitted.lines[-1][1]["reason"] == "its loop is silent"


def test_a_stop_that_takes_too_long_becomes_a_kill() -> None:
    """`drain` and five seconds after SIGTERM the child is killed, once, however often it is looked at."""
    watch = Watch(drain=25)
    watch.supervisor._on_stop()
    assert watch.child.stopped == 1
    watch.turn(29)
    assert watch.child.killed == 0
    watch.turn(2)
    for _ in range(5):
        watch.supervisor._tend()
    assert watch.child.killed == 1
    assert watch.emitted.names().count("child.killed") == 1


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY=1 and STOPPING=1 arrive at $NOTIFY_SOCKET as datagrams."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        watch = Watch()
        watch.say(ready=True)
        watch.supervisor._on_stop()
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


class TestWard:
    """The parent's own connection, with the bare driver."""

    @pytest.fixture
    def ward(self, world: World) -> Ward:
        return Ward(world.database.driver, Terms(), world.clock)

    async def test_it_renews_a_living_session_only(self, world: World, ward: Ward) -> None:
        """False means: others have ended it."""
        await world.session()
        assert ward.renew("w1")
        ward.bury(["w1"], [])
        assert not ward.renew("w1")

    async def test_it_records_last_words_and_gives_the_rest_back(self, world: World, ward: Ward) -> None:
        """The stubborn task is charged as its child asked; its companions are not."""
        await world.session()
        stubborn, companion = await world.submit(), await world.submit()
        one = await world.claim()
        await world.claim()
        word = {"id": one.id, "attempt": 1, "target": "retry", "event": "retry", "outcome": "retry"}
        assert ward.bury(["w1"], [{**word, "charge": 1, "delay_ms": 1, "error_code": "timeout"}]) == 1
        assert [(await world.task(id_)).retry_count for id_ in (stubborn, companion)] == [1, 0]
        assert [(await world.task(id_)).status for id_ in (stubborn, companion)] == ["retry", "pending"]

    async def test_it_gives_back_more_than_one_batch(self, world: World, ward: Ward) -> None:
        """A child may have held more tasks than one transaction moves."""
        await world.session()
        ids = [await world.submit() for _ in range(510)]
        lane = claims.Lane(types=("demo",), free=len(ids))
        request = claims.ClaimRequest(session="w1", queues=("default",), lanes=(lane,))
        assert len(await world.database.write(claims.claim, request)) == 510
        assert ward.bury(["w1"], []) == 510
        assert {(await world.task(id_)).status for id_ in ids} == {Status.PENDING}

    async def test_a_busy_database_is_an_error_within_seconds(self, world: World, ward: Ward) -> None:
        """The parent must go on watching its child; it keeps its connection and tries again."""
        await world.session()
        assert ward.renew("w1")
        connection = ward._connection
        other = sqlite.connect(world.database.driver.path, "WAL")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable, match="locked"):
            ward.renew("w1")
        other.execute("ROLLBACK")
        other.close()
        assert ward.renew("w1")
        assert ward._connection is connection

    def test_patience_has_an_end(self) -> None:
        """After so many tries the answer is None, and each failure was told."""
        told: list[Exception] = []

        def refuse() -> int:
            raise Unreachable("locked")

        assert patiently(refuse, 3, told.append) is None
        assert len(told) == 3
