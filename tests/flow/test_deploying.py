"""The tutorial, part 8: new code is deployed while tasks run, sleep and wait that the old code began."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly, Fail, Status, testing
from duly.model.task import Task
from duly.observe.why import why
from duly.testing import Harness
from support.cluster import until

calls: list[str] = []
#: What a step of the handlers below waits for, and what a branch between its steps does.
gate = threading.Event()
stopping: list[asyncio.Event] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()
    gate.clear()
    stopping.clear()


def note(what: str) -> str:
    calls.append(what)
    return what


def held(what: str) -> str:
    """A step that takes as long as the test wants."""
    calls.append(f"{what} begins")
    gate.wait(20)
    return note(what)


def release(version: str | tuple[str, ...]) -> Duly:
    """The program as it is deployed: its handler says which version of the code it is."""
    duly = Duly()

    @duly.task("order", version=version)
    async def order(ctx: Context) -> list[str]:
        code = version if isinstance(version, str) else version[0]
        first = await ctx.step("check", partial(note, f"checked by {code}"))
        await ctx.wait_for("approved")
        return [first, await ctx.step("ship", partial(note, f"shipped by {code}"))]

    return duly


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Harness]:
    """A worker with version 1."""
    async with testing.harness(release("1"), tmp_path) as one:
        yield one


@pytest.fixture
async def new(old: Harness, tmp_path: Path) -> AsyncIterator[Harness]:
    """A worker with version 2 on the same database."""
    async with testing.harness(release("2"), tmp_path) as one:
        yield one


async def begun(old: Harness) -> Task:
    """An order that version 1 has checked, and that is due again."""
    task = await old.submit("order")
    await old.run_until_idle()
    await old.assert_status(task.id, Status.WAITING)
    return await old.signal(task.id, "approved")


async def test_a_task_ends_under_the_code_it_began_with(old: Harness, new: Harness) -> None:
    """While both versions run, each finishes its own: no step of one is mixed with one of the other."""
    first = await begun(old)
    second = await new.submit("order")
    await new.run_until_idle()
    assert (await new.assert_status(first.id, Status.PENDING)).code_version == "1"
    assert (await new.assert_status(second.id, Status.WAITING)).code_version == "2"
    await new.signal(second.id, "approved")
    await old.run_until_idle()
    await new.run_until_idle()
    assert await old.assert_completed(first.id) == ["checked by 1", "shipped by 1"]
    assert await new.assert_completed(second.id) == ["checked by 2", "shipped by 2"]


async def test_nobody_is_charged_for_it(old: Harness, new: Harness) -> None:
    """A worker that leaves a task alone leaves no trace in it."""
    task = await begun(old)
    before = await new.events(task.id)
    for _ in range(3):
        await new.run_until_idle()
    assert await new.events(task.id) == before
    assert (await new.task(task.id)).attempt == 1


async def test_what_no_code_has_begun_any_code_may_begin(old: Harness, new: Harness) -> None:
    """It waits for no version, only for a free worker."""
    task = await old.submit("order")
    assert task.code_version is None
    await new.run_until_idle()
    assert calls == ["checked by 2"]


async def test_when_the_old_code_is_gone_it_is_said(old: Harness, new: Harness) -> None:
    """`duly why` names the version that is missing and those that are there."""
    task = await begun(old)
    for one in (old, new):
        one.clock.advance(31)
    await new.worker.session.renew()
    said = await why(new.app.database, task.id, now_ms=new.clock.now_ms())
    assert said.summary == ('It belongs to version "1" of order; no worker of default has it (there: "2").')


async def test_new_code_may_say_that_it_can_continue(old: Harness, tmp_path: Path) -> None:
    """Then no old worker is needed; from its first step on the task is the new code's alone."""
    task = await begun(old)
    async with testing.harness(release(("2", "1")), tmp_path) as both:
        await both.run_until_idle()
        assert await both.assert_completed(task.id) == ["checked by 1", "shipped by 2"]
        assert (await both.task(task.id)).code_version == "2"


def begins(version: str) -> Duly:
    """Handlers whose first deed is no step of their own, and which then wait or fail."""
    duly = Duly()

    @duly.task("child")
    async def child(ctx: Context) -> None:
        await ctx.wait_for("go")

    @duly.task("spawns", version=version, max_retries=0)
    async def spawns(ctx: Context) -> None:
        await ctx.spawn("one", "child")
        raise Fail("broken", "it broke")

    @duly.task("spawns.many", version=version, max_retries=0)
    async def spawns_many(ctx: Context) -> None:
        await ctx.spawn_many("some", [{"task_type": "child"}] * 2)
        raise Fail("broken", "it broke")

    @duly.task("gathers", version=version)
    async def gathers(ctx: Context) -> None:
        await ctx.gather()
        raise Fail("broken", "it broke")

    @duly.task("maps", version=version, max_retries=0)
    async def maps(ctx: Context) -> None:
        await ctx.map("pages", [1, 2], note)
        raise Fail("broken", "it broke")

    @duly.task("tracks", version=version)
    async def tracks(ctx: Context) -> None:
        await ctx.track("film", submit=lambda job: "v-1", poll=lambda id_: None)

    @duly.task("opens", version=version, max_retries=0)
    async def opens(ctx: Context) -> None:
        def submit(job: Any) -> str:
            raise Fail("broken", "it broke")

        await ctx.track("film", submit=submit, poll=note)

    return duly


