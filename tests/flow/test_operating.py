"""The tutorial, for operators: pause a queue and open it, empty it, move what waits, retry what failed."""

from __future__ import annotations

import pytest

from duly import Context, Duly, Fail
from duly.model.errors import InvalidInput, QueueNotFound
from duly.model.state import Status
from duly.store.lists import Filter
from duly.testing import Harness, harness_fixture

duly = Duly()
ran: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()
    broken.clear()


@duly.task("report", max_retries=0)
async def report(ctx: Context, name: str) -> str:
    ran.append(name)
    if name in broken:
        raise Fail("model_down", "the model is down")
    return f"report on {name}"


harness = harness_fixture(duly, queues="default,slow", concurrency=1, poll=0.05)


async def submit(harness: Harness, *names: str, **options: object) -> list[str]:
    return [(await harness.submit("report", {"name": name}, **options)).id for name in names]


async def test_a_paused_queue_waits_until_it_is_opened(harness: Harness) -> None:
    """`duly queue pause default`: tasks are accepted as ever, and none starts; then all do."""
    await submit(harness, "a")
    await harness.app.operator.pause("default", by="ann", reason="the model is down")
    await submit(harness, "b")
    await harness.run_until_idle()
    assert ran == []
    state = await harness.app.operator.resume("default")
    assert (state.paused_at, state.counts["pending"]) == (None, 2)
    await harness.run_until_idle()
    assert ran == ["a", "b"]


async def test_a_worker_that_starts_later_heeds_the_pause(harness: Harness) -> None:
    """It is the queue that is paused, not the workers of that moment."""
    await submit(harness, "a")
    await harness.app.operator.pause("default")
    await harness.worker.start()
    await harness.run_until_idle()
    await harness.worker.stop()
    assert ran == []


async def test_other_queues_go_on(harness: Harness) -> None:
    """A worker of both serves the one that is open."""
    await submit(harness, "a")
    await harness.app.operator.pause("default")
    await submit(harness, "b", queue="slow")
    await harness.run_until_idle()
    assert ran == ["b"]


async def test_what_waits_can_be_moved_out_of_the_way(harness: Harness) -> None:
    """`duly queue move slow --tag bulk`: each moved task stands in its new line as if it came there now."""
    bulk = await submit(harness, "big-1", "big-2", tags=["bulk"])
    await submit(harness, "small")
    tally = await harness.app.operator.move(Filter(tag="bulk"), to="slow", priority=2, limit=100)
    assert (tally.count, tally.more) == (2, False)
    await harness.run_until_idle()
    assert ran == ["small", "big-1", "big-2"]
    assert "moved" in [event.type for event in await harness.events(bulk[0])]


async def test_a_higher_priority_is_next(harness: Harness) -> None:
    """`duly queue priority 9 ID`."""
    *_, urgent = await submit(harness, "a", "b", "urgent")
    await harness.app.operator.move(Filter(ids=(urgent,)), priority=9, limit=1)
    await harness.run_until_idle()
    assert ran == ["urgent", "a", "b"]


async def test_a_queue_is_purged_of_what_waits(harness: Harness) -> None:
    """`duly queue purge default --yes`: cancelled, with their history; a later task is not touched."""
    ids = await submit(harness, "a", "b")
    later = await submit(harness, "later", due=60)
    tally = await harness.app.operator.purge("default", (Status.PENDING,), limit=100)
    assert tally.count == 2
    await submit(harness, "c")
    await harness.run_until_idle()
    assert ran == ["c"]
    await harness.assert_status(ids[0], "cancelled")
    await harness.assert_status(later[0], "scheduled")


async def test_failed_tasks_run_again_when_the_cause_is_gone(harness: Harness) -> None:
    """`duly failed retry --error model_down --since 2h`: all that failed of it, and nothing else."""
    broken.update({"a", "b"})
    ids = await submit(harness, "a", "b", "c")
    await harness.run_until_idle()
    broken.clear()
    failed = Filter(error_code="model_down", task_type="report")
    tally = await harness.app.operator.retry(failed, limit=100)
    assert tally.count == 2
    await harness.run_until_idle()
    assert await harness.assert_completed(ids[0]) == "report on a"
    assert ran == ["a", "b", "c", "a", "b"]


async def test_a_limit_leaves_the_rest_for_the_next_time(harness: Harness) -> None:
    """Carefully: one first, then the others."""
    broken.update("abc")
    await submit(harness, "a", "b", "c")
    await harness.run_until_idle()
    tally = await harness.app.operator.retry(Filter(error_code="model_down"), limit=1)
    assert (tally.count, tally.more) == (1, True)


async def test_slips_of_the_pen_do_nothing(harness: Harness) -> None:
    """A queue that is not there is not paused, and all tasks are never meant by saying nothing."""
    await submit(harness, "a")
    with pytest.raises(QueueNotFound, match="there are: default"):
        await harness.app.operator.pause("defualt")
    with pytest.raises(InvalidInput, match="say which tasks"):
        await harness.app.operator.retry(Filter(), limit=100)
    with pytest.raises(InvalidInput, match="a running task cannot be purged"):
        await harness.app.operator.purge("default", (Status.RUNNING,), limit=100)
