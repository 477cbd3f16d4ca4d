"""Batches: many tasks in one request, counted while they run, and one answer when all have ended."""

from __future__ import annotations

from typing import Any

import pytest

from duly import Context, Duly, Fail, InvalidInput, Status
from duly.model.batch import BATCH
from duly.store.lists import Filter, page
from duly.testing import Harness, harness_fixture
from support.families import take

duly = Duly()


@duly.task("page", max_retries=0)
async def read_page(ctx: Context, number: int) -> int:
    if number < 0:
        raise Fail("unreadable", f"page {number} is torn")
    return number * number


@duly.task("slow.page", queue="slow")
async def slow_page(ctx: Context, number: int) -> Any:
    return await ctx.wait_for("read")


@duly.task("leaf")
async def leaf(ctx: Context) -> None: ...


@duly.task("shelf")
async def shelf(ctx: Context, count: int) -> Any:
    members = await ctx.spawn_many("leaves", [{"task_type": "leaf"}] * count)
    return await ctx.tally(*members)


@duly.task("slow.shelf")
async def slow_shelf(ctx: Context) -> Any:
    one = await ctx.spawn("one", "leaf")
    others = await ctx.spawn_many("others", [{"task_type": "leaf"}] * 2)
    await ctx.sleep("dusting", seconds=60)
    return (await ctx.tally(one, *others))["completed"]


@duly.task("shelf.apart", isolate=True)
def shelf_apart(ctx: Any, count: int) -> Any:
    return ctx.tally(*ctx.spawn_many("leaves", [{"task_type": "leaf"}] * count))


@duly.task("shelf.in.a.thread")
def shelf_in_a_thread(ctx: Any, count: int) -> Any:
    return ctx.tally(*ctx.spawn_many("leaves", [{"task_type": "leaf"}] * count))


@duly.task("pair", max_retries=0)
async def pair(ctx: Context, tasks: list[dict[str, Any]]) -> list[Any]:
    return await ctx.gather(*await ctx.spawn_many("pages", tasks))


harness = harness_fixture(duly)


def pages(*numbers: int, kind: str = "page", **options: Any) -> list[dict[str, Any]]:
    """Members of a batch."""
    return [{"task_type": kind, "input": {"number": number}, **options} for number in numbers]


async def members(harness: Harness, id_: str) -> list[Any]:
    """The batch's members, oldest first."""
    return (await harness.app.database.read(page, Filter(parent=id_), limit=200))[::-1]


async def test_a_batch_is_accepted_as_one_and_answers_once(harness: Harness) -> None:
    """Its result counts how its members ended and names those that failed; one answer is delivered."""
    batch = await harness.submit(BATCH, {"tasks": pages(1, -2, 3)}, owner="ann", deliver=["inbox"])
    assert batch.metadata == {"members": 3}
    await harness.run_until_idle()
    result = await harness.assert_completed(batch.id)
    first, torn, _ = await members(harness, batch.id)
    [failure] = result.pop("failures")
    assert result == {"total": 3, "completed": 2, "failed": 1, "cancelled": 0}
    assert (failure["index"], failure["id"], failure["error_code"]) == (1, torn.id, "unreadable")
    assert (first.owner, first.parent_id) == ("ann", batch.id)
    assert len(await harness.rows("delivery", batch.id)) == 1


async def test_a_replayed_spawn_makes_no_second_child(harness: Harness) -> None:
    """A parent that is called again after a rest finds the children that it had."""
    parent = await harness.submit("slow.shelf")
    await harness.run_until_idle()
    before = [one.id for one in await members(harness, parent.id)]
    await harness.advance(60)
    assert [one.id for one in await members(harness, parent.id)] == before
    assert (await harness.assert_completed(parent.id), len(before)) == (3, 3)


async def test_a_batch_is_counted_while_it_runs(harness: Harness) -> None:
    """It holds no worker meanwhile; its progress is that of its members, also of those not spawned yet."""
    batch = await harness.submit(
        BATCH, {"tasks": [*pages(1, 2, -3), *pages(4, kind="slow.page", queue="default")]}
    )
    before = await harness.app.client.get(batch.id)
    assert before.batch is not None
    assert (before.batch["total"], sum(before.batch.values()), before.progress) == (4, 4, 0)
    await harness.run_until_idle()
    waiting = await harness.app.client.get(batch.id)
    assert waiting.batch is not None
    assert (waiting.status, waiting.worker_id, waiting.progress) == (Status.WAITING, None, 0.75)
    assert {status: count for status, count in waiting.batch.items() if count} == {
        "total": 4,
        "completed": 2,
        "failed": 1,
        "waiting": 1,
    }
    slow = (await members(harness, batch.id))[-1]
    await harness.signal(slow.id, "read", "done")
    await harness.run_until_idle()
    ended = await harness.app.client.get(batch.id)
    assert ended.batch is not None
    assert (ended.status, ended.batch["completed"], ended.batch["failed"]) == ("completed", 3, 1)


async def test_a_batch_is_cancelled_as_a_whole(harness: Harness) -> None:
    """Whatever its members do."""
    batch = await harness.submit(BATCH, {"tasks": pages(1, 2, kind="slow.page", queue="default")})
    await harness.run_until_idle()
    await harness.app.client.cancel(batch.id)
    await harness.run_until_idle()
    assert [one.status for one in await members(harness, batch.id)] == [Status.CANCELLED] * 2


