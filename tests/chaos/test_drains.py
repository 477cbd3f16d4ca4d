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


@pytest.mark.parametrize(
    "kind",
    ["steps", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("steps.apart", "steps.plain.apart"))],
)
async def test_a_stop_parks_what_runs_at_its_next_step(workers: Cluster, kind: str) -> None:
    """It does not run on for the whole drain; the next worker goes on there, and no step is done twice."""
    workers.settings = workers.settings.model_copy(update={"drain": 60.0})
    first = workers.start("first")
    id_ = await workers.submit(kind, {"n": 40})
    await until(lambda: len(workers.ledger("step")) >= 2)
    first.terminate()
    assert await first.ended(12) == 0
    task = await workers.task(id_)
    assert (task.status, task.retry_count) == ("pending", 0)
    assert [event.type for event in await workers.events(id_)][-1] == "handed_back"
    assert len(workers.ledger("step")) < 40
    workers.start("second")
    assert (await workers.end(id_)).result == 40
    assert [line["n"] for line in workers.ledger("step")] == list(range(40))


@pytest.mark.slow
async def test_each_version_finishes_what_it_began(workers: Cluster) -> None:
    """A deploy on one queue: the old code is stopped and started again beside the new, and ends its own;
    nothing is charged, and no task is touched by both."""
    old = workers.start("old", CHAOS_VERSION="1")
    begun = [await workers.submit("steps", {"n": 40}) for _ in range(4)]
    await until(lambda: all(workers.ledger("step", id_) for id_ in begun))
    old.terminate()
    assert await old.ended(12) == 0
    new = workers.start("new", CHAOS_VERSION="2")
    for _ in range(4):
        assert (await workers.end(await workers.submit("steps", {"n": 4}))).code_version == "2"
    parked = [await workers.task(id_) for id_ in begun]
    assert {(task.status, task.code_version, task.attempt) for task in parked} == {("pending", "1", 1)}
    again = workers.start("again", CHAOS_VERSION="1")
    later = [await workers.submit("steps", {"n": 4}) for _ in range(20)]
    for id_ in (*begun, *later):
        task = await workers.end(id_)
        assert (task.status, task.retry_count, task.attempt) == ("completed", 0, 2 if id_ in begun else 1)
        assert [line["n"] for line in workers.ledger("step", id_)] == list(range(task.result))
        pids = {line["pid"] for line in workers.ledger("step", id_)}
        assert pids <= ({new.child} if task.code_version == "2" else {old.child, again.child})


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
