"""A handler may be silent much longer than a lease; only one that outlives its timeout is stopped."""

from __future__ import annotations

import time

import pytest

from support.cluster import Cluster, until

SILENT = 7.0  # more than two of the scaled leases


async def test_silence_longer_than_two_leases_is_not_death(workers: Cluster) -> None:
    """The parent renews from outside the interpreter: a silent handler runs once, whatever it blocks."""
    workers.start("first")
    ids = [await workers.submit(kind, {"seconds": SILENT}) for kind in ("silent.loop", "silent.thread")]
    await until(lambda: len(workers.ledger("start")) == 2)
    ids.append(await workers.submit("silent.gil", {"seconds": SILENT}))
    await until(lambda: len(workers.ledger("start")) == 3)
    second = workers.start("second")
    await second.says("worker.started")
    for id_ in ids:
        task = await workers.end(id_)
        assert (task.status, task.attempt) == ("completed", 1)
        assert [line["what"] for line in workers.ledger(task=id_)] == ["start", "end"]


async def test_a_blocked_loop_is_killed_after_its_handlers_timeout(workers: Cluster) -> None:
    """An async handler that blocks the loop for ever does not keep its companions for ever."""
    worker = workers.start()
    companion = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start", companion))
    blocked = await workers.submit("blocked.loop", {"seconds": 100})
    await until(lambda: workers.ledger("start", blocked))
    begun = time.monotonic()
    assert (await workers.end(blocked)).status == "completed"
    assert (await workers.end(companion)).status == "completed"
    assert 3 < workers.ledger("start", blocked)[1]["at"] - begun < 10
    [killed] = worker.said("child.killed")
    assert killed["reason"] == "its loop is silent"


async def test_a_thread_that_ignores_its_timeout_costs_its_worker(workers: Cluster) -> None:
    """The child is replaced; the retry begins when the thread is gone, and companions are not charged."""
    worker = workers.start()
    companion = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    stubborn = await workers.submit("stubborn", {"seconds": 30})
    await until(lambda: len(workers.ledger("start")) == 2)
    task = await workers.end(stubborn)
    assert (task.status, task.retry_count) == ("completed", 1)
    [first, second] = workers.ledger("start", stubborn)
    assert first["pid"] != second["pid"]
    assert [line["attempt"] for line in workers.ledger("end", stubborn)] == [2]
    other = await workers.end(companion)
    assert (other.status, other.retry_count) == ("completed", 0)
    assert {line["exit_code"] for line in worker.said("child.died")} == {75}


@pytest.mark.slow
async def test_a_thread_that_ends_late_but_in_time_costs_nothing(workers: Cluster) -> None:
    """One that ends while the worker drains for it is retried by its successor, never beside it."""
    worker = workers.start()
    id_ = await workers.submit("stubborn", {"seconds": 3})
    task = await workers.end(id_)
    assert (task.status, task.retry_count) == ("completed", 1)
    ledger = workers.ledger(task=id_)
    assert [line["what"] for line in ledger] in (["start", "end", "start", "end"], ["start", "start", "end"])
    assert ledger[0]["pid"] == ledger[1]["pid"] or ledger[1]["attempt"] == 2
    assert len(worker.said("child.started")) == 2


async def test_a_session_that_others_end_is_replaced(workers: Cluster) -> None:
    """A paused host looks dead: its tasks run elsewhere, and what it finishes late is refused."""
    worker = workers.start()
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"))
    await workers.end_session((await workers.task(id_)).worker_id or "")
    await worker.says("session.opened", 2)
    task = await workers.end(id_)
    assert (task.status, task.attempt) == ("completed", 2)
    assert [event.type for event in await workers.events(id_)].count("completed") == 1
    assert worker.said("session.lost")
    assert len(worker.said("child.started")) == 1
