"""Somebody else holds the database: work waits, nothing is lost, and no lease is outlived."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.cluster import Cluster, alive, cluster, until

#: Said by the supervisor after a second, by the worker after the five of its busy timeout.
SIGNS = ["lease.renew_failed", pytest.param("journal.waiting", marks=pytest.mark.slow)]


@pytest.mark.parametrize("until_said", SIGNS)
async def test_a_locked_database_is_waited_for(tmp_path: Path, until_said: str) -> None:
    """A lock, even one beyond every busy timeout: steps and results wait, none is lost, none made twice."""
    async with cluster(tmp_path, lease=30, renew=0.5) as workers:
        worker = workers.start()
        ids = [await workers.submit("steps", {"n": 20, "pause": 0.05}) for _ in range(10)]
        await until(lambda: len(workers.ledger("step")) > 20)
        with workers.locked():
            await worker.says(until_said)
        for id_ in ids:
            task = await workers.end(id_, 40)
            assert (task.status, task.retry_count, task.attempt) == ("completed", 0, 1)
        assert len(workers.ledger("step")) == 200
        assert len(worker.said("child.started")) == 1


async def test_a_child_whose_lease_cannot_be_renewed_is_killed_before_it_ends(workers: Cluster) -> None:
    """Nobody else may start its tasks while it still runs them: it is gone before its lease is."""
    worker = workers.start()
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"))
    child = worker.child
    begun = time.monotonic()
    with workers.locked():
        await until(lambda: not alive(child), 3.0)
        assert time.monotonic() - begun < 3.0
        await worker.says("child.killed")
    assert worker.said("child.killed")[0]["reason"] == "its lease could not be renewed"
    task = await workers.end(id_)
    assert (task.status, task.retry_count) == ("completed", 0)


@pytest.mark.slow
async def test_a_worker_started_on_a_locked_database_comes_up_later(workers: Cluster) -> None:
    """A busy database at the start is no reason to give up: the child is started again."""
    with workers.locked():
        worker = workers.start()
        await worker.says("child.died")
    id_ = await workers.submit("steps")
    assert (await workers.end(id_)).status == "completed"