@pytest.mark.parametrize("kind", ["spawns", "spawns.many", "gathers", "maps", "tracks", "opens"])
async def test_whatever_it_began_with_makes_it_its_versions(tmp_path: Path, kind: str) -> None:
    """A child, a gather, an item of a map, a job: other code does not go on with it."""
    async with testing.harness(begins("1"), tmp_path) as before:
        task = await before.submit(kind)
        await before.run_until_idle()
        stands = await before.task(task.id)
        assert stands.code_version == "1"
        if stands.status is Status.FAILED:
            await before.app.client.retry(task.id)
    async with testing.harness(begins("2"), tmp_path) as after:
        after.clock.advance(60)
        await after.run_until_idle()
        assert (await after.task(task.id)).attempt == 1


def renamed(step: str | None, version: str | tuple[str, ...] = "") -> Duly:
    """Handlers that pay and then rest; code of another day calls the first step otherwise, or not at all."""
    duly = Duly()

    @duly.task("pays", version=version)
    async def pays(ctx: Context) -> str:
        if step:
            await ctx.step(step, note, step)
        await ctx.sleep("rest", seconds=60)
        return "paid"

    def pays_plainly(ctx: BlockingContext) -> str:
        if step:
            ctx.step(step, note, step)
        ctx.sleep("rest", seconds=60)
        return "paid"

    duly.task("pays.in.a.thread", version=version)(pays_plainly)
    return duly


@pytest.mark.parametrize("kind", ["pays", "pays.in.a.thread"])
@pytest.mark.parametrize("step", ["charge", None], ids=["renamed", "removed"])
async def test_a_step_that_the_code_has_lost_is_told(tmp_path: Path, kind: str, step: str | None) -> None:
    """A handler that was changed without a new version does not end as if nothing had been: its task fails,
    and the error names the step that was recorded."""
    async with testing.harness(renamed("pay"), tmp_path) as before:
        task = await before.submit(kind)
        await before.run_until_idle()
        await before.assert_status(task.id, Status.WAITING)
    async with testing.harness(renamed(step), tmp_path) as after:
        await after.advance(60)
        ended = await after.assert_failed(task.id, "replay_mismatch")
    assert "step 'pay' number 1 was recorded" in (ended.error or "")
    assert ended.retry_count == 0


async def test_code_that_continues_older_tasks_may_leave_a_step_out(tmp_path: Path) -> None:
    """It says so with their version."""
    async with testing.harness(renamed("pay"), tmp_path) as before:
        task = await before.submit("pays")
        await before.run_until_idle()
    async with testing.harness(renamed(None, ("2", "")), tmp_path) as after:
        await after.advance(60)
        assert await after.assert_completed(task.id) == "paid"


async def test_code_without_a_version_is_one_version_too(tmp_path: Path) -> None:
    """Who names versions for the first time says whether they continue what ran without: `("1", "")`."""
    async with testing.harness(release(""), tmp_path) as before:
        task = await begun(before)
        assert task.code_version == ""
        async with testing.harness(release("1"), tmp_path) as strict:
            await strict.run_until_idle()
            await strict.assert_status(task.id, Status.PENDING)
        async with testing.harness(release(("1", "")), tmp_path) as kind:
            await kind.run_until_idle()
            assert await kind.assert_completed(task.id) == ["checked by ", "shipped by 1"]


async def test_an_operators_retry_keeps_it(old: Harness, new: Harness) -> None:
    """The steps are kept, so the code that they belong to is too."""
    task = await begun(old)
    await old.app.client.cancel(task.id)
    await old.app.client.retry(task.id)
    await new.run_until_idle()
    await new.assert_status(task.id, Status.PENDING)
    await old.run_until_idle()
    assert await old.assert_completed(task.id) == ["checked by 1", "shipped by 1"]


program = Duly()


@program.task("ships")
async def ships(ctx: Context) -> list[str]:
    return [await ctx.step(what, held, what) for what in ("first", "second", "third")]


@program.task("ships.in.a.thread")
def ships_in_a_thread(ctx: BlockingContext) -> list[str]:
    return [ctx.step(what, held, what) for what in ("first", "second", "third")]


@program.task("branches")
async def branches(ctx: Context) -> list[str]:
    async def late() -> str:
        stopping.append(asyncio.Event())
        await stopping[0].wait()
        return str(await ctx.step("late", note, "late"))

    return await asyncio.gather(ctx.step("slow", held, "slow"), late())


