"""The tutorial, part 6: a handler sleeps and waits for signals, and holds no worker meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly, DulyError, Retry, Status, WaitTimeout, testing
from duly.model.errors import IdempotencyConflict, StateConflict
from duly.observe.why import why
from duly.testing import START_MS, Harness, harness_fixture

duly = Duly()
calls: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    calls.clear()


def note(value: Any) -> Any:
    calls.append(value)
    return value


@duly.task("naps")
async def naps(ctx: Context, seconds: float = 60) -> int:
    await ctx.step("before", note, "before")
    await ctx.sleep("nap", seconds=seconds)
    await ctx.step("after", note, "after")
    return ctx.attempt


@duly.task("asks")
async def asks(ctx: Context, timeout: float | None = None) -> Any:
    await ctx.step("ask", note, "asked")
    return await ctx.wait_for("answer", timeout=timeout)


@duly.task("asks.with.default")
async def asks_with_default(ctx: Context) -> Any:
    return await ctx.wait_for("answer", timeout=timedelta(minutes=5), default="nobody answered")


@duly.task("gives.up")
async def gives_up(ctx: Context) -> str:
    try:
        await ctx.wait_for("answer", timeout=60)
    except TimeoutError as error:
        await ctx.sleep("sulk", seconds=60)
        return type(error).__name__
    return "answered"


@duly.task("collects")
async def collects(ctx: Context) -> list[Any]:
    return [await ctx.wait_for("item") for _ in range(3)]


@duly.task("in.a.thread")
def in_a_thread(ctx: BlockingContext) -> list[Any]:
    ctx.step("before", note, "before")
    ctx.sleep("nap", minutes=1)
    return [ctx.step("after", note, "after"), ctx.wait_for("answer", timeout=60, default=None)]


@duly.task("apart", isolate=True)
def apart(ctx: BlockingContext) -> list[Any]:
    ctx.sleep("nap", minutes=1)
    return [ctx.step("after", abs, -1), ctx.wait_for("answer")]


@duly.task("apart.async", isolate=True)
async def apart_async(ctx: Context) -> list[Any]:
    await ctx.sleep("nap", minutes=1)
    return [await ctx.step("after", abs, -1), await ctx.wait_for("answer")]


@duly.task("changes.its.mind")
async def changes_its_mind(ctx: Context, first: str, then: str) -> None:
    what = first if ctx.attempt == 1 else then
    match what:
        case "sleep":
            await ctx.sleep("it", seconds=1)
        case "longer":
            await ctx.sleep("it", seconds=2000)
        case "step":
            await ctx.step("it", note, "it")
        case _:
            await ctx.wait_for("it", timeout=1, default=None)
    if ctx.attempt == 1:
        raise Retry(after=0)


@duly.task("sleeps.until")
async def sleeps_until(ctx: Context, seconds: float) -> int:
    await ctx.sleep("nap", until=datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(seconds=seconds))
    return ctx.attempt


@duly.task("sleeps.wrongly")
async def sleeps_wrongly(ctx: Context, how: str) -> None:
    values: dict[str, Any] = {
        "no zone": {"until": datetime(2030, 1, 1)},  # noqa: DTZ001 - what is refused
        "both": {"until": datetime(2030, 1, 1, tzinfo=UTC), "seconds": 1},
        "negative": {"seconds": -1},
        "nan": {"minutes": float("nan")},
        "too long": {"hours": 10_000},
        "text": {"seconds": "1"},
    }
    await ctx.sleep("nap", **values[how])


harness = harness_fixture(duly)


async def test_a_sleep_holds_no_worker(harness: Harness) -> None:
    """The task is `waiting` without a worker; when the time has come it goes on, its steps remembered."""
    task = await harness.submit("naps")
    await harness.run_until_idle()
    asleep = await harness.assert_status(task.id, Status.WAITING)
    assert (asleep.worker_id, asleep.due_at) == (None, START_MS + 60_000)
    await harness.advance(59)
    await harness.assert_status(task.id, Status.WAITING)
    await harness.advance(1)
    assert await harness.assert_completed(task.id) == 2
    assert calls == ["before", "after"]
    types = [event.type for event in await harness.events(task.id)]
    assert types == ["accepted", "started", "step", "waiting", "started", "step", "completed"]


async def test_a_sleep_outlives_its_worker(tmp_path: Path) -> None:
    """Another process goes on where the first one left off, and computes no step again."""
    async with testing.harness(duly, tmp_path) as first:
        task = await first.submit("naps")
        await first.run_until_idle()
    async with testing.harness(duly, tmp_path) as second:
        await second.run_until_idle()
        await second.assert_status(task.id, Status.WAITING)
        await second.advance(60)
        await second.assert_completed(task.id)
    assert calls == ["before", "after"]


async def test_a_suspension_is_no_attempt_and_no_retry(harness: Harness) -> None:
    """Nothing is charged, and of the round that ended in a wait no attempt row is left."""
    task = await harness.submit("naps")
    await harness.run_until_idle()
    assert await harness.rows("attempt", task.id) == []
    await harness.advance(60)
    assert [row["attempt"] for row in await harness.rows("attempt", task.id)] == [2]
    assert (await harness.task(task.id)).retry_count == 0


async def test_a_sleep_that_is_over_does_not_suspend(harness: Harness) -> None:
    """Nothing to wait for, no round more."""
    short = await harness.submit("naps", {"seconds": 0})
    past = await harness.submit("sleeps.until", {"seconds": -1})
    await harness.run_until_idle()
    assert await harness.assert_completed(short.id) == 1
    assert await harness.assert_completed(past.id) == 1


async def test_a_sleep_lasts_until_a_moment(harness: Harness) -> None:
    """`until=` takes a time with a zone."""
    task = await harness.submit("sleeps.until", {"seconds": 90})
    await harness.run_until_idle()
    assert (await harness.assert_status(task.id, Status.WAITING)).due_at == START_MS + 90_000
    await harness.advance(90)
    assert await harness.assert_completed(task.id) == 2


@pytest.mark.parametrize("how", ["no zone", "both", "negative", "nan", "too long", "text"])
async def test_a_sleep_that_means_nothing_is_refused(harness: Harness, how: str) -> None:
    """For good: another attempt would say the same."""
    task = await harness.submit("sleeps.wrongly", {"how": how})
    await harness.run_until_idle()
    assert "sleep" in ((await harness.assert_failed(task.id, "invalid_input")).error or "")


async def test_a_signal_wakes_the_task_that_waits_for_it(harness: Harness) -> None:
    """Its data is what the wait answers; another signal leaves the task asleep."""
    task = await harness.submit("asks")
    await harness.run_until_idle()
    assert (await harness.assert_status(task.id, Status.WAITING)).due_at is None
    assert (await harness.signal(task.id, "other", 1)).status is Status.WAITING
    assert (await harness.signal(task.id, "answer", {"yes": True})).status is Status.PENDING
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == {"yes": True}
    types = [event.type for event in await harness.events(task.id)]
    assert types[-5:] == ["waiting", "signalled", "woken", "started", "completed"]
    assert calls == ["asked"]


async def test_a_signal_that_came_first_is_kept(harness: Harness) -> None:
    """Before the wait, before the task has even begun: the wait takes it at once."""
    task = await harness.submit("asks")
    await harness.signal(task.id, "answer", "early")
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == "early"
    assert (await harness.task(task.id)).attempt == 1


async def test_signals_of_a_name_are_taken_in_order_each_once(harness: Harness) -> None:
    """Also when some came before, some after, and one twice."""
    task = await harness.submit("collects")
    await harness.signal(task.id, "item", 1, id="first")
    await harness.signal(task.id, "item", 1, id="first")
    await harness.run_until_idle()
    await harness.signal(task.id, "item", 2)
    await harness.signal(task.id, "item", 3)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == [1, 2, 3]


async def test_a_signals_id_means_one_signal(harness: Harness) -> None:
    """The same again is known, also after the end; the same id with other words is refused."""
    task = await harness.submit("asks")
    await harness.signal(task.id, "answer", 1, id="k")
    with pytest.raises(IdempotencyConflict):
        await harness.signal(task.id, "answer", 2, id="k")
    await harness.run_until_idle()
    assert (await harness.signal(task.id, "answer", 1, id="k")).status is Status.COMPLETED
    with pytest.raises(StateConflict):
        await harness.signal(task.id, "answer", 1)


@pytest.mark.parametrize(
    "words", [("bad name", 1), ("x" * 61, 1), ("big", "x" * 70_000), ("nan", float("nan"))]
)
async def test_a_signal_must_be_fit_to_be_kept(harness: Harness, words: tuple[str, Any]) -> None:
    """A name, and JSON of at most 64 KB."""
    task = await harness.submit("asks")
    with pytest.raises(DulyError):
        await harness.signal(task.id, *words)


async def test_a_wait_that_is_not_answered_times_out(harness: Harness) -> None:
    """Uncaught it fails the task, for good: the timeout is remembered too."""
    task = await harness.submit("asks", {"timeout": 60})
    await harness.run_until_idle()
    await harness.advance(60)
    assert "'answer'" in ((await harness.assert_failed(task.id, "wait_timeout")).error or "")


async def test_a_timeout_can_be_caught(harness: Harness) -> None:
    """It is a `TimeoutError`. What comes too late does not change what a later round sees."""
    task = await harness.submit("gives.up")
    await harness.run_until_idle()
    await harness.advance(60)
    await harness.signal(task.id, "answer", "too late")
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == WaitTimeout.__name__


async def test_a_default_is_answered_instead(harness: Harness) -> None:
    """`default=` for those who can do without."""
    task = await harness.submit("asks.with.default")
    await harness.run_until_idle()
    await harness.advance(300)
    assert await harness.assert_completed(task.id) == "nobody answered"


async def test_a_plain_handler_waits_too(harness: Harness) -> None:
    """Its thread is free meanwhile."""
    task = await harness.submit("in.a.thread")
    await harness.run_until_idle()
    await harness.advance(60)
    await harness.assert_status(task.id, Status.WAITING)
    await harness.signal(task.id, "answer", 7)
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == ["after", 7]
    assert calls == ["before", "after"]


@pytest.mark.parametrize("kind", ["apart", "apart.async"])
async def test_so_does_one_in_a_process_of_its_own(harness: Harness, kind: str) -> None:
    """The process ends; another one goes on."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    await harness.signal(task.id, "answer", "x")
    await harness.advance(60)
    assert await harness.assert_completed(task.id) == [1, "x"]


