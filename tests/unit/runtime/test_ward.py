"""The parent's own connection to the database, with the bare driver."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.runtime.ward import Unreachable, Ward
from duly.store import claims, sqlite
from duly.store.claims import GivenBack
from duly.store.transaction import Terms
from support.world import World


@pytest.fixture
def ward(world: World) -> Ward:
    return Ward(world.database.driver, Terms(), world.clock)


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