@program.task("has.no.steps")
async def has_no_steps(ctx: Context) -> str:
    note("begins")
    await asyncio.to_thread(gate.wait, 20)
    return "done"


@program.task("naps")
async def naps(ctx: Context) -> None:
    await ctx.step("first", held, "first")
    await ctx.sleep("nap", minutes=1)


def weighed(folder: str, item: int) -> int:
    """An item that takes as long as the test wants, in whichever process: it notes that it begins."""
    Path(folder, str(item)).write_text("begins")
    while not Path(folder, "go").exists():
        threading.Event().wait(0.01)
    return item


@program.task("maps")
async def maps(ctx: Context, folder: str) -> list[int]:
    return (await ctx.map("weigh", range(5), partial(weighed, folder), concurrency=2)).results


@program.task("maps.in.a.thread")
def maps_in_a_thread(ctx: BlockingContext, folder: str) -> list[int]:
    return ctx.map("weigh", range(5), partial(weighed, folder), concurrency=2).results


@program.task("maps.apart", isolate=True)
def maps_apart(ctx: BlockingContext, folder: str) -> list[int]:
    return ctx.map("weigh", range(5), partial(weighed, folder), concurrency=2).results


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with testing.harness(program, tmp_path) as one:
        yield one


async def stopped(one: Harness, task_type: str, begins: str) -> Task:
    """A task whose worker is told to stop while one of its steps runs; the step ends a good while later."""
    task = await one.submit(task_type)
    await one.worker.claim()
    await until(lambda: begins in calls)
    drain = asyncio.create_task(one.worker.drain(60))
    await until(lambda: one.worker.runner.draining)
    for branch in stopping:
        branch.set()
    for _ in range(200):
        await asyncio.sleep(0)
    gate.set()
    await drain
    return await one.task(task.id)


async def goes_on(task: Task, folder: Path) -> Any:
    """What the task answers once another worker has run it to its end."""
    async with testing.harness(program, folder) as next_one:
        await next_one.run_until_idle()
        return await next_one.assert_completed(task.id)


@pytest.mark.parametrize("kind", ["ships", "ships.in.a.thread"])
async def test_a_worker_that_stops_parks_its_tasks(harness: Harness, tmp_path: Path, kind: str) -> None:
    """The step under way ends and is recorded; before the next one the task goes back, uncharged, at once."""
    task = await stopped(harness, kind, "first begins")
    assert (task.status, task.retry_count) == (Status.PENDING, 0)
    assert [step.name for step in await harness.steps(task.id)] == ["first"]
    [*_, last] = await harness.events(task.id)
    assert (last.type, last.data["reason"]) == ("handed_back", "the worker stops")
    assert await goes_on(task, tmp_path) == ["first", "second", "third"]
    assert calls.count("first") == 1


async def test_every_branch_ends_its_step_before(harness: Harness, tmp_path: Path) -> None:
    """None is cut off in the middle of one, and none begins another."""
    task = await stopped(harness, "branches", "slow begins")
    assert [step.name for step in await harness.steps(task.id)] == ["slow"]
    assert "late" not in calls
    assert await goes_on(task, tmp_path) == ["slow", "late"]
    assert calls.count("slow") == 1


async def test_a_handler_without_steps_may_end(harness: Harness) -> None:
    """It has no place to stop at, so it runs on for as long as `drain` says."""
    task = await stopped(harness, "has.no.steps", "begins")
    assert task.status is Status.COMPLETED


async def test_a_sleep_begins_all_the_same(harness: Harness) -> None:
    """It holds no worker, and is over when it would have been over."""
    task = await stopped(harness, "naps", "first begins")
    assert (task.status, task.wait_kind) == (Status.WAITING, "sleep")


@pytest.mark.parametrize("kind", ["maps", "maps.in.a.thread", "maps.apart"])
async def test_a_map_begins_no_further_item(harness: Harness, tmp_path: Path, kind: str) -> None:
    """Items under way end and are recorded, then the task goes back, uncharged; none is made twice."""
    (folder := tmp_path / "items").mkdir()
    task = await harness.submit(kind, {"folder": str(folder)})
    await harness.worker.claim()
    await until(lambda: len(list(folder.iterdir())) == 2)
    drain = asyncio.create_task(harness.worker.drain(60))
    await until(lambda: harness.worker.runner.draining)
    (folder / "go").touch()
    await drain
    left = await harness.task(task.id)
    assert (left.status, left.retry_count) == (Status.PENDING, 0)
    assert {path.name for path in folder.iterdir()} == {"0", "1", "go"}
    assert [row["status"] for row in await harness.rows("item", task.id)] == ["completed"] * 2
    for made in ("0", "1"):
        (folder / made).unlink()
    assert await goes_on(left, tmp_path) == [0, 1, 2, 3, 4]
    assert {path.name for path in folder.iterdir()} == {"2", "3", "4", "go"}
