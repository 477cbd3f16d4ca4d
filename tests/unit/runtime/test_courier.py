"""The courier: what it sends, what it sends again, and that a broker's absence costs nothing but time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from duly.model.errors import BrokerAway
from duly.runtime.courier import Courier
from duly.store import named, sessions
from duly.store.named import Asker, Named
from support.world import World


class Desk:
    """A broker's end as the courier sees it: what was sent, and how much of it still waits."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.ranks: list[int] = []
        self.waiting = 0
        self.away = False

    def send(self, queue: str, letters: Sequence[tuple[str, int]], *, window: int) -> int:
        if self.away:
            raise BrokerAway
        taken = letters[: max(0, window - self.waiting)]
        self.waiting += len(taken)
        self.sent += [id_ for id_, _ in taken]
        self.ranks += [rank for _, rank in taken]
        return len(taken)

    def close(self) -> None: ...


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def courier(world: World, desk: Desk) -> Courier:
    await open_session(world, "sender")
    return made(world, desk)


def made(world: World, desk: Desk, window: int = 100) -> Courier:
    return Courier(world.database, desk, ("default",), again=30, window=window, emit=world.emitted)


async def open_session(world: World, id_: str) -> None:
    session = sessions.Session(id=id_, host="h", pid=1, queues=("default",), types=())
    await world.database.write(sessions.start, session)


async def test_what_waits_is_sent_once(world: World, courier: Courier, desk: Desk) -> None:
    """In the order of claims, with its rank; the next ticks send nothing new."""
    low, high = await world.submit(priority=1), await world.submit(priority=10)
    assert await courier.tick("sender") == 2
    assert (desk.sent, desk.ranks) == ([high, low], [1, 10])
    assert await courier.tick("sender") == 0


async def test_a_task_that_nobody_took_is_sent_again(world: World, courier: Courier, desk: Desk) -> None:
    """After thirty seconds, not before; one that runs is not."""
    await world.session()
    first, second = await world.submit(), await world.submit()
    await courier.tick("sender")
    await world.database.write(named.claim_named, Named(Asker("w1", ("default",), ("demo",)), second))
    world.clock.advance(29)
    await world.database.write(sessions.renew, "sender")
    assert await courier.tick("sender") == 0
    world.clock.advance(1)
    assert await courier.tick("sender") == 1
    assert desk.sent == [first, second, first]
    assert await courier.tick("sender") == 0


async def test_a_task_that_came_back_is_sent_at_once(world: World, courier: Courier, desk: Desk) -> None:
    """However soon: a worker that stops hands it back a moment after it was sent."""
    await world.session()
    id_ = await world.submit()
    await courier.tick("sender")
    await world.claim()
    await world.rescue("w1")
    assert await courier.tick("sender") == 1
    assert desk.sent == [id_, id_]


async def test_the_queue_in_the_broker_is_kept_short(world: World, desk: Desk) -> None:
    """No more wait there than the window; what is behind them is sent as they are taken."""
    await open_session(world, "sender")
    courier = made(world, desk, window=2)
    ids = [await world.submit() for _ in range(4)]
    assert await courier.tick("sender") == 2
    assert await courier.tick("sender") == 0
    world.clock.advance(30)  # they would be sent again if there was room
    assert await courier.tick("sender") == 0
    await world.session()
    await world.database.write(named.claim_named, Named(Asker("w1", ("default",), ("demo",)), ids[0]))
    desk.waiting -= 1
    assert await courier.tick("sender") == 1
    assert desk.sent == ids[:3]


async def test_only_the_oldest_sender_sends(world: World, desk: Desk) -> None:
    """The other one does when it is gone."""
    await open_session(world, "a")
    await open_session(world, "b")
    courier = made(world, desk)
    id_ = await world.submit()
    assert await courier.tick("b") == 0
    await world.rescue("a")
    assert await courier.tick("b") == 1
    assert desk.sent == [id_]


async def test_a_broker_that_is_away_is_asked_ever_less_often(
    world: World, courier: Courier, desk: Desk
) -> None:
    """It is no error of the worker; when it is back all is sent."""
    desk.away = True
    await world.submit()
    for seconds in (0, 0.5, 1):
        world.clock.advance(seconds)
        assert await courier.tick("sender") == 0
        assert await courier.tick("sender") == 0
    assert world.emitted.names().count("broker.away") == 3
    desk.away = False
    world.clock.advance(2)
    assert await courier.tick("sender") == 1
    assert "broker.back" in world.emitted.names()
