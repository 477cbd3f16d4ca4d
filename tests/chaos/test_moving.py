"""What real processes do when their database is sealed under them, and when the seal is taken off again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from duly.store.copying import seal
from duly.store.copying.side import Side
from support.cluster import Cluster, until
from support.fleet import Api, admin

ELSEWHERE = "postgresql://db.internal/duly"


@contextmanager
def side(workers: Cluster) -> Iterator[Side]:
    """The database, for the seal."""
    one = Side(workers.app.database)
    yield one
    one.close()


async def test_a_worker_outlasts_a_seal(workers: Cluster) -> None:
    """It lets go of what it ran, claims nothing and stays; once the database is open again it goes on, and
    nothing was charged."""
    worker = workers.start()
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"), 60)
    child = worker.child
    with side(workers) as one:
        await asyncio.to_thread(seal.seal, one, ELSEWHERE)
        [said] = await worker.says("installation.moved", seconds=60)
        assert ELSEWHERE in said["error"]
        assert worker.said("lease.renew_failed") == []
        assert (await worker.says("worker.let_go", seconds=60))[0]["attempts"] == 1
        assert workers.ledger("end") == []
        await asyncio.to_thread(seal.unseal, one)
    assert (await workers.end(id_, 60)).status == "completed"
    task = await workers.task(id_)
    assert (task.retry_count, worker.child) == (0, child)
    assert "handed_back" in [event.type for event in await workers.events(id_)]


async def test_an_api_says_that_it_moves(workers: Cluster) -> None:
    """503 with Retry-After and a code of its own, and not where to; what was accepted can be read."""
    id_ = await workers.submit("steps")
    api = Api(workers.folder, workers.settings.database_url)
    try:
        await api.ready()
        with side(workers) as one:
            await asyncio.to_thread(seal.seal, one, ELSEWHERE)
            async with admin(api.base, workers.folder) as client:
                refused = await client.post("/api/tasks", json={"task_type": "steps"})
                read = await client.get(f"/api/tasks/{id_}")
            await asyncio.to_thread(seal.unseal, one)
    finally:
        api.put_away()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert refused.json()["code"] == "moved"
    assert "db.internal" not in refused.text
    assert (read.status_code, read.json()["id"]) == (200, id_)


async def test_a_worker_does_not_start_on_a_sealed_database(workers: Cluster) -> None:
    """It ends with one line that says where the installation is now."""
    with side(workers) as one:
        await asyncio.to_thread(seal.seal, one, ELSEWHERE)
        worker = workers.start()
        assert await worker.ended(60) == 2
        await asyncio.to_thread(seal.unseal, one)
    assert f"duly: this installation has moved to {ELSEWHERE}" in worker.log.read_text().splitlines()
