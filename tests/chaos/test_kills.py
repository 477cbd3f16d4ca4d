"""Processes die: nothing that was accepted is lost, and no recorded step is computed again."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from support.cluster import Cluster, alive, children, descriptors, sudden_death, until


def ran_again_after_record(workers: Cluster, recorded: dict[tuple[str, int], int]) -> list[tuple[str, int]]:
    """The steps that ran in a later attempt than the one whose value was recorded."""
    ran = ((line["task"], line["n"], line["attempt"]) for line in workers.ledger("step"))
    return [(task, n) for task, n, attempt in ran if attempt > recorded[task, n]]


async def recorded_steps(workers: Cluster, ids: list[str]) -> dict[tuple[str, int], int]:
    """(task, number of the step) to the attempt whose value was recorded."""
    found = {}
    for id_ in ids:
        steps = [event.data for event in await workers.events(id_) if event.type == "step"]
        found |= {(id_, step["n"] - 1): step["attempt"] for step in steps}
        assert len(steps) == len({step["n"] for step in steps})
    return found


def marks_of(workers: Cluster, pid: int) -> int:
    """How many steps a process has made."""
    return sum(line["pid"] == pid for line in workers.ledger("step"))


async def test_five_kills_of_the_child_under_load(workers: Cluster) -> None:
    """kill -9 of a loaded child, five times: every task completes once, and no recorded step runs again."""
    worker, ids = workers.start(), []
    for kill in range(1, 6):
        await worker.says("child.started", kill)
        ids += [await workers.submit("steps", {"n": 15, "pause": 0.05}) for _ in range(4)]
        child = worker.child
        await until(lambda: marks_of(workers, child) > 10, 20)  # noqa: B023 - called in this round
        sudden_death(child)
        await worker.says("child.died", kill)
    ended = [await workers.end(id_, 60) for id_ in ids]
    assert {task.status for task in ended} == {"completed"}
    assert all(task.retry_count == 0 for task in ended)
    terminal = [event.type for id_ in ids for event in await workers.events(id_) if event.type == "completed"]
    assert len(terminal) == len(ids)
    assert ran_again_after_record(workers, await recorded_steps(workers, ids)) == []


async def test_a_dead_childs_tasks_run_again_within_seconds(workers: Cluster) -> None:
    """The supervisor gives the tasks of a dead child back at once, without waiting for the lease."""
    worker = workers.start()
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"))
    sudden_death(worker.child)
    killed = time.monotonic()
    assert (await workers.end(id_)).status == "completed"
    again = workers.ledger("start")[1]
    assert again["at"] - killed < 5
    assert [event.type for event in await workers.events(id_)][1:3] == ["started", "lost"]


async def test_the_child_dies_with_its_supervisor(workers: Cluster) -> None:
    """kill -9 of the supervisor ends its child within a second: nobody renews its lease any more."""
    worker = workers.start()
    await worker.says("worker.started")
    child = worker.child
    worker.kill()
    await until(lambda: not alive(child), 1)


async def test_another_worker_rescues_after_the_lease(workers: Cluster) -> None:
    """When a whole worker is gone, its tasks run elsewhere once its lease is over, and not before."""
    first = workers.start("first")
    id_ = await workers.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: workers.ledger("start"))
    second = workers.start("second")
    await second.says("worker.started")
    first.kill()
    killed = time.monotonic()
    assert (await workers.end(id_)).status == "completed"
    [_, again] = workers.ledger("start")
    assert 2.0 < again["at"] - killed < 6.0
    assert (await workers.task(id_)).retry_count == 0


async def test_a_killed_isolated_process_is_retried(workers: Cluster) -> None:
    """kill -9 of a handler's own process is a charged retry; its worker and companions go on."""
    worker = workers.start()
    id_ = await workers.submit("isolated", {"seconds": 60})
    other = await workers.submit("silent.loop", {"seconds": 2})
    [start] = await until(lambda: workers.ledger("start", id_))
    sudden_death(start["pid"])
    task = await workers.end(id_)
    assert (task.status, task.retry_count, task.result) == ("completed", 1, 2)
    assert (await workers.end(other)).attempt == 1
    assert len(worker.said("child.started")) == 1
    assert "SIGKILL" in next(e.data["error"] for e in await workers.events(id_) if e.type == "retry")


async def test_an_isolated_process_dies_with_its_worker(workers: Cluster) -> None:
    """kill -9 of the child ends the processes of its isolated handlers: none runs beside its successor."""
    worker = workers.start()
    id_ = await workers.submit("isolated", {"seconds": 60})
    [start] = await until(lambda: workers.ledger("start", id_))
    sudden_death(worker.child)
    await until(lambda: not alive(start["pid"]), 1)
    assert (await workers.end(id_)).result == 2


