"""The parent's own connection to the database, with the bare driver."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from duly.model.state import Status
from duly.runtime.ward import Unreachable, Ward
from duly.store import claims, sqlite
from duly.store.claims import GivenBack
from duly.store.driver import Trouble
from duly.store.transaction import Terms
from support.world import World


@pytest.fixture
def ward(world: World) -> Ward:
    return Ward(world.database.driver, Terms(), world.clock)


class Restarted:
    """A driver whose server has restarted: whatever was connected before is broken, and says so when used."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.made: list[Any] = []
        self.broken: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def restart(self) -> None:
        self.broken += self.made

    def connect(self, **options: Any) -> Any:
        self.made.append(self._driver.connect(**options))
        return self.made[-1]

    def begin(self, connection: Any, **options: Any) -> Any:
        if connection in self.broken:
            raise self.module.OperationalError("the server has gone away")
        return self._driver.begin(connection, **options)

    def trouble(self, error: BaseException) -> Trouble:
        return Trouble.LOST if "gone away" in str(error) else self._driver.trouble(error)


async def test_it_renews_a_living_session_only(world: World, ward: Ward) -> None:
    """False means: others have ended it."""
    await world.session()
    assert ward.renew("w1")
    ward.bury(["w1"], [])
    assert not ward.renew("w1")


async def test_it_records_last_words_and_gives_the_rest_back(world: World, ward: Ward) -> None:
    """The stubborn task is charged as its child asked; its companions are not."""
    await world.session()
    stubborn, companion = await world.submit(), await world.submit()
    one = await world.claim()
    await world.claim()
    word = {"id": one.id, "attempt": 1, "target": "retry", "event": "retry", "outcome": "retry"}
    assert ward.bury(["w1"], [{**word, "charge": 1, "delay_ms": 1, "error_code": "timeout"}]).tasks == 1
    assert [(await world.task(id_)).retry_count for id_ in (stubborn, companion)] == [1, 0]
    assert [(await world.task(id_)).status for id_ in (stubborn, companion)] == ["retry", "pending"]


async def test_it_gives_back_more_than_one_batch(world: World, ward: Ward) -> None:
    """A child may have held more tasks than one transaction moves."""
    await world.session()
    ids = [await world.submit() for _ in range(510)]
    lane = claims.Lane(types=("demo",), free=len(ids))
    request = claims.ClaimRequest(session="w1", queues=("default",), lanes=(lane,))
    assert len(await world.database.write(claims.claim, request)) == 510
    assert ward.bury(["w1"], []) == GivenBack(tasks=510)
    assert {(await world.task(id_)).status for id_ in ids} == {Status.PENDING}


@pytest.mark.parametrize(("orderly", "suspect"), [(False, 1), (True, 0)])
async def test_an_orderly_end_makes_no_suspect(world: World, ward: Ward, orderly: bool, suspect: int) -> None:
    """A second death does."""
    id_ = await world.submit()
    for session in ("w1", "w2"):
        await world.session(session)
        await world.claim(session)
        given = ward.bury([session], [], orderly=orderly and session == "w2")
    assert given == GivenBack(tasks=1, suspects=suspect)
    assert (await world.task(id_)).suspect == suspect


async def test_a_busy_database_is_an_error_within_seconds(world: World, ward: Ward) -> None:
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


async def test_a_connection_that_broke_while_it_was_idle_is_replaced_at_once(world: World) -> None:
    """The database is there again; a try that only finds that out would keep a dead child's tasks waiting."""
    await world.session()
    await world.submit()
    await world.claim()
    driver = Restarted(world.database.driver)
    ward = Ward(driver, Terms(), world.clock)
    assert ward.renew("w1")
    driver.restart()
    assert ward.bury(["w1"], []) == GivenBack(tasks=1)
    assert len(driver.made) == 2


async def test_a_database_that_is_away_is_asked_once_more_and_not_for_ever(world: World) -> None:
    """A new connection that breaks too is no news: the parent has a child to watch."""
    await world.session()
    driver = Restarted(world.database.driver)
    ward = Ward(driver, Terms(), world.clock)
    assert ward.renew("w1")
    driver.connect = lambda **_: driver.begin(driver.made[0])  # type: ignore[method-assign]
    driver.restart()
    with pytest.raises(Unreachable, match="gone away"):
        ward.renew("w1")


def test_the_supervising_parent_imports_nothing_dear() -> None:
    """It must stay small: it lives beside each child, and a keeper beside each Celery worker."""
    dear = ("sqlalchemy", "pydantic", "fastapi", "asyncio", "hashlib", "ssl", "email")
    said = "import sys, duly.runtime.supervisor, duly.runtime.keeper"
    said += f"; print(*(one for one in {dear} if one in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
