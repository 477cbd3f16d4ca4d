"""The tutorial, part 4: who is served when, what counts as the same task, and how to wait for the answer."""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import pytest
import sqlalchemy as sa

from duly import Context, Duly, Fail, InvalidInput
from duly.model.errors import IdempotencyConflict, StateConflict, TaskNotFound
from duly.store import lists
from duly.submit.admit import Options
from duly.testing import Harness, harness_fixture

duly = Duly()
started: list[str] = []
fails: list[bool] = []
steps: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    for one in (started, fails, steps):
        one.clear()


@duly.task("serve")
async def serve(ctx: Context, who: str = "") -> str:
    started.append(who)
    return who


@duly.task("careful", queue="slow")
async def careful(ctx: Context) -> str:
    await ctx.step("expensive", _expensive)
    if not fails:
        raise Fail("not_today", "Ask an operator.")
    return "done"


async def _expensive() -> str:
    steps.append("paid")
    return "value"


harness = harness_fixture(duly, concurrency=1, queues="default,slow", poll=0.05)


async def test_the_same_key_is_the_same_task(harness: Harness) -> None:
    """A client that sends again after a lost answer gets the task it already has."""
    one = await harness.submit("serve", {"who": "a"}, idempotency_key="k1")
    two = await harness.submit("serve", {"who": "a"}, idempotency_key="k1")
    assert (one.id, two.deduplicated) == (two.id, True)
    await harness.run_until_idle()
    assert started == ["a"]


async def test_the_same_key_for_something_else_is_an_error(harness: Harness) -> None:
    """A key stands for one body; it does not silently answer for another."""
    await harness.submit("serve", {"who": "a"}, idempotency_key="k1")
    with pytest.raises(IdempotencyConflict):
        await harness.submit("serve", {"who": "b"}, idempotency_key="k1")


async def test_another_owner_has_keys_of_his_own(harness: Harness) -> None:
    """Two users may choose the same key."""
    one = await harness.submit("serve", idempotency_key="k1", owner="ann")
    two = await harness.submit("serve", idempotency_key="k1", owner="bob")
    assert one.id != two.id


async def test_a_key_is_free_again_after_a_day(harness: Harness) -> None:
    """Keys are remembered for 24 hours."""
    one = await harness.submit("serve", idempotency_key="k1")
    await harness.advance(23 * 3600)
    assert (await harness.submit("serve", idempotency_key="k1")).id == one.id
    await harness.advance(2 * 3600)
    assert (await harness.submit("serve", idempotency_key="k1")).id != one.id


async def test_one_living_task_per_unique_key(harness: Harness) -> None:
    """While one lives, another of the same `unique` is the same; afterwards it is a new one."""
    one = await harness.submit("serve", {"who": "a"}, unique="company-7")
    assert (await harness.submit("serve", {"who": "b"}, unique="company-7")).id == one.id
    await harness.run_until_idle()
    assert (await harness.submit("serve", {"who": "b"}, unique="company-7")).id != one.id


async def test_the_more_important_comes_first(harness: Harness) -> None:
    """Priority 10 before 5 before 1, and within one priority first come, first served."""
    for who, priority in [("low", 1), ("one", 5), ("high", 10), ("two", 5)]:
        await harness.submit("serve", {"who": who}, priority=priority)
    await harness.run_until_idle()
    assert started == ["high", "one", "two", "low"]


async def test_one_users_backlog_does_not_hold_up_another(harness: Harness) -> None:
    """Whoever comes late alternates at once with whoever came early with much."""
    for number in range(6):
        await harness.submit("serve", {"who": f"ann{number}"}, owner="ann")
    for number in range(3):
        await harness.submit("serve", {"who": f"bob{number}"}, owner="bob")
    await harness.run_until_idle()
    assert max(started.index(f"bob{number}") for number in range(3)) <= 6
    assert started.index("bob0") <= 2
    assert [who for who in started if who.startswith("ann")] == [f"ann{number}" for number in range(6)]


async def test_a_task_can_be_due_later(harness: Harness) -> None:
    """`due` takes seconds, a timedelta or a moment; the clock makes it pending."""
    task = await harness.submit("serve", due=dt.timedelta(hours=1))
    await harness.run_until_idle()
    await harness.assert_status(task.id, "scheduled")
    await harness.advance(3601)
    await harness.assert_completed(task.id)


async def test_tags_and_metadata_come_back(harness: Harness) -> None:
    """What a caller wrote on a task is there for him to find it by."""
    task = await harness.submit("serve", tags=["red", "blue"], metadata={"order": 7}, owner="ann")
    await harness.submit("serve", tags=["green"])
    found = await harness.app.database.read(lists.page, lists.Filter(tag="red"))
    assert [one.id for one in found] == [task.id]
    assert sorted(found[0].tags) == ["blue", "red"]
    assert found[0].metadata == {"order": 7}


async def test_a_task_can_join_the_users_own_transaction(harness: Harness) -> None:
    """`submit_in`: your row and the task commit together, or neither does."""
    database = harness.app.database
    begin = sa.text("BEGIN IMMEDIATE" if database.driver.dialect == "sqlite" else "BEGIN")
    with database.engine().connect() as connection:
        connection.execute(begin)
        kept = harness.app.client.submit_in(connection, "serve", {"who": "kept"}, Options())
        connection.execute(sa.text("COMMIT"))
        connection.execute(begin)
        gone = harness.app.client.submit_in(connection, "serve", {"who": "gone"}, Options())
        connection.execute(sa.text("ROLLBACK"))
    await harness.run_until_idle()
    assert await harness.assert_completed(kept) == "kept"
    with pytest.raises(TaskNotFound):
        await harness.task(gone)


async def test_submit_in_needs_a_transaction(harness: Harness) -> None:
    """Without BEGIN there is nothing to join; the error says what to do."""
    connection = harness.app.database.driver.connect()
    with pytest.raises(InvalidInput, match="inside a transaction"):
        harness.app.client.submit_in(connection, "serve", {}, Options())
    connection.close()


async def test_the_answer_can_be_waited_for(harness: Harness) -> None:
    """Answer or acknowledge: `wait` returns the finished task as soon as it is."""
    waiting = asyncio.create_task(harness.submit("serve", {"who": "x"}, wait=20))
    begun = time.monotonic()
    while not waiting.done():
        await harness.run_until_idle()
        await asyncio.sleep(0)
    assert (await waiting).result == "x"
    assert time.monotonic() - begun < 5


async def test_what_takes_longer_is_acknowledged(harness: Harness) -> None:
    """When the time is up, the task comes back as it stands; it goes on."""
    task = await harness.submit("serve", {"who": "x"}, wait=0.05)
    assert task.status == "pending"
    await harness.run_until_idle()
    await harness.assert_completed(task.id)


async def test_an_operators_retry_goes_on_where_it_stopped(harness: Harness) -> None:
    """A failed task gets all its retries again, keeps its recorded steps, and its history."""
    task = await harness.submit("careful")
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "not_today")
    fails.append(True)
    await harness.app.client.retry(task.id)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "done"
    assert steps == ["paid"]
    types = [event.type for event in await harness.events(task.id)]
    assert types[-4:] == ["failed", "retried", "started", "completed"]


async def test_only_what_has_failed_can_be_retried(harness: Harness) -> None:
    """A completed task is not run again by mistake."""
    task = await harness.submit("serve")
    await harness.run_until_idle()
    with pytest.raises(StateConflict, match="only a failed or cancelled task"):
        await harness.app.client.retry(task.id)
