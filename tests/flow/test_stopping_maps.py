"""A cancel or a timeout reaches a handler that maps or gathers, a coroutine or a thread, and its children."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.store.lists import Filter, page
from duly.testing import Harness, harness_fixture
from support.cluster import until

duly = Duly()
begun: list[int] = []
told: list[type[BaseException]] = []
gate = threading.Event()
ITEMS = list(range(100))


@pytest.fixture(autouse=True)
def _forget() -> None:
    begun.clear()
    told.clear()
    gate.clear()


async def lasts(item: int) -> int:
    """Only the first item ever ends."""
    begun.append(item)
    if item:
        await asyncio.Event().wait()
    return item


def lasts_in_a_thread(item: int) -> int:
    begun.append(item)
    if item:
        gate.wait()
    return item


@duly.task("maps", timeout=60)
async def maps(ctx: Context) -> list[Any]:
    await ctx.spawn("child", "waits")
    return (await ctx.map("weigh", ITEMS, lasts, concurrency=2)).ok


@duly.task("maps.in.a.thread", timeout=60)
def maps_in_a_thread(ctx: BlockingContext) -> list[Any]:
    ctx.spawn("child", "waits")
    return ctx.map("weigh", ITEMS, lasts, concurrency=2).ok


@duly.task("maps.on", timeout=60)
def maps_on(ctx: BlockingContext) -> list[Any]:
    for name in ("weigh", "weigh.again"):
        try:
            ctx.map(name, ITEMS, lasts, concurrency=2)
        except BaseException as error:  # noqa: BLE001 - a handler may
            told.append(type(error))
    return ctx.map("once.more", ITEMS, lasts).ok


@duly.task("maps.plainly", timeout=60)
def maps_plainly(ctx: BlockingContext) -> list[Any]:
    try:
        return ctx.map("weigh", ITEMS, lasts_in_a_thread, concurrency=2).ok
    finally:
        told.append(asyncio.CancelledError)


@duly.task("maps.too.long", timeout=0.3, max_retries=0)
def maps_too_long(ctx: BlockingContext) -> list[Any]:
    return ctx.map("weigh", ITEMS, lasts, concurrency=2).ok


@duly.task("waits")
async def waits(ctx: Context) -> None:
    await ctx.wait_for("never")


@duly.task("gathers", timeout=60)
async def gathers(ctx: Context) -> list[Any]:
    return await ctx.gather(await ctx.spawn("child", "waits"))


@duly.task("gathers.in.a.thread", timeout=60)
def gathers_in_a_thread(ctx: BlockingContext) -> list[Any]:
    return ctx.gather(ctx.spawn("child", "waits"))


harness = harness_fixture(duly, poll=0.05, stuck=0.2)
MAPS = pytest.mark.parametrize("kind", ["maps", "maps.in.a.thread"])


async def cancelled(harness: Harness, kind: str) -> str:
    """A task that was cancelled in its map, with one item made and two begun but not ended."""
    task = await harness.submit(kind)
    work = asyncio.create_task(harness.run_until_idle())
    await until(lambda: len(begun) == 3)
    assert (await harness.app.client.cancel(task.id)).status == "running"
    await asyncio.wait_for(work, 20)
    return task.id


async def statuses(harness: Harness) -> dict[str, str]:
    """Where each task type's only task stands."""
    tasks = await harness.app.database.read(page, Filter())
    return {one.task_type: one.status for one in tasks}


@MAPS
async def test_a_cancel_ends_a_map(harness: Harness, kind: str) -> None:
    """No further item begins, and the task ends as cancelled; its children with it."""
    id_ = await cancelled(harness, kind)
    await harness.assert_status(id_, "cancelled")
    assert sorted(begun) == [0, 1, 2]
    assert await statuses(harness) == {kind: "cancelled", "waits": "cancelled"}


@MAPS
async def test_what_a_map_has_made_outlasts_its_cancel(harness: Harness, kind: str) -> None:
    """It was paid for: an operator's retry makes only the rest."""
    id_ = await cancelled(harness, kind)
    assert [(row["n"], row["status"]) for row in await harness.rows("item", id_)] == [(0, "completed")]


async def test_a_thread_that_goes_on_is_told_again(harness: Harness) -> None:
    """By what is no `Exception`, as in a coroutine; no further map begins."""
    id_ = await cancelled(harness, "maps.on")
    await harness.assert_status(id_, "cancelled")
    assert told == [asyncio.CancelledError] * 2
    assert sorted(begun) == [0, 1, 2]


async def test_items_in_threads_end_before_their_task(harness: Harness) -> None:
    """Its handler hears of the cancel at once; nobody else may have the task while they run."""
    task = await harness.submit("maps.plainly")
    work = asyncio.create_task(harness.run_until_idle())
    await until(lambda: len(begun) == 3)
    await harness.app.client.cancel(task.id)
    await until(lambda: told)
    await harness.assert_status(task.id, "running")
    gate.set()
    await asyncio.wait_for(work, 20)
    await harness.assert_status(task.id, "cancelled")
    assert sorted(begun) == [0, 1, 2]


async def test_a_timeout_ends_a_map_of_a_thread(harness: Harness) -> None:
    """So its worker is not taken for stuck."""
    task = await harness.submit("maps.too.long")
    await asyncio.wait_for(harness.run_until_idle(), 20)
    await harness.assert_failed(task.id, "timeout")


@pytest.mark.parametrize("kind", ["gathers", "gathers.in.a.thread"])
async def test_a_cancel_of_a_gather_reaches_the_children(harness: Harness, kind: str) -> None:
    """No thread waits in it: the parent ends at once."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    assert await statuses(harness) == {kind: "waiting", "waits": "waiting"}
    assert (await harness.app.client.cancel(task.id)).status == "cancelled"
    await harness.run_until_idle()
    assert await statuses(harness) == {kind: "cancelled", "waits": "cancelled"}