async def test_a_batch_may_fail_with_its_first_member(harness: Harness) -> None:
    """`fail_fast`: the others are cancelled."""
    tasks = [*pages(1, kind="slow.page", queue="default"), *pages(-1)]
    batch = await harness.submit(BATCH, {"tasks": tasks, "policy": "fail_fast"})
    await harness.run_until_idle()
    failed = await harness.assert_failed(batch.id, "child_failed")
    assert "torn" in (failed.error or "")
    assert [one.status for one in await members(harness, batch.id)] == [Status.CANCELLED, Status.FAILED]


async def test_a_batch_waits_where_its_members_do(harness: Harness) -> None:
    """A worker of their queue begins and ends it, unless it was told where to wait."""
    batch = await harness.submit(BATCH, {"tasks": pages(1, kind="slow.page")})
    told = await harness.submit(BATCH, {"tasks": pages(1, kind="slow.page")}, queue="default")
    assert (batch.queue, told.queue) == ("slow", "default")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"task_type": "nobody.knows"}, "unknown task type"),
        ({"task_type": "page"}, "number"),
        ({"task_type": "page", "input": {"number": 1}, "priority": 11}, "priority"),
        ({"task_type": "page", "input": {"number": 1}, "priority": "high"}, "priority"),
        ({"task_type": "page", "input": {"number": 1}, "tags": 5}, "tags"),
        ({"task_type": "page", "input": {"number": 1}, "owner": "bo"}, "owner"),
        ({"task_type": "page", "input": {"number": 1}, "deadline": 5}, "deadline"),
        ({"task_type": "page", "input": 5}, "object"),
        ({"input": {"number": 1}}, "task_type"),
        ("page", "task_type"),
        (None, "task_type"),
    ],
)
async def test_a_batch_with_a_bad_member_is_refused_as_a_whole(harness: Harness, bad: Any, said: str) -> None:
    """Each bad member is named by its place, and nothing is accepted."""
    with pytest.raises(InvalidInput, match=said) as refused:
        await harness.submit(BATCH, {"tasks": [*pages(1), bad, *pages(2), bad]})
    assert [one["pointer"] for one in refused.value.fields["errors"]] == ["#/tasks/1", "#/tasks/3"]
    assert await harness.app.database.read(page, Filter()) == []


@pytest.mark.parametrize(
    "input_",
    [
        {},
        {"tasks": []},
        {"tasks": {}},
        {"tasks": pages(1) * 10_001},
        {"tasks": pages(1), "policy": "whatever"},
        {"tasks": pages(1), "more": 1},
    ],
)
async def test_what_is_no_batch_is_refused(harness: Harness, input_: Any) -> None:
    """At once."""
    with pytest.raises(InvalidInput):
        await harness.submit(BATCH, input_)


async def test_a_batch_may_hold_batches(harness: Harness) -> None:
    """Each counts its own; a bad member within is refused with the whole."""
    inner = {"task_type": BATCH, "input": {"tasks": pages(1, 2)}}
    batch = await harness.submit(BATCH, {"tasks": [inner, *pages(3)]})
    await harness.run_until_idle()
    assert (await harness.assert_completed(batch.id))["total"] == 2
    with pytest.raises(InvalidInput, match="tasks/0"):
        await harness.submit(BATCH, {"tasks": [{"task_type": BATCH, "input": {"tasks": [{}]}}]})


@pytest.mark.parametrize("kind", ["shelf", "shelf.apart", "shelf.in.a.thread"])
async def test_a_handler_spawns_many_in_few_steps(harness: Harness, kind: str) -> None:
    """450 children are three remembered steps; they are counted, not read."""
    task = await harness.submit(kind, {"count": 450})
    await harness.run_until_idle()
    result = await harness.assert_completed(task.id)
    assert result == {"total": 450, "completed": 450, "failed": 0, "cancelled": 0, "failures": []}
    steps = await harness.rows("step", task.id)
    assert sorted((step["name"], step["n"]) for step in steps) == [
        ("leaves", 1),
        ("leaves", 2),
        ("leaves", 3),
        ("tally", 1),
    ]


async def test_a_large_map_says_how_far_it_is(harness: Harness) -> None:
    """Once for each tenth at the most, however many items there are."""
    task = await harness.submit("counts", {"count": 4000})
    await harness.run_until_idle()
    await harness.assert_completed(task.id)
    told = [event.data["progress"] for event in await harness.events(task.id) if event.type == "progress"]
    assert told == sorted(set(told))
    assert 2 <= len(told) <= 10
    assert told[-1] == 1


@duly.task("counts")
async def counts(ctx: Context, count: int) -> int:
    return len((await ctx.map("items", range(count), lambda item: item)).ok)


@pytest.mark.parametrize(
    ("kind", "how"), [("pair", {}), (BATCH, {"policy": "fail_fast"})], ids=["gather", "tally"]
)
async def test_a_child_that_is_gone_has_not_succeeded(
    harness: Harness, kind: str, how: dict[str, Any]
) -> None:
    """Its parent can be given another run all the same, and hears what it misses."""
    parent = await harness.submit(kind, {"tasks": pages(1, -2), **how})
    await harness.run_until_idle()
    await harness.assert_failed(parent.id, "child_failed")
    _, torn = await members(harness, parent.id)
    await harness.app.database.write(take, torn.id)
    await harness.app.client.retry(parent.id)
    await harness.run_until_idle()
    failed = await harness.assert_failed(parent.id, "child_failed")
    assert failed.error == f"child {torn.id} is gone"
