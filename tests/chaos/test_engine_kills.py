"""The Celery bridge when things die: workers, keepers, senders, brokers, messages. Nothing is lost."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from duly.config import Settings
from duly.model.state import Status
from duly.runtime.broker import Broker
from support import engines, servers
from support.cluster import Cluster, LoggedProcess, alive, children, cluster, sudden_death, until

pytestmark = [pytest.mark.engine, pytest.mark.services, pytest.mark.slow]


@pytest.fixture(params=["celery-rabbitmq", "celery-redis"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """An installation without processes, with queues of its own in the broker."""
    async with installation(tmp_path, **engines.settings(request.param)) as one:
        yield one


@contextlib.asynccontextmanager
async def installation(folder: Path, **settings: Any) -> AsyncIterator[Cluster]:
    url = servers.database_url("postgres")
    servers.clear(url)
    async with cluster(folder, database_url=url, **settings) as one:
        try:
            yield one
            await one.sound()
        finally:
            one.close()
            engines.forget(one.settings)


def keeper(worker: LoggedProcess) -> int:
    """The process beside a Celery worker."""
    [found] = [pid for pid in children(worker.pid) if b"keeper" in _command(pid)]
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def resent(site: Cluster, *ids: str) -> None:
    """The same messages once more, as a broker may deliver them."""
    with closing(Broker(site.settings)) as broker:
        broker.send("default", [(id_, 6) for id_ in ids], window=10_000)


def waiting(settings: Settings) -> int:
    """How many messages wait in the broker."""
    with closing(Broker(settings)) as broker:
        return broker.standing("default")[0]


async def test_a_killed_workers_tasks_run_again_at_once(site: Cluster) -> None:
    """kill -9: its keeper gives them back, and another worker gets their ids. Recorded steps are kept."""
    site.start()
    first, second = site.start_celery("first"), site.start_celery("second")
    for worker in (first, second):
        await worker.says("worker.started", seconds=60)
    ids = [await site.submit("steps", {"n": 30, "pause": 0.1}) for _ in range(12)]
    await until(lambda: sum(line["pid"] == first.pid for line in site.ledger("step")) > 8, 60)
    sudden_death(first.pid)
    killed = time.monotonic()
    assert [(await site.end(id_, 60)).status for id_ in ids] == ["completed"] * 12
    again = [line for line in site.ledger("start") if line["attempt"] == 2]
    assert {line["pid"] for line in again} == {second.pid}
    assert max(line["at"] for line in again) - killed < site.settings.lease
    for id_ in ids:
        assert (await site.task(id_)).retry_count == 0
        assert [event.type for event in await site.events(id_)].count("step") == 30
    assert first.said("celery.died")


async def test_a_stopped_worker_hands_back_and_ends(site: Cluster) -> None:
    """SIGTERM: what runs goes on to its next step, then back, uncharged; no task comes under suspicion."""
    site.start()
    first = site.start_celery("first")
    long, short = await site.submit("steps", {"n": 100, "pause": 0.1}), await site.submit("steps", {"n": 1})
    await until(lambda: site.ledger("step", long), 60)
    assert (await site.end(short)).status == "completed"
    first.terminate()
    assert await first.ended() == 0
    assert [event.type for event in await site.events(long)][-1] == "handed_back"
    await until(lambda: first.said("celery.ended"))
    site.start_celery("second")
    assert (await site.end(long, 60)).attempt == 2


async def test_a_handler_that_holds_the_interpreter_is_not_dead(site: Cluster) -> None:
    """Longer than a lease: the keeper renews it, and the task ends in its first attempt."""
    site.start()
    site.start_celery()
    id_ = await site.submit("silent.gil", {"seconds": site.settings.lease + 2})
    task = await site.end(id_, 60)
    assert (task.status, task.attempt) == ("completed", 1)


async def test_a_worker_does_not_outlive_its_keeper(site: Cluster) -> None:
    """Nobody would renew its lease: it ends before others start its tasks."""
    site.start()
    worker = site.start_celery()
    id_ = await site.submit("silent.loop", {"seconds": 60, "later": 0})
    await until(lambda: site.ledger("start", id_), 60)
    sudden_death(keeper(worker))
    await until(lambda: not alive(worker.pid), 2)
    site.start_celery("second")
    assert (await site.end(id_, 60)).attempt == 2


async def test_a_worker_with_a_stuck_handler_ends_itself(site: Cluster) -> None:
    """A thread that ignores its timeout: its worker drains and goes, and the outcome is recorded after it."""
    site.start()
    first = site.start_celery("first")
    id_ = await site.submit("stubborn", {"seconds": 60})
    await first.says("worker.stuck_handler", seconds=60)
    assert await first.ended() == 0
    site.start_celery("second")
    task = await site.end(id_, 60)
    assert (task.status, task.attempt, task.retry_count) == ("completed", 2, 1)


async def test_lost_messages_are_sent_again(site: Cluster) -> None:
    """All of them, after they were sent and before anybody took them."""
    sender = site.start()
    ids = await site.submit_many(5, "steps", {"n": 1})
    await sender.says("worker.started")
    await until(lambda: waiting(site.settings) >= 5)
    with closing(Broker(site.settings)) as broker:
        broker.delete("default")
    site.start_celery()
    assert {(await site.end(id_, 60)).status for id_ in ids} == {"completed"}


async def test_duplicated_messages_start_nothing(site: Cluster) -> None:
    """Before it starts, while it runs and after its end."""
    site.start()
    ids = await site.submit_many(5, "silent.loop", {"seconds": 1})
    resent(site, *ids, *ids)
    site.start_celery()
    await until(lambda: len(site.ledger("start")) == 5, 60)
    resent(site, *ids)
    assert {(await site.end(id_, 60)).status for id_ in ids} == {"completed"}
    resent(site, *ids)
    last = await site.submit("steps", {"n": 1})
    await site.end(last)
    await until(lambda: waiting(site.settings) == 0)
    assert len(site.ledger("start")) == 6


async def test_the_next_sender_takes_over(site: Cluster) -> None:
    """Two send for one installation, the older one alone; when its host is gone the other one goes on."""
    first = site.start("first")
    await first.says("worker.started")
    second = site.start("second")
    await second.says("worker.started")
    site.start_celery()
    assert (await site.end(await site.submit("steps", {"n": 1}), 60)).status == "completed"
    first.kill()
    assert (await site.end(await site.submit("steps", {"n": 1}), 60)).status == "completed"


async def test_higher_priorities_come_first(site: Cluster) -> None:
    """What waits in the broker is taken in the order of its priority; a slot is busy meanwhile."""
    site.start()
    site.start_celery(slots=1)
    first = await site.submit("silent.loop", {"seconds": 3})
    await until(lambda: site.ledger("start", first), 60)
    mixed = [await site.submit("steps", {"n": 1}, priority=level) for level in (2, 2, 5, 9, 9)]
    ended = [await site.end(id_, 60) for id_ in mixed]
    assert {task.status for task in ended} == {Status.COMPLETED}
    order = [mixed.index(line["task"]) for line in site.ledger("start") if line["task"] in mixed]
    behind = order[1:]  # one may have been prefetched before the others came
    assert behind == sorted(behind, key=lambda place: (-[2, 2, 5, 9, 9][place], place))


async def test_a_poison_task_ends_as_such(site: Cluster) -> None:
    """It kills two Celery workers; then it is run apart, beside the sender, and no message names it."""
    site.start()
    id_ = await site.submit("kills.worker", {"how": "kill"})
    for name in ("first", "second"):
        worker = site.start_celery(name)
        await worker.ended(60)
    third = site.start_celery("third")
    task = await site.end(id_, 60)
    assert (task.status, task.error_code) == ("failed", "worker_lost")
    assert third.said("celery.died") == []


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def redis(folder: Path, port: int) -> Iterator[None]:
    """A broker of our own, which forgets all when it ends."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


async def test_a_broker_that_is_away_fails_no_submit(tmp_path: Path, port: int) -> None:
    """Accepted while it is away; done when it is back, twice, without what it held."""
    where = {"engine": "celery", "broker_url": f"redis://127.0.0.1:{port}/0", "resend": 1.0}
    async with installation(tmp_path, **where) as site:
        sender = site.start()
        early = await site.submit("steps", {"n": 1})
        await sender.says("broker.away")
        with redis(tmp_path, port):
            site.start_celery()
            assert (await site.end(early, 60)).status == "completed"
        late = await site.submit("steps", {"n": 1})
        with redis(tmp_path, port):
            assert (await site.end(late, 60)).status == "completed"
        await sender.says("broker.back")


def test_a_pool_of_processes_is_refused(tmp_path: Path) -> None:
    """One readable line, exit 2."""
    bridge = [sys.executable, "-m", "celery", "-A", "duly.runtime.celery_bridge"]
    command = [*bridge, "worker", "-P", "processes"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "duly: the bridge runs in one process" in done.stderr
