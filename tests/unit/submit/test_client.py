"""The client over a real store: accepting once, all or none, steering, and waiting for an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly.model.errors import IdempotencyConflict, InvalidInput, StateConflict, TaskNotFound
from duly.model.state import Status
from duly.registry import Registry, TaskType
from duly.store import migrate
from duly.store.database import Database
from duly.submit import answer
from duly.submit.admit import Options
from duly.submit.client import Client
from support.cluster import until
from support.stores import Store, sqlite_store

PATIENCE = 10.0


def demo(ctx: Any, n: int = 0) -> None:
    """A handler that needs no more than a signature."""


class Desk:
    """A client, its store, and what it said."""

    def __init__(self, store: Store) -> None:
        registry = Registry()
        registry.add(TaskType(name="demo", handler=demo))
        self.said: list[str] = []
        self.store = store
        self.client = Client(store.database, registry, emit=lambda name, /, **_: self.said.append(name))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    path = tmp_path / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    one = Desk(sqlite_store(path))
    yield one
    await one.client.close()
    one.store.database.close()


async def test_a_task_is_accepted_and_answered_as_it_stands(desk: Desk) -> None:
    """Pending, with its id; and it is said once."""
    task = await desk.client.submit("demo", {"n": 1}, Options(owner="ann"))
    assert (task.status, task.owner, task.deduplicated) == (Status.PENDING, "ann", False)
    assert desk.said == ["task.accepted"]


async def test_the_same_request_again_is_the_same_task(desk: Desk) -> None:
    """It is marked as such, for the caller may count."""
    options = Options(idempotency_key="k")
    first = await desk.client.submit("demo", {"n": 1}, options)
    again = await desk.client.submit("demo", {"n": 1}, options)
    assert (again.id, again.deduplicated) == (first.id, True)
    assert desk.said == ["task.accepted", "task.deduplicated"]


async def test_another_body_under_the_same_key_is_a_conflict(desk: Desk) -> None:
    """The error names the task that has the key."""
    first = await desk.client.submit("demo", {"n": 1}, Options(idempotency_key="k"))
    with pytest.raises(IdempotencyConflict) as caught:
        await desk.client.submit("demo", {"n": 2}, Options(idempotency_key="k"))
    assert caught.value.fields == {"key": "k", "task_id": first.id}


async def test_concurrent_requests_with_one_key_make_one_task(desk: Desk) -> None:
    """Whoever comes first: all get the same answer."""
    calls = [desk.client.submit("demo", {"n": 1}, Options(idempotency_key="k")) for _ in range(20)]
    tasks = await asyncio.gather(*calls)
    assert len({task.id for task in tasks}) == 1
    assert sum(not task.deduplicated for task in tasks) == 1


async def test_many_are_accepted_together_or_none(desk: Desk) -> None:
    """One that is invalid takes the others with it."""
    good = ("demo", {"n": 1}, Options())
    assert len(await desk.client.submit_many([good, good, good])) == 3
    with pytest.raises(InvalidInput):
        await desk.client.submit_many([good, ("demo", {"m": 1}, Options()), good])
    assert desk.store.rows("SELECT count(*) FROM task") == [(3,)]


@pytest.mark.parametrize("verb", ["get", "cancel", "retry"])
async def test_an_unknown_task_is_told(desk: Desk, verb: str) -> None:
    """Each way to ask for it says the same."""
    with pytest.raises(TaskNotFound, match="no task x"):
        await getattr(desk.client, verb)("x")


async def test_a_task_that_is_under_way_cannot_be_retried(desk: Desk) -> None:
    """The message says in which state it is."""
    task = await desk.client.submit("demo", {}, Options())
    with pytest.raises(StateConflict, match="pending"):
        await desk.client.retry(task.id)


async def test_steering_answers_the_task_as_it_then_stands(desk: Desk) -> None:
    """Cancelled at once, then pending again."""
    task = await desk.client.submit("demo", {}, Options())
    assert (await desk.client.cancel(task.id)).status is Status.CANCELLED
    assert (await desk.client.retry(task.id)).status is Status.PENDING


async def test_a_caller_may_wait_for_the_end(desk: Desk) -> None:
    """It is answered when the task ends, long before its patience does."""
    accepted, loop = asyncio.Event(), asyncio.get_running_loop()
    desk.store.database.subscribe(lambda foreign: foreign or loop.call_soon_threadsafe(accepted.set))
    waiting = asyncio.create_task(desk.client.submit("demo", {}, Options(), wait=PATIENCE))
    await accepted.wait()
    [claimed] = await asyncio.to_thread(desk.store.claim)
    await asyncio.to_thread(desk.store.finish, claimed)
    async with asyncio.timeout(PATIENCE):
        task = await waiting
    assert (task.status, task.result) == (Status.COMPLETED, "done")


async def test_patience_that_ends_first_answers_the_task_unfinished(desk: Desk) -> None:
    """An acknowledgement instead of an answer, and nobody is left in the list of those who wait."""
    task = await desk.client.submit("demo", {}, Options(), wait=0.01)
    assert task.status is Status.PENDING
    assert desk.client._ends._waiting == {}


async def test_waiting_for_what_has_ended_takes_no_time(desk: Desk) -> None:
    """Neither does waiting for what is not there."""
    id_ = await asyncio.to_thread(desk.store.ended, Status.FAILED)
    async with asyncio.timeout(PATIENCE):
        assert (await desk.client.wait(id_, 1_000)).status is Status.FAILED
        with pytest.raises(TaskNotFound):
            await desk.client.wait("unknown", 1_000)


async def test_all_who_wait_for_one_task_are_answered(desk: Desk) -> None:
    """Also when one of them gives up before."""
    task = await desk.client.submit("demo", {}, Options())
    waiting = [asyncio.create_task(desk.client.wait(task.id, PATIENCE)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await desk.client.cancel(task.id)
    async with asyncio.timeout(PATIENCE):
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    assert {task.status for task in ended[1:]} == {Status.CANCELLED}


async def test_an_end_is_found_without_a_hint(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints may be lost; the poll is the truth."""
    monkeypatch.setattr(answer, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(desk.store.database, "subscribe", lambda listener: lambda: None)
    task = await desk.client.submit("demo", {}, Options())
    waiting = asyncio.create_task(desk.client.wait(task.id, 1_000))
    await until(lambda: desk.client._ends._waiting)  # it has looked once, and will be told
    await desk.client.cancel(task.id)
    async with asyncio.timeout(PATIENCE):
        assert (await waiting).status is Status.CANCELLED
