"""Fan-out: a handler spawns children, waits for them without a worker, and hears how each has ended."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from duly import BlockingContext, ChildFailed, Context, Duly, Fail, Status
from duly.observe.why import why
from duly.store.lists import Filter, page
from duly.testing import Harness, harness_fixture

duly = Duly()
calls: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()


class Mended:
    """Pages that were mended, and by which."""

    pages: ClassVar[dict[int, int]] = {}


@duly.task("page", max_retries=0)
async def read_page(ctx: Context, number: int) -> int:
    calls.append(number)
    number = Mended.pages.get(number, number)
    if number < 0:
        raise Fail("unreadable", f"page {number} is torn")
    return number * number


@duly.task("slow.page")
async def slow_page(ctx: Context, number: int) -> int:
    await ctx.wait_for("read")
    return number


@duly.task("book")
async def read_book(ctx: Context, pages: list[int], policy: Any = "fail_fast") -> list[Any]:
    children = [await ctx.spawn("page", "page", {"number": number}, tags=["page"]) for number in pages]
    results = await ctx.gather(*children, policy=policy)
    return [one.child_id if isinstance(one, ChildFailed) else one for one in results]


@duly.task("half.book")
async def half_book(ctx: Context, policy: Any) -> list[Any]:
    children = [
        await ctx.spawn("slow", "slow.page", {"number": 1}),
        await ctx.spawn("torn", "page", {"number": -1}),
    ]
    return await ctx.gather(*children, policy=policy)


@duly.task("careful")
async def careful(ctx: Context) -> str:
    child = await ctx.spawn("torn", "page", {"number": -1})
    try:
        await ctx.gather(child)
    except ChildFailed as error:
        await ctx.sleep("sulk", seconds=60)
        return f"{error.fields['status']} {error.fields['error_code']}"
    return "read"


@duly.task("branches")
async def branches(ctx: Context) -> list[Any]:
    async def one(key: str, number: int) -> list[Any]:
        child = await ctx.spawn("page", "page", {"number": number}, key=key)
        return await ctx.gather(child, key=key)

    return await asyncio.gather(one("a", 1), one("b", 2), ctx.wait_for("go"))


@duly.task("in.a.thread")
def in_a_thread(ctx: BlockingContext) -> list[Any]:
    children = [ctx.spawn("page", "page", {"number": number}) for number in (2, 3)]
    return ctx.gather(*children)


@duly.task("apart", isolate=True)
def apart(ctx: BlockingContext) -> list[Any]:
    children = [ctx.spawn("page", "page", {"number": number}) for number in (2, 3)]
    return ctx.gather(*children)


@duly.task("leaves")
async def leaves(ctx: Context, how: str) -> None:
    child = await ctx.spawn("slow", "slow.page", {"number": 1})
    if how == "fails":
        raise Fail("bad", "no more")
    if how == "waits":
        await ctx.gather(child)


@duly.task("grandparent")
async def grandparent(ctx: Context) -> None:
    await ctx.gather(await ctx.spawn("child", "leaves", {"how": "waits"}))


@duly.task("spawns.wrongly")
async def spawns_wrongly(ctx: Context, how: str) -> None:
    match how:
        case "type":
            await ctx.spawn("x", "nobody.knows")
        case "input":
            await ctx.spawn("x", "page", {"wrong": 1})
        case "option":
            await ctx.spawn("x", "page", {"number": 1}, idempotency_key="k")
        case "policy":
            await ctx.gather(policy="whatever")  # type: ignore[arg-type]
        case "stranger":
            await ctx.gather("somebody")  # type: ignore[arg-type]
        case _:
            await ctx.step("outer", lambda: ctx.spawn("x", "page", {"number": 1}))


harness = harness_fixture(duly)


async def children(harness: Harness, id_: str) -> list[Any]:
    """The task's children, oldest first."""
    found = await harness.app.database.read(page, Filter(parent=id_), limit=200)
    return found[::-1]


async def test_a_parent_waits_for_its_children_without_a_worker(harness: Harness) -> None:
    """The results come in the order of the call, and the parent's round costs no retry."""
    task = await harness.submit("book", {"pages": [3, 1, 2]}, owner="ann")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [9, 1, 4]
    assert sorted(calls) == [1, 2, 3]
    found = await children(harness, task.id)
    assert [(one.owner, one.tags, one.parent_id) for one in found] == [("ann", ("page",), task.id)] * 3
    types = [event.type for event in await harness.events(task.id)]
    assert types[-5:] in (
        ["step", "waiting", "woken", "started", "completed"],
        ["step", "step", "woken", "started", "completed"],
    )
    assert (await harness.task(task.id)).retry_count == 0


async def test_nothing_to_gather_is_nothing_to_wait_for(harness: Harness) -> None:
    """No children, no results, no round more."""
    task = await harness.submit("book", {"pages": []})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == []
    assert (await harness.task(task.id)).attempt == 1