async def test_a_stop_signal_to_the_whole_group_leaves_isolated_handlers_running(workers: Cluster) -> None:
    """SIGTERM to all processes at once, as systemd sends it, is a drain: an isolated handler may finish."""
    worker = workers.start()
    id_ = await workers.submit("isolated", {"seconds": 1.5})
    [start] = await until(lambda: workers.ledger("start", id_))
    for pid in (start["pid"], worker.child, worker.pid):
        os.kill(pid, signal.SIGTERM)
    assert await worker.ended() == 0
    task = await workers.task(id_)
    assert (task.status, task.attempt) == ("completed", 1)


async def test_a_process_that_outlives_the_child_does_not_hold_the_supervisor(workers: Cluster) -> None:
    """A fork of a handler inherits the control pipe; the supervisor restarts all the same."""
    worker = workers.start()
    id_ = await workers.submit("leaves.child", {"seconds": 8})
    await until(lambda: workers.ledger("forked", id_))
    sudden_death(worker.child)
    await worker.says("child.started", 2, seconds=4)
    assert (await workers.end(id_)).result == 2


async def test_a_handler_that_ends_the_process_politely_does_not_stop_the_service(workers: Cluster) -> None:
    """`os._exit(0)` inside a handler is a death like any other: the child is restarted."""
    worker = workers.start()
    id_ = await workers.submit("says.goodbye")
    assert (await workers.end(id_)).attempt == 2
    assert len(worker.said("child.started")) == 2


async def test_a_system_exit_inside_a_task_of_the_handler_stays_there(workers: Cluster) -> None:
    """SystemExit from a branch of `asyncio.gather` fails its task; the worker goes on."""
    worker = workers.start()
    id_ = await workers.submit("exits.in.gather")
    task = await workers.end(id_)
    assert (task.status, task.error_code, task.error) == ("failed", "handler_error", "SystemExit: 0")
    assert (await workers.end(await workers.submit("steps"))).status == "completed"
    assert len(worker.said("child.started")) == 1


async def test_restarts_leak_nothing_in_the_supervisor(workers: Cluster) -> None:
    """After several child deaths the supervisor holds as many files as before, and no zombie."""
    worker = workers.start()
    counts = []
    for life in range(1, 4):
        await worker.says("worker.started", life)
        counts.append(descriptors(worker.pid))
        assert len(children(worker.pid)) == 1
        sudden_death(worker.child)
        await worker.says("child.died", life)
    assert counts[2] == counts[1]


@pytest.mark.slow
async def test_restarts_come_ever_more_slowly(workers: Cluster) -> None:
    """A child that dies again and again is started after 1, 2, 4 … thirtieths of the lease."""
    worker = workers.start(DULY_FAILPOINTS="store.committed=kill@1")
    await worker.says("child.restarting", 2)
    rests = [line["seconds"] for line in worker.said("child.restarting")]
    assert rests[:2] == [0.1, 0.2]


async def test_a_crash_right_after_a_step_was_recorded(workers: Cluster, tmp_path: Path) -> None:
    """Killed after the third of five recorded steps, the next attempt replays three and runs two."""
    once = tmp_path / "killed"
    workers.start(DULY_FAILPOINTS=f"step.recorded=kill@3?{once}")
    id_ = await workers.submit("steps", {"n": 5, "pause": 0})
    assert (await workers.end(id_)).status == "completed"
    ran = Counter((line["n"], line["attempt"]) for line in workers.ledger("step"))
    assert ran == {(0, 1): 1, (1, 1): 1, (2, 1): 1, (3, 2): 1, (4, 2): 1}
    assert once.exists()


@pytest.mark.slow
async def test_a_crash_between_a_steps_effect_and_its_record(workers: Cluster, tmp_path: Path) -> None:
    """Effects outside are at least once: the step that was not yet recorded runs again, only that one."""
    workers.start(DULY_FAILPOINTS=f"step.before_record=kill@3?{tmp_path / 'killed'}")
    id_ = await workers.submit("steps", {"n": 5, "pause": 0})
    assert (await workers.end(id_)).status == "completed"
    assert [line["n"] for line in workers.ledger("step")] == [0, 1, 2, 2, 3, 4]


async def test_a_crash_before_and_after_the_commit_of_a_finish(workers: Cluster, tmp_path: Path) -> None:
    """Wherever around its commit the process dies, a task ends exactly once."""
    points = f"attempt.before_finish=kill@2?{tmp_path / 'a'};store.committed=kill@20?{tmp_path / 'b'}"
    workers.start(DULY_FAILPOINTS=points)
    ids = [await workers.submit("steps", {"n": 2}) for _ in range(5)]
    for id_ in ids:
        await workers.end(id_)
        types = [event.type for event in await workers.events(id_)]
        assert types.count("completed") == 1
        assert types[-1] == "completed"
        seqs = [event.seq for event in await workers.events(id_)]
        assert all(later == earlier + 1 for earlier, later in pairwise(seqs))


async def test_once_does_what_is_there_and_ends_with_zero(workers: Cluster) -> None:
    """`--once` works until nothing is due, then exits with 0."""
    ids = [await workers.submit("steps", {"n": 2}) for _ in range(10)]
    worker = workers.start(once=True)
    assert await worker.ended() == 0
    assert {(await workers.task(id_)).status for id_ in ids} == {"completed"}
