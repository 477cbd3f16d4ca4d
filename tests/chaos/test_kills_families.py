"""A parent's worker dies: no child twice, none forgotten, and no recorded item computed again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from duly.model.batch import BATCH
from duly.store import items, lists
from duly.store.lists import Filter, page
from support.cluster import Cluster, sudden_death, until


async def test_four_kills_while_fifty_children_are_spawned_and_run(workers: Cluster) -> None:
    """Each child is one task, and the parent hears of all of them."""
    worker = workers.start()
    id_ = await workers.submit("family", {"n": 50, "pause": 0.2})
    for kill in range(1, 5):
        await worker.says("child.started", kill)
        await until(lambda: len(workers.ledger("member")) >= 8 * kill, 20)  # noqa: B023 - called in this round
        sudden_death(worker.child)
        await worker.says("child.died", kill)
    ended = await workers.end(id_, 60)
    assert (ended.status, ended.result, ended.retry_count) == ("completed", list(range(50)), 0)
    children = await workers.app.database.read(page, Filter(parent=id_), limit=200)
    assert Counter(child.status for child in children) == {"completed": 50}
    assert {line["n"] for line in workers.ledger("member")} == set(range(50))


async def test_a_map_goes_on_where_its_worker_died(workers: Cluster) -> None:
    """What was recorded of 500 items before a kill is not computed again."""
    worker = workers.start()
    id_ = await workers.submit("mapping", {"n": 500, "pause": 0.02})
    recorded: dict[int, int] = {}
    for kill in (1, 2):
        await until(lambda: len(workers.ledger("item")) >= 150 * kill, 20)  # noqa: B023 - called in this round
        known = await workers.app.database.read(items.items, id_, "numbers")
        recorded = {**dict.fromkeys([one.n for one in known], kill), **recorded}
        sudden_death(worker.child)
        await worker.says("child.died", kill)
    ended = await workers.end(id_, 60)
    assert (ended.status, ended.result) == ("completed", sum(range(500)))
    assert len(recorded) > 100
    ran = workers.ledger("item")
    assert {line["n"] for line in ran} == set(range(500))
    assert not [line for line in ran if line["attempt"] > recorded.get(line["n"], line["attempt"])]


@pytest.mark.parametrize("place", ["spawn.before_record", "spawn.recorded", "store.half_written"])
async def test_a_death_around_a_spawn_makes_no_second_child(
    workers: Cluster, tmp_path: Path, place: str
) -> None:
    """Step and child are both there, or neither."""
    once = tmp_path / "once"
    workers.start(DULY_FAILPOINTS=f"{place}=kill@3?{once}")
    id_ = await workers.submit("family", {"n": 5, "pause": 0})
    ended = await workers.end(id_, 60)
    assert once.exists()
    assert (ended.status, ended.result) == ("completed", [0, 1, 2, 3, 4])
    assert len(await workers.app.database.read(page, Filter(parent=id_), limit=200)) == 5


@pytest.mark.parametrize("place", ["spawn.before_record", "spawn.recorded", "store.half_written"])
async def test_a_death_between_two_parts_of_a_batch_doubles_nothing(
    workers: Cluster, tmp_path: Path, place: str
) -> None:
    """500 members are spawned in three parts; the worker dies around the second."""
    once = tmp_path / "once"
    workers.start(DULY_FAILPOINTS=f"{place}=kill@2?{once}")
    id_ = await workers.submit(
        BATCH, {"tasks": [{"task_type": "member", "input": {"n": n}} for n in range(500)]}
    )
    ended = await workers.end(id_, 60)
    assert once.exists()
    stats = await workers.app.database.read(lists.stats, Filter(parent=id_))
    assert (sum(stats.values()), stats["completed"], ended.status) == (500, 500, "completed")
    assert (ended.result["total"], ended.result["completed"]) == (500, 500)
    assert {line["n"] for line in workers.ledger("member")} == set(range(500))