@pytest.mark.parametrize("now", ["sleep", "step", "signal"])
@pytest.mark.parametrize("then", ["sleep", "step", "signal"])
async def test_a_changed_call_is_refused_on_replay(harness: Harness, now: str, then: str) -> None:
    """What was recorded for a sleep is not handed to a step or a signal's wait, nor the other way round."""
    task = await harness.submit("changes.its.mind", {"first": now, "then": then})
    await harness.run_until_idle()
    await harness.advance(2)
    await harness.advance(2)
    if now == then:
        await harness.assert_status(task.id, Status.COMPLETED)
    else:
        assert "'it' number 1" in ((await harness.assert_failed(task.id, "replay_mismatch")).error or "")


async def test_the_first_recorded_end_of_a_sleep_stands(harness: Harness) -> None:
    """How long it lasts may change with the code, or come from the clock: that is no mismatch."""
    task = await harness.submit("changes.its.mind", {"first": "sleep", "then": "longer"})
    await harness.run_until_idle()
    await harness.advance(2)
    await harness.assert_status(task.id, Status.COMPLETED)


async def test_a_deadline_passes_while_a_task_waits(harness: Harness) -> None:
    """It fails then, not when the sleep is over."""
    tasks = [await harness.submit("naps", deadline=30), await harness.submit("asks", deadline=30)]
    await harness.run_until_idle()
    for task in tasks:
        await harness.assert_status(task.id, Status.WAITING)
    await harness.advance(30)
    for task in tasks:
        await harness.assert_failed(task.id, "deadline_exceeded")


async def test_a_waiting_task_is_cancelled_at_once(harness: Harness) -> None:
    """Nothing runs that would have to stop."""
    task = await harness.submit("naps")
    await harness.run_until_idle()
    assert (await harness.app.client.cancel(task.id)).status is Status.CANCELLED


async def test_why_says_what_a_task_waits_for(harness: Harness) -> None:
    """Until when, or for which signal, in both languages; another signal that came since hides nothing."""
    texts = {}
    for kind, options in (("naps", {}), ("asks", {}), ("asks", {"timeout": 120})):
        task = await harness.submit(kind, options)
        await harness.run_until_idle()
        await harness.signal(task.id, "other")
        said = await why(harness.app.database, task.id, now_ms=harness.clock.now_ms())
        texts[said.reasons[0].code] = (said.reasons[0].text_en, said.reasons[0].text_zh)
    assert texts.keys() == {"sleeping", "signal", "signal_until"}
    assert "(nap)" in texts["sleeping"][0]
    assert "1 min more" in texts["sleeping"][0]
    assert "signal answer" in texts["signal"][0]
    assert "2 min" in texts["signal_until"][0]
    assert all("信号 answer" in texts[code][1] for code in ("signal", "signal_until"))
