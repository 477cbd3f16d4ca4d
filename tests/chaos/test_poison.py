"""A task that kills its worker: it is found and ended; whoever was beside it is not blamed for it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.cluster import Cluster, WorkerProcess, alive, children, cluster, sudden_death, until


async def innocent(workers: Cluster, ids: list[str]) -> None:
    """All of these have completed, and nothing was charged to them."""
    ends = Counter()
    for id_ in ids:
        task = await workers.task(id_)
        ends[task.status, task.loss_count, task.retry_count] += 1
    assert ends == {("completed", 0, 0): len(ids)}


async def guilty(workers: Cluster, id_: str, seconds: float = 60) -> None:
    """It ends as lost, after three losses and no retry."""
    task = await workers.end(id_, seconds)
    assert (task.status, task.error_code) == ("failed", "worker_lost")
    assert (task.loss_count, task.retry_count) == (3, 0)


async def loses_its_worker(workers: Cluster, later: float, deaths: int = 2) -> str:
    """A task whose process is killed from outside so often in a row; then it runs for `later` seconds."""
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": later})
    for death in range(1, deaths + 1):
        sudden_death((await runs(workers, id_, death))["pid"])
    return id_


async def runs(workers: Cluster, id_: str, times: int) -> dict[str, Any]:
    """Once it has started so often: its newest start."""
    await until(lambda: len(workers.ledger("start", id_)) == times)
    return workers.ledger("start", id_)[-1]


async def test_one_death_holds_nobody_up(workers: Cluster) -> None:
    """All that ran begins again together, among ordinary tasks, before the first of it ends."""
    worker = workers.start()
    ids = await workers.submit_many(20, "silent.loop", {"seconds": 60, "later": 3})
    await until(lambda: len(workers.ledger("start")) == 20)
    sudden_death(worker.child)
    for id_ in ids:
        await workers.end(id_)
    await innocent(workers, ids)
    again = workers.ledger("start")[20:]
    assert len({line["pid"] for line in again}) == 1
    assert max(line["at"] for line in again) < min(line["at"] for line in workers.ledger("end"))
    assert not worker.said("quarantine.started")


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_a_task_that_kills_its_worker_is_given_up(workers: Cluster, how: str) -> None:
    """After two ordinary processes and three of the quarantine; its companions complete."""
    worker = workers.start()
    others = [await workers.submit("steps", {"n": 10}) for _ in range(10)]
    await until(lambda: len(workers.ledger("start")) == 10)
    poison = await workers.submit("kills.worker", {"how": how})
    await guilty(workers, poison)
    for id_ in others:
        await workers.end(id_)
    await innocent(workers, others)
    assert len(worker.said("child.died")) == 2
    assert len(worker.said("quarantine.died")) == 3
    types = [event.type for event in await workers.events(poison)]
    assert types == ["accepted", *["started", "lost"] * 4, "started", "failed"]


async def test_the_quarantine_ends_when_there_is_nothing_left_to_run_apart(workers: Cluster) -> None:
    """A second process is there only as long as it is needed; a stop ends both."""
    worker = workers.start()
    id_ = await loses_its_worker(workers, later=3)
    await workers.end(id_)
    await worker.says("quarantine.ended")
    await until(lambda: len(children(worker.pid)) == 1)
    [*_, last] = workers.ledger("start", id_)
    assert last["pid"] not in {line["pid"] for line in worker.said("child.started")}
    assert worker.said("quarantine.ended")[0]["exit_code"] == 0


async def test_the_quarantine_stays_for_the_next_suspects(tmp_path: Path) -> None:
    """Deaths come in series: those after the first find a process that need not be started.

    It stays for two leases: long ones, since on a busy host the next two deaths take seconds.
    """
    async with cluster(tmp_path, lease=30.0) as workers:
        worker = workers.start()
        pids = set()
        for _ in range(2):
            id_ = await loses_its_worker(workers, later=2)
            await workers.end(id_)
            pids.add(workers.ledger("start", id_)[-1]["pid"])
        assert len(pids) == len(worker.said("quarantine.started")) == 1


async def test_a_stop_drains_the_quarantine_too(workers: Cluster) -> None:
    """What runs apart is handed back like all else, and is still a suspect."""
    worker = workers.start()
    id_ = await loses_its_worker(workers, later=60)
    await runs(workers, id_, 3)
    worker.terminate()
    assert await worker.ended() == 0
    task = await workers.task(id_)
    assert (task.status, task.suspect, task.loss_count) == ("pending", 1, 0)
    assert [event.type for event in await workers.events(id_)][-1] == "handed_back"


async def test_suspects_of_a_dead_host_are_run_apart_by_another(workers: Cluster) -> None:
    """Its parent is gone too: whoever ends the session by its lease has a quarantine for them."""
    first = workers.start("first")
    id_ = await loses_its_worker(workers, later=3, deaths=1)
    await runs(workers, id_, 2)
    first.kill()
    second = workers.start("second")
    assert (await workers.end(id_)).loss_count == 0
    assert len(second.said("quarantine.started")) == 1


async def test_suspects_that_were_left_are_found_at_the_start(workers: Cluster) -> None:
    """Nobody was there when the task was given back."""
    first = workers.start("first")
    id_ = await loses_its_worker(workers, later=3, deaths=1)
    await runs(workers, id_, 2)
    session = (await workers.task(id_)).worker_id or ""
    first.kill()
    await workers.end_session(session)
    assert (await workers.task(id_)).suspect == 1
    workers.start("second")
    assert (await workers.end(id_)).status == "completed"


async def test_once_runs_suspects_itself(workers: Cluster) -> None:
    """Until nothing is due: the poison is given up by the same rule, and the exit code is 0."""
    poison = await workers.submit("kills.worker", {"how": "kill"})
    others = [await workers.submit("steps", {"n": 2}) for _ in range(5)]
    worker = workers.start(once=True)
    assert await worker.ended(60) == 0
    await guilty(workers, poison, 0)
    await innocent(workers, others)
    assert not worker.said("quarantine.started")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_poison_among_five_hundred_on_two_workers(workers: Cluster) -> None:
    """It ends after exactly three losses; none of the five hundred pays for it."""
    for name in ("first", "second"):
        await workers.start(name).says("worker.started")
    others = await workers.submit_many(250, "silent.loop", {"seconds": 0.5})
    poison = await workers.submit("kills.worker", {"how": "kill", "seconds": 0.3})
    others += await workers.submit_many(250, "silent.loop", {"seconds": 0.5})
    await guilty(workers, poison, 120)
    await until(lambda: ended(workers, 501), 120)
    await innocent(workers, others)
    assert {attempt["outcome"] for attempt in await workers.attempts(poison)} == {"lost"}


async def ended(workers: Cluster, count: int) -> bool:
    stats = await workers.stats()
    return stats.get("completed", 0) + stats.get("failed", 0) == count


def living(pair: list[WorkerProcess]) -> set[int]:
    """The ordinary children that are alive."""
    return {worker.child for worker in pair if worker.said("child.started") and alive(worker.child)}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_kills_from_outside_charge_nobody(workers: Cluster) -> None:
    """Each second for a minute an ordinary child is killed, under 2,000 tasks of a second: all complete."""
    pair = [workers.start(name) for name in ("first", "second")]
    ids = await workers.submit_many(2_000, "silent.loop", {"seconds": 1})
    begun, killed = time.monotonic(), set[int]()
    while time.monotonic() < begun + 60:
        await until(lambda: time.monotonic() > begun + len(killed))
        victim = min(await until(lambda: living(pair) - killed))
        sudden_death(victim)
        killed.add(victim)
    assert len(killed) >= 30
    await until(lambda: ended(workers, 2_000), 400, every=0.5)
    await innocent(workers, ids)
    assert not [line for worker in pair for line in worker.said("quarantine.died")]
