"""The tutorial, part 2, where things fail: what follows a failure may be left out when nothing fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from duly import BlockingContext, ChildFailed, Context, Duly, ItemsFailed, Retry
from duly.model.state import Status
from duly.testing import Harness, harness_fixture

duly = Duly()
broken: set[str] = set()
printed: list[Any] = []


def note(value: Any) -> Any:
    return value


def call(from_attempt: int, attempt: int) -> str:
    if attempt < from_attempt:
        raise ConnectionError("away")
    return "primary"


@duly.task("falls.back.async")
async def falls_back(ctx: Context) -> str:
    try:
        answer = await ctx.step("primary", call, 2, ctx.attempt)
    except ConnectionError:
        answer = "secondary"
    if answer == "secondary":
        await ctx.step("fall.back", note, "secondary")
        raise Retry(after=0)
    return str(answer)


@duly.task("falls.back.plain")
def falls_back_plain(ctx: BlockingContext) -> str:
    try:
        answer = ctx.step("primary", call, 2, ctx.attempt)
    except ConnectionError:
        answer = "secondary"
    if answer == "secondary":
        ctx.step("fall.back", note, "secondary")
        raise Retry(after=0)
    return str(answer)


@duly.task("falls.back.apart", isolate=True)
def falls_back_apart(ctx: BlockingContext) -> str:
    return falls_back_plain(ctx)


@duly.task("pauses")
async def pauses(ctx: Context) -> str:
    while True:
        try:
            return str(await ctx.step("call", call, 3, ctx.attempt))
        except ConnectionError:
            await ctx.sleep("pause", seconds=60)


@duly.task("orders.elsewhere")
async def orders_elsewhere(ctx: Context) -> str:
    try:
        await ctx.track("order", submit=lambda job: call(2, ctx.attempt), poll=lambda id_: {"status": "done"})
    except ConnectionError:
        await ctx.step("note", note, "away")
        raise Retry(after=0) from None
    return "primary"


@duly.task("maps.badly")
async def maps_badly(ctx: Context) -> str:
    failed = False
    try:
        await ctx.map("items", [1], lambda item: call(2, ctx.attempt), max_retries=0)
    except ItemsFailed:
        failed = True
    if failed:
        await ctx.step("note", note, "failed")
        raise Retry(after=0)
    return "primary"


@duly.task("alerts")
async def alerts(ctx: Context) -> str:
    try:
        return call(2, ctx.attempt)
    except ConnectionError:
        await ctx.step("alert", note, "away")
        raise Retry(after=0) from None


@duly.task("child", max_retries=0)
async def child(ctx: Context) -> str:
    if broken:
        raise ConnectionError("away")
    return "well"


@duly.task("parent", max_retries=0)
async def parent(ctx: Context, policy: Any) -> Any:
    one = await ctx.spawn("child", "child")
    try:
        [answer] = await ctx.gather(one, policy=policy)
    except ChildFailed as error:
        answer = error
    if isinstance(answer, ChildFailed):
        await ctx.step("note", note, "it failed")
        raise answer
    return answer


@duly.task("page", max_retries=0)
async def page(ctx: Context, n: int) -> int:
    if str(n) in broken:
        raise ConnectionError("away")
    return n


@duly.task("book", max_retries=0)
async def book(ctx: Context) -> Any:
    pages = await ctx.spawn_many("pages", [{"task_type": "page", "input": {"n": n}} for n in (1, 2, 3)])
    results = await ctx.gather(*pages, policy="collect")
    there = [one for one in results if not isinstance(one, ChildFailed)]
    for one in there:
        await ctx.step("print", print_, one)
    bound = await ctx.step("bind", print_, there)
    await ctx.sleep(f"dry.{len(there)}", seconds=60)
    if "press" in broken:
        raise ConnectionError("away")
    return bound


def print_(what: Any) -> Any:
    printed.append(what)
    return what


harness = harness_fixture(duly)


@pytest.fixture(autouse=True)
def nothing_is_broken() -> None:
    broken.clear()
    printed.clear()


@pytest.mark.parametrize("kind", ["async", "plain", "apart"])
async def test_who_fell_back_may_do_without(harness: Harness, kind: str) -> None:
    """Once the first choice is there again nobody asks for what took its place."""
    task = await harness.submit(f"falls.back.{kind}")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "primary"
    assert {step.name for step in await harness.steps(task.id)} == {"primary", "fall.back"}


async def test_who_paused_after_a_failure_needs_no_pause_without(harness: Harness) -> None:
    """Each round begins with no memory of what failed, and comes to as many pauses as it needs."""
    task = await harness.submit("pauses")
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    await harness.advance(60)
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == "primary"


@pytest.mark.parametrize("kind", ["alerts", "orders.elsewhere", "maps.badly"])
async def test_what_is_noted_of_a_failure_may_be_left_out(harness: Harness, kind: str) -> None:
    """What is done within an `except` belongs to the failure, whatever failed."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == "primary"


@pytest.mark.parametrize("policy", ["fail_fast", "collect"])
async def test_a_parent_goes_on_with_a_child_that_was_retried(harness: Harness, policy: str) -> None:
    """An operator mends the child and lets both run again: what the parent noted of its failure is no
    matter any more."""
    broken.add("child")
    task = await harness.submit("parent", {"policy": policy})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "child_failed")
    broken.clear()
    [step] = [one for one in await harness.steps(task.id) if one.name == "child"]
    await harness.app.client.retry(json.loads(step.value))
    await harness.run_until_idle()
    await harness.app.client.retry(task.id)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "well"


async def mend(harness: Harness, parent: str, n: int) -> None:
    """An operator lets the child of this page run again, and it does well."""
    broken.discard(str(n))
    [spawned] = [one for one in await harness.steps(parent) if one.name == "pages"]
    await harness.app.client.retry(json.loads(spawned.value)[n - 1])
    await harness.run_until_idle()


async def test_a_parent_goes_on_with_what_it_collects_anew(harness: Harness) -> None:
    """What it had done with the results that there were is not done again, and what hangs on all of them is:
    once for each answer, whatever rounds follow."""
    broken.update({"2", "3", "press"})
    task = await harness.submit("book")
    await harness.run_until_idle()
    await harness.advance(60)
    await harness.assert_failed(task.id)
    for n in (3, 2):
        await mend(harness, task.id, n)
        await harness.app.client.retry(task.id)
        await harness.run_until_idle()
        await harness.assert_status(task.id, Status.WAITING)
        if n == 2:
            broken.clear()
        await harness.advance(60)
    assert await harness.assert_completed(task.id) == [1, 2, 3]
    assert printed == [1, [1], 3, [1, 3], 2, [1, 2, 3]]


async def test_what_a_gather_gave_stands_while_its_parent_lives(harness: Harness) -> None:
    """A child that is given another run meanwhile comes too late."""
    broken.add("2")
    task = await harness.submit("book")
    await harness.run_until_idle()
    await mend(harness, task.id, 2)
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == [1, 3]
    assert printed == [1, 3, [1, 3]]
