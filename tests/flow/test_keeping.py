"""The tutorial: how long a task is kept once it has ended, and how it goes.

Duly keeps an ended task with its result for 30 days (`retention_days`). A task type may say otherwise, and so
may a single task; workers then delete what was kept long enough, with all that belongs to it.
"""

from __future__ import annotations

import pytest

from duly import Context, Duly
from duly.model.errors import InvalidInput, TaskNotFound
from duly.observe.why import why
from duly.testing import Harness, harness_fixture

MINUTE, HOUR, DAY = 60, 3600, 86_400
duly = Duly()


@duly.task("report")
async def report(ctx: Context) -> str:
    """Says nothing about how long it is kept."""
    return "thirty days"


@duly.task("preview", result_ttl=10 * MINUTE)
async def preview(ctx: Context) -> str:
    """Is of no use after ten minutes."""
    return "ten minutes"


@duly.task("fragile", max_retries=0, result_ttl=HOUR)
async def fragile(ctx: Context) -> str:
    if ctx.attempt == 1:
        raise RuntimeError("not today")
    return "mended"


harness = harness_fixture(duly)


async def prune(harness: Harness) -> int:
    """What a worker does by itself, once a minute and a hundred tasks at a time."""
    return await harness.worker.prune()


async def is_there(harness: Harness, id_: str) -> bool:
    try:
        await harness.task(id_)
    except TaskNotFound:
        return False
    return True


async def test_an_ended_task_is_kept_for_thirty_days(harness: Harness) -> None:
    """Its row says until when; then it is gone, and asking for it is asking for a task that never was."""
    task = await harness.submit("report")
    await harness.run_until_idle()
    ended = await harness.task(task.id)
    assert ended.completed_at is not None
    assert ended.expires_at == ended.completed_at + 30 * DAY * 1000
    harness.clock.advance(30 * DAY - 0.001)
    assert await prune(harness) == 0
    harness.clock.advance(0.001)
    assert await prune(harness) == 1
    assert not await is_there(harness, task.id)


async def test_a_type_says_how_long_its_tasks_are_kept(harness: Harness) -> None:
    """`@duly.task(..., result_ttl=seconds)`; a single task may say otherwise."""
    short = await harness.submit("preview")
    long = await harness.submit("preview", result_ttl=2 * DAY)
    await harness.run_until_idle()
    harness.clock.advance(10 * MINUTE)
    assert await prune(harness) == 1
    assert [await is_there(harness, one.id) for one in (short, long)] == [False, True]


@pytest.mark.parametrize("ttl", [0, -1, 59, True, "3600", float("inf")])
async def test_a_minute_is_the_least(harness: Harness, ttl: object) -> None:
    """Nobody could fetch what goes at once, and 0 means "at once" to some and "for ever" to others."""
    with pytest.raises(InvalidInput, match="result_ttl"):
        await harness.submit("report", result_ttl=ttl)


async def test_what_has_not_ended_is_kept_however_long_it_takes(harness: Harness) -> None:
    """The time begins with the end, not with the submission."""
    task = await harness.submit("preview", due=300 * DAY)
    harness.clock.advance(200 * DAY)
    assert await prune(harness) == 0
    assert await is_there(harness, task.id)


async def test_an_operators_retry_begins_the_time_anew(harness: Harness) -> None:
    """A failed task that is given another run has not ended, so nothing says until when it is kept."""
    task = await harness.submit("fragile")
    await harness.run_until_idle()
    harness.clock.advance(0.9 * HOUR)
    assert (await harness.app.client.retry(task.id)).expires_at is None
    await harness.run_until_idle()
    harness.clock.advance(0.9 * HOUR)
    assert await prune(harness) == 0
    assert await harness.assert_completed(task.id) == "mended"


async def test_an_answer_that_nobody_has_seen_is_not_deleted(harness: Harness) -> None:
    """An inbox line is kept until it was read, though no longer than other tasks are."""
    task = await harness.submit("preview", owner="ann", deliver=["inbox"])
    await harness.run_until_idle()
    harness.clock.advance(HOUR)
    assert await prune(harness) == 0
    assert len(await harness.inbox("ann")) == 1
    harness.clock.advance(30 * DAY)
    assert await prune(harness) == 1
    assert await harness.inbox("ann") == []
    assert not await is_there(harness, task.id)


async def test_an_idempotency_key_keeps_its_task_for_a_day(harness: Harness) -> None:
    """A caller who sends again within 24 hours gets the task that did the work, not a second one."""
    task = await harness.submit("preview", idempotency_key="order-7")
    await harness.run_until_idle()
    harness.clock.advance(DAY - 1)
    assert await prune(harness) == 0
    assert (await harness.submit("preview", idempotency_key="order-7")).id == task.id


async def test_why_says_until_when(harness: Harness) -> None:
    """In words, in two languages."""
    task = await harness.submit("preview")
    await harness.run_until_idle()
    said = await why(harness.app.database, task.id, now_ms=harness.clock.now_ms())
    assert [reason.code for reason in said.reasons] == ["completed", "kept"]
    assert "for 10 min more" in said.reasons[1].text_en
    assert "10 分钟" in said.reasons[1].text_zh
