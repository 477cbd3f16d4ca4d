"""Stopping on purpose: what can end may end, the rest is handed back uncharged, and nothing hangs."""

from __future__ import annotations

import time

import pytest

from support.cluster import Cluster, alive, children, until


async def test_a_stop_lets_running_work_end(workers: Cluster) -> None:
    """SIGTERM: running tasks end within `drain`, no new one begins, and the exit code is 0."""
    worker = workers.start()
    ids = [await workers.submit("silent.loop", {"seconds": 1}) for _ in range(3)]
    await until(lambda: len(workers.ledger("start")) == 3)
    worker.terminate()
    await worker.says("worker.draining")
    late = await workers.submit("silent.loop", {"seconds": 0})
    assert await worker.ended() == 0
    assert {(await workers.task(id_)).status for id_ in ids} == {"completed"}
    assert (await workers.task(late)).status == "pending"


async def test_what_cannot_end_in_time_is_handed_back(workers: Cluster) -> None:
    """The rest goes back at once and uncharged, says why, and the next worker finishes it."""
    first = workers.start("first")
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"))
    first.terminate()
    begun = time.monotonic()
    assert await first.ended() == 0
    assert 1.5 < time.monotonic() - begun < 8
    task = await workers.task(id_)
    assert (task.status, task.retry_count) == ("pending", 0)
    assert [event.type for event in await workers.events(id_)][-1] == "handed_back"
    workers.start("second")
    assert (await workers.end(id_)).status == "completed"


async def test_a_thread_does_not_hold_a_stop(workers: Cluster) -> None:
    """A plain handler that never looks at `cancelled` cannot be stopped: the process ends all the same."""
    first = workers.start("first")
    id_ = await workers.submit("silent.thread", {"seconds": 20})
    await until(lambda: workers.ledger("start"))
    child = first.child
    first.terminate()
    assert await first.ended(12) == 0
    assert not alive(child)
    task = await workers.task(id_)
    assert (task.status, task.retry_count) == ("pending", 0)


async def test_a_second_signal_means_now(workers: Cluster) -> None:
    """Ctrl-C twice does not wait for the drain."""
    worker = workers.start()
    id_ = await workers.submit("silent.loop", {"seconds": 60})
    await until(lambda: workers.ledger("start"))
    worker.terminate()
    await worker.says("worker.draining")
    begun = time.monotonic()
    worker.terminate()
    assert await worker.ended() == 0
    assert time.monotonic() - begun < 3
    assert (await workers.task(id_)).status == "pending"


async def test_a_stop_during_the_start_is_a_stop(workers: Cluster) -> None:
    """SIGTERM while the child is still importing ends both, promptly."""
    worker = workers.start()
    await worker.says("child.started")
    worker.terminate()
    assert await worker.ended(8) == 0
    assert children(worker.pid) == []


async def test_a_stop_during_the_rest_before_a_restart_is_a_stop(workers: Cluster) -> None:
    """SIGTERM between two lives of the child does not begin another."""
    worker = workers.start(DULY_FAILPOINTS="store.committed=kill@1")
    await worker.says("child.restarting", 3)
    worker.terminate()
    assert await worker.ended(8) == 0


@pytest.mark.slow
async def test_once_heeds_a_stop(workers: Cluster) -> None:
    """`--once` over long work is drained by SIGTERM like any other worker."""
    worker = workers.start(once=True)
    id_ = await workers.submit("silent.loop", {"seconds": 60})
    await until(lambda: workers.ledger("start"))
    worker.terminate()
    assert await worker.ended(12) == 0
    assert [event.type for event in await workers.events(id_)][-1] == "handed_back"
