"""The worker's lease and what happens to work that nobody holds any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly.claim.rescue import Reconciler, Rescuer
from duly.claim.session import WorkerSession
from duly.model.events import silent
from duly.model.state import Status
from duly.model.task import Target
from duly.store import deliveries, lists, migrate, sessions
from duly.store.database import Database
from duly.testing import FakeClock
from support.stores import Store, sqlite_store


class Host(FakeClock):
    """A fake clock whose monotonic time moves by hand too."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0

    def monotonic(self) -> float:
        return self._passed

    def pass_(self, seconds: float) -> None:
        """Time goes by, as all clocks say."""
        self.advance(seconds)
        self._passed += seconds


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def store(tmp_path: Path, host: Host) -> AsyncIterator[Store]:
    path = tmp_path / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    one = sqlite_store(path, host)
    yield one
    one.database.close()


class Said(list[str]):
    """The names of what was told."""

    def __call__(self, name: str, /, **fields: Any) -> None:
        self.append(name)


def lease_over(store: Store) -> None:
    store.clock.advance(store.database.terms.lease_ms / 1000 + 0.001)


async def test_work_of_a_living_session_is_not_rescued(store: Store) -> None:
    """To the last millisecond of its lease, and no write is made to find that out."""
    claimed = store.running()
    store.clock.advance(store.database.terms.lease_ms / 1000)
    assert await Rescuer(store.database, emit=silent).tick() == 0
    assert store.status(claimed.id) is Status.RUNNING


async def test_who_renews_before_it_is_ended_lives(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader saw its lease over, as after a pause of its process, or of the host, that is over too."""
    claimed = store.running()
    lease_over(store)
    write = store.database.write

    async def renewed_first(verb: Any, item: Any, **more: Any) -> Any:
        store.write(sessions.renew, "w1")
        return await write(verb, item, **more)

    monkeypatch.setattr(store.database, "write", renewed_first)
    assert await Rescuer(store.database, emit=silent).tick() == 0
    assert store.finish(claimed) is Status.COMPLETED


async def test_work_of_an_expired_session_is_given_back(store: Store) -> None:
    """Once, and the session cannot be renewed any more."""
    claimed = store.running()
    lease_over(store)
    rescuer = Rescuer(store.database, emit=silent)
    assert [await rescuer.tick(), await rescuer.tick()] == [1, 0]
    assert store.status(claimed.id) is Status.PENDING
    assert store.write(sessions.renew, "w1") == [False]


async def test_an_idle_session_that_expired_is_ended_too(store: Store) -> None:
    """Or the list of living workers would only grow."""
    store.session("w1")
    lease_over(store)
    await Rescuer(store.database, emit=silent).tick()
    assert store.read(lists.living_workers) == []


async def test_two_rescuers_give_back_once(store: Store) -> None:
    """Every process sweeps; the task is lost once in its timeline."""
    claimed = store.running()
    lease_over(store)
    rescuers = [Rescuer(store.database, emit=silent) for _ in range(3)]
    await asyncio.gather(*(one.tick() for one in rescuers))
    assert store.events(claimed.id).count("lost") == 1


@pytest.mark.parametrize("jump", [3600.0, 31.0])
async def test_a_jump_of_the_clock_ends_no_lease(store: Store, host: Host, jump: float) -> None:
    """All leases are over at once; whoever renews within a lease of true time has lost nothing."""
    claimed, said = store.running(), Said()
    rescuer = Rescuer(store.database, emit=said)
    await rescuer.tick()
    host.advance(jump)
    for _ in range(10):
        assert await rescuer.tick() == 0
        host.pass_(5)
        store.write(sessions.renew, "w1")
    assert store.status(claimed.id) is Status.RUNNING
    assert said == ["clock.jumped"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_who_does_not_renew_after_a_jump_is_dead(store: Store, host: Host, jump: float) -> None:
    """One lease of true time after it, also where the lease ends in an hour."""
    claimed, rescuer = store.running(), Rescuer(store.database, emit=silent)
    await rescuer.tick()
    host.advance(jump)
    given_back = []
    for _ in range(7):
        given_back.append(await rescuer.tick())
        host.pass_(5)
    assert given_back == [0, 0, 0, 0, 0, 0, 1]
    assert store.status(claimed.id) is Status.PENDING


async def test_a_session_that_began_after_a_jump_back_lives_by_its_lease(store: Store, host: Host) -> None:
    """The jump says nothing about it."""
    rescuer = Rescuer(store.database, emit=silent)
    await rescuer.tick()
    host.advance(-3600)
    await rescuer.tick()
    host.pass_(25)
    claimed = store.running()
    host.pass_(10)
    assert [await rescuer.tick(), store.status(claimed.id)] == [0, Status.RUNNING]
    host.pass_(30)
    assert await rescuer.tick() == 1


async def test_a_delivery_of_a_dead_worker_is_sent_by_another(store: Store) -> None:
    """Also when no task is left to rescue."""
    store.ended(Status.COMPLETED, Target(channel="inbox"))
    [[first]] = store.write(deliveries.claim_deliveries, ("w1", 9))
    lease_over(store)
    await Rescuer(store.database, emit=silent).tick()
    store.session("w2")
    [[again]] = store.write(deliveries.claim_deliveries, ("w2", 9))
    assert (again.id, again.attempt) == (first.id, first.attempt + 1)


@pytest.mark.parametrize("claiming", [True, False])
async def test_a_claim_whose_answer_was_lost_is_handed_back(store: Store, claiming: bool) -> None:
    """The row runs under our session and nobody here holds it; while a claim is in flight we wait."""
    known, stranger = store.running(), store.running()
    held = {(known.id, known.attempt)}
    reconciler = Reconciler(store.database, emit=silent, held=lambda: held, claiming=lambda: claiming)
    assert await reconciler.tick("w1") == (0 if claiming else 1)
    assert store.status(known.id) is Status.RUNNING
    assert store.status(stranger.id) is (Status.RUNNING if claiming else Status.PENDING)
    assert store.task(stranger.id).retry_count == 0


async def test_an_attempt_that_ends_meanwhile_is_not_handed_back(store: Store) -> None:
    """It was held when the reconciler began to look: its finish is on its way."""
    claimed = store.running()
    looks = iter([{(claimed.id, claimed.attempt)}, set()])
    reconciler = Reconciler(store.database, emit=silent, held=lambda: next(looks), claiming=lambda: False)
    assert await reconciler.tick("w1") == 0
    assert store.finish(claimed) is Status.COMPLETED


async def test_a_worker_has_one_session_at_a_time(store: Store) -> None:
    """However many ask at once; a new one is taken when others have ended it."""
    opened: list[str] = []
    session = WorkerSession(store.database, ("default",), emit=silent, opened=opened.append)
    ids = await asyncio.gather(*(session.current() for _ in range(5)))
    assert len(set(ids)) == len(opened) == 1
    assert await session.renew()
    store.rescue(ids[0])
    assert not await session.renew()
    assert session.end(ids[0])
    assert not session.end(ids[0])
    assert await session.current() not in ids