async def test_the_first_failure_wakes_the_parent(harness: Harness) -> None:
    """`fail_fast`: uncaught it fails the parent, which takes its other children with it."""
    task = await harness.submit("half.book", {"policy": "fail_fast"})
    await harness.run_until_idle()
    failed = await harness.assert_failed(task.id, "child_failed")
    slow, torn = await children(harness, task.id)
    assert torn.id in (failed.error or "")
    assert "page -1 is torn" in (failed.error or "")
    assert (slow.status, torn.status) == (Status.CANCELLED, Status.FAILED)


async def test_all_can_be_waited_for(harness: Harness) -> None:
    """`collect`: a `ChildFailed` stands in the place of each result that there is not."""
    task = await harness.submit("book", {"pages": [2, -1, 3], "policy": "collect"})
    await harness.run_until_idle()
    torn = (await children(harness, task.id))[1]
    assert await harness.assert_completed(task.id) == [4, torn.id, 9]


async def test_collect_waits_for_the_last(harness: Harness) -> None:
    """A failure alone does not wake the parent."""
    task = await harness.submit("half.book", {"policy": "collect"})
    await harness.run_until_idle()
    waiting = await harness.assert_status(task.id, Status.WAITING)
    assert (waiting.wait_kind, waiting.worker_id) == ("children", None)
    slow, _ = await children(harness, task.id)
    await harness.signal(slow.id, "read")
    await harness.run_until_idle()
    assert (await harness.task(task.id)).error_code == "not_json"  # it returned the exception itself


async def test_siblings_can_be_cancelled(harness: Harness) -> None:
    """`cancel_siblings`: nothing goes on that nobody will ask for, whatever the parent does then."""
    task = await harness.submit("half.book", {"policy": "cancel_siblings"})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "child_failed")
    assert (await children(harness, task.id))[0].status is Status.CANCELLED


async def test_a_failure_can_be_caught(harness: Harness) -> None:
    """Each later round hears the same of it, also when the child has had another run and end meanwhile."""
    task = await harness.submit("careful")
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    [torn] = await children(harness, task.id)
    await harness.app.client.retry(torn.id)
    await harness.app.client.cancel(torn.id)
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == "failed unreadable"


