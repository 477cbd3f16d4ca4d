"""The tutorial, part 9: the same handlers, handed out by our own workers or inside a Celery estate.

With `DULY_ENGINE=celery` a message names a task, and `celery -A duly.runtime.celery_bridge worker -P threads`
runs it. Nothing else changes: each of these runs on each engine, in real processes, on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from duly.model.state import Status
from duly.store import lists
from duly.store.pauses import Pause, pause, resume
from support import engines, invariants
from support.cluster import Cluster, cluster, until
from support.engines import Estate

pytestmark = [pytest.mark.engine, pytest.mark.services, pytest.mark.only("postgres")]


@pytest.fixture(scope="module", params=engines.KINDS)
def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """One engine with its processes, for all of these."""
    with engines.estate(request.param, tmp_path_factory.mktemp(request.param)) as one:
        one.start()
        yield one


@pytest.fixture(autouse=True)
def on() -> None:
    """The processes keep their rows from test to test; each test has tasks of its own."""


@pytest.fixture
async def site(estate: Estate) -> AsyncIterator[Cluster]:
    """A client of the engine, as a web application would be."""
    async with cluster(estate.folder, **estate.values) as one:
        yield one
        invariants.check(one.app.database)


def together(site: Cluster, ids: list[str]) -> int:
    """How many of these ran at once, by what they wrote into the ledger."""
    most = running = 0
    for line in site.ledger():
        if line["task"] in ids and line["what"] in ("start", "end"):
            running += 1 if line["what"] == "start" else -1
            most = max(most, running)
    return most


async def test_a_task_is_done(site: Cluster) -> None:
    """Its result, its steps and its timeline are those of any worker."""
    id_ = await site.submit("steps", {"n": 2, "pause": 0.0})
    task = await site.end(id_)
    assert (task.status, task.result, task.attempt) == ("completed", 2, 1)
    assert [event.type for event in await site.events(id_)] == [
        *("accepted", "started", "step", "step", "completed")
    ]


@pytest.mark.parametrize("task_type", ["steps.apart", "steps.plain.apart"])
async def test_a_handler_in_a_process_of_its_own(site: Cluster, task_type: str) -> None:
    """`isolate=True` is no other there."""
    assert (await site.end(await site.submit(task_type, {"n": 2, "pause": 0.0}))).result == 2


async def test_a_plain_handler_runs_in_a_thread(site: Cluster) -> None:
    """And several of them at once."""
    ids = await site.submit_many(4, "silent.thread", {"seconds": 0.5})
    assert {(await site.end(id_)).status for id_ in ids} == {"completed"}
    assert together(site, ids) > 1


async def test_many_run_at_once_in_one_process(site: Cluster) -> None:
    """As many as it has slots, on one event loop."""
    ids = await site.submit_many(20, "silent.loop", {"seconds": 2})
    assert {(await site.end(id_)).status for id_ in ids} == {"completed"}
    assert together(site, ids) >= 15
    assert len({line["pid"] for line in site.ledger("start") if line["task"] in ids}) == 1


async def test_a_retry_comes_in_its_time(site: Cluster) -> None:
    """Nothing in the broker counts retries: the row does."""
    id_ = await site.submit("flaky")
    task = await site.end(id_)
    assert (task.result, task.retry_count) == (2, 1)
    assert [event.type for event in await site.events(id_)] == [
        *("accepted", "started", "retry", "due", "started", "completed")
    ]


async def test_a_task_for_later_waits_in_the_database(site: Cluster) -> None:
    """It is named when it is due."""
    id_ = await site.submit("steps", {"n": 1}, due=0.6)
    assert (await site.task(id_)).status == "scheduled"
    assert (await site.end(id_)).status == "completed"
    first, due, started, *_ = await site.events(id_)
    assert (due.type, started.type) == ("due", "started")
    assert due.at - first.at >= 600


async def test_a_task_that_waits_holds_no_slot(site: Cluster) -> None:
    """A signal makes it pending, and so it is named again."""
    id_ = await site.submit("called")
    await until(lambda: _stands(site, id_, Status.WAITING))
    await site.app.client.signal(id_, "call", 1)
    assert (await site.end(id_)).status == "completed"


async def _stands(site: Cluster, id_: str, status: Status) -> bool:
    return (await site.task(id_)).status is status


async def test_a_parent_gathers_its_children(site: Cluster) -> None:
    """The children go through the broker too, and their last end wakes their parent."""
    assert (await site.end(await site.submit("family", {"n": 5, "pause": 0.1}))).result == [0, 1, 2, 3, 4]


async def test_a_limit_holds(site: Cluster) -> None:
    """Whoever finds it full is blocked, and is named again when there is room."""
    ids = await site.submit_many(6, "keyed", {"key": 7, "pause": 0.2})
    assert {(await site.end(id_)).status for id_ in ids} == {"completed"}
    assert together(site, ids) == 2


async def test_a_cancel_stops_what_runs(site: Cluster) -> None:
    """Celery's revoke has no part in it."""
    id_ = await site.submit("silent.loop", {"seconds": 60})
    await until(lambda: _stands(site, id_, Status.RUNNING))
    await site.app.client.cancel(id_)
    assert (await site.end(id_)).status == "cancelled"
    assert site.ledger("end", id_) == []


async def test_a_timeout_stops_what_runs(site: Cluster) -> None:
    """Each attempt has its time."""
    task = await site.end(await site.submit("silent.loop", {"seconds": 60}, timeout=0.5, max_retries=0))
    assert (task.status, task.error_code) == ("failed", "timeout")


async def test_a_paused_queue_starts_nothing(site: Cluster) -> None:
    """Whatever the broker holds; when the queue is open again, all of it runs."""
    await site.app.database.write(pause, Pause(queue="default"))
    ids = await site.submit_many(3, "steps", {"n": 1})
    for _ in range(2):  # claims go on meanwhile: what falls due is seen, twice
        later = await site.submit("steps", {"n": 1}, due=0.3)
        await until(lambda: _stands(site, later, Status.PENDING))  # noqa: B023 - called in this round
        ids.append(later)
    assert {(await site.task(id_)).status for id_ in ids} == {"pending"}
    await site.app.database.write(resume, "default")
    assert {(await site.end(id_)).status for id_ in ids} == {"completed"}


async def test_an_answer_is_delivered(site: Cluster) -> None:
    """By the process that sends, in the outbox that commits with the result."""
    id_ = await site.submit("steps", {"n": 1}, owner="ann", deliver=[{"channel": "inbox"}])
    await site.end(id_)

    async def told() -> list[dict[str, Any]]:
        return [row for row in await site.app.database.read(lists.inbox, "", "ann") if row["task_id"] == id_]

    assert await until(told)