async def test_a_family_can_be_given_another_run(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator retries the child, then its parent: that asks anew, and spawns nobody again."""
    task = await harness.submit("book", {"pages": [2, -1]})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "child_failed")
    await harness.app.client.retry(task.id)
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "child_failed")  # the child is as it was
    monkeypatch.setattr(Mended, "pages", {-1: 1})
    await harness.app.client.retry((await children(harness, task.id))[1].id)
    await harness.app.client.retry(task.id)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [4, 1]
    assert len(await children(harness, task.id)) == 2


async def test_branches_gather_side_by_side(harness: Harness) -> None:
    """Told apart by `key=`; children and signals may both wake the task."""
    task = await harness.submit("branches")
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    await harness.signal(task.id, "go", "on")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [[1], [4], "on"]


@pytest.mark.parametrize("kind", ["in.a.thread", "apart"])
async def test_plain_handlers_fan_out_too(harness: Harness, kind: str) -> None:
    """In a thread, and in a process of its own."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [4, 9]
    assert len(await children(harness, task.id)) == 2


async def test_a_cancel_is_passed_on(harness: Harness) -> None:
    """To children, and to theirs."""
    task = await harness.submit("grandparent")
    await harness.run_until_idle()
    await harness.app.client.cancel(task.id)
    await harness.run_until_idle()
    [child] = await children(harness, task.id)
    [grandchild] = await children(harness, child.id)
    assert (child.status, grandchild.status) == (Status.CANCELLED, Status.CANCELLED)


@pytest.mark.parametrize(("how", "status"), [("fails", Status.CANCELLED), ("completes", Status.WAITING)])
async def test_children_of_a_parent_that_has_ended(harness: Harness, how: str, status: Status) -> None:
    """A failed parent takes its living children with it; one that completed leaves them to their work."""
    task = await harness.submit("leaves", {"how": how})
    await harness.run_until_idle()
    assert [one.status for one in await children(harness, task.id)] == [status]


@pytest.mark.parametrize("how", ["type", "input", "option", "policy", "stranger", "step"])
async def test_what_cannot_be_spawned_is_refused(harness: Harness, how: str) -> None:
    """For good, and nothing is submitted."""
    task = await harness.submit("spawns.wrongly", {"how": how})
    await harness.run_until_idle()
    await harness.assert_failed(task.id)
    assert await children(harness, task.id) == []


async def test_why_says_how_many_children_a_task_waits_for(harness: Harness) -> None:
    """In both languages; and whose child a task is."""
    task = await harness.submit("half.book", {"policy": "collect"})
    await harness.run_until_idle()
    said = await why(harness.app.database, task.id, now_ms=harness.clock.now_ms())
    assert said.reasons[0].code == "children"
    assert "1 of 2 children" in said.summary
    assert "2 个子任务" in said.reasons[0].text_zh
    slow, _ = await children(harness, task.id)
    said = await why(harness.app.database, slow.id, now_ms=harness.clock.now_ms())
    assert task.id in " ".join(one.text_en for one in said.reasons)


async def weigh(item: Any) -> Any:
    calls.append(item)
    if item == "torn":
        raise Fail("unreadable", "it is torn")
    if item == "shy" and calls.count("shy") < 3:
        raise ValueError("not yet")
    return [item, len(calls)] if item == "large" else item


@duly.task("maps", max_retries=0)
async def maps(ctx: Context, items: list[Any], policy: Any = "raise", **terms: Any) -> Any:
    result = await ctx.map("weigh", items, weigh, policy=policy, backoff=0, **terms)
    if "stop" in items:
        await ctx.sleep("rest", seconds=60)
    return {"ok": result.ok, "errors": {str(n): one.code for n, one in result.errors.items()}}


@duly.task("maps.in.a.thread")
def maps_in_a_thread(ctx: BlockingContext) -> Any:
    return ctx.map("double", [1, 2, 3], lambda item: 2 * item).results


@duly.task("maps.apart", isolate=True)
def maps_apart(ctx: BlockingContext) -> Any:
    return ctx.map("double", [1, 2, 3], lambda item: 2 * item).results


@duly.task("changes.items")
async def changes_items(ctx: Context) -> Any:
    await ctx.map("weigh", [1, 2 if ctx.attempt == 1 else 3], weigh)
    await ctx.sleep("rest", seconds=60)


async def test_a_map_remembers_each_item(harness: Harness) -> None:
    """A later round computes none again; the results come in the order of the items."""
    task = await harness.submit("maps", {"items": [3, 1, "stop", 2], "concurrency": 2})
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == {"ok": [3, 1, "stop", 2], "errors": {}}
    assert sorted(map(str, calls)) == ["1", "2", "3", "stop"]
    assert [row["status"] for row in await harness.rows("item", task.id)] == ["completed"] * 4


async def test_a_failed_item_is_tried_again_alone(harness: Harness) -> None:
    """The others are not; three tries of one item cost the task no retry."""
    task = await harness.submit("maps", {"items": ["a", "shy", "b"]})
    await harness.run_until_idle()
    assert (await harness.assert_completed(task.id))["ok"] == ["a", "shy", "b"]
    assert sorted(calls) == ["a", "b", "shy", "shy", "shy"]
    assert [row["tries"] for row in await harness.rows("item", task.id)] == [1, 3, 1]
    assert (await harness.task(task.id)).retry_count == 0


async def test_a_map_may_succeed_in_part(harness: Harness) -> None:
    """`collect`: results where there are some, errors by number where there are none."""
    task = await harness.submit("maps", {"items": ["a", "torn", "b"], "policy": "collect"})
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == {"ok": ["a", "b"], "errors": {"1": "unreadable"}}


async def test_a_map_fails_when_an_item_does(harness: Harness) -> None:
    """All others are done first; an operator's retry tries only those that failed."""
    task = await harness.submit("maps", {"items": ["torn", "a", "b"]})
    await harness.run_until_idle()
    failed = await harness.assert_failed(task.id, "items_failed")
    assert "1 of 3" in (failed.error or "")
    assert calls == ["torn", "a", "b"]
    await harness.app.client.retry(task.id)
    await harness.run_until_idle()
    assert calls == ["torn", "a", "b", "torn"]


@pytest.mark.parametrize("kind", ["maps.in.a.thread", "maps.apart"])
async def test_a_plain_handler_maps_too(harness: Harness, kind: str) -> None:
    """And a plain function; `why` counts the items."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [2, 4, 6]
    said = await why(harness.app.database, task.id, now_ms=harness.clock.now_ms())
    assert "double: 3 completed" in " ".join(one.text_en for one in said.reasons)


async def test_an_item_that_has_changed_is_refused(harness: Harness) -> None:
    """Its recorded result belongs to another value."""
    task = await harness.submit("changes.items")
    await harness.run_until_idle()
    await harness.advance(60)
    assert "item 1" in ((await harness.assert_failed(task.id, "replay_mismatch")).error or "")


async def test_ten_thousand_items_take_few_writes(harness: Harness) -> None:
    """Recorded in batches, at most a few at once; the task's progress grows with them."""
    task = await harness.submit(
        "maps", {"items": list(range(10_000)), "concurrency": 50, "progress": [0, 0.5]}
    )
    await harness.run_until_idle()
    assert len((await harness.assert_completed(task.id))["ok"]) == 10_000
    assert len(calls) == 10_000
    assert len(await harness.rows("item", task.id)) == 10_000


@pytest.mark.parametrize(
    "terms", [{"concurrency": 0}, {"max_retries": -1}, {"progress": [1, 0]}, {"policy": "x"}]
)
async def test_a_map_without_sense_is_refused(harness: Harness, terms: dict[str, Any]) -> None:
    """For good."""
    task = await harness.submit("maps", {"items": [1], **terms})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "invalid_input")
