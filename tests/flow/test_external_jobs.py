"""The tutorial, part 7: a handler has work done elsewhere, and asks or is told how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from duly import BlockingContext, Context, Duly, Fail, Polling, Retry, Status, testing
from duly.http import create_api
from duly.observe.why import why
from duly.testing import START_MS, Harness
from support.vendor import Vendor

PUBLIC = "https://tasks.example/duly"
HOUR = timedelta(hours=1)
duly = Duly()


class Api:
    """How a handler speaks to the vendor."""

    url = ""

    async def submit(self, job: Any) -> str:
        async with httpx2.AsyncClient() as http:
            wanted = {"callback_url": job.callback_url}
            headers = {"Idempotency-Key": job.key}
            return str((await http.post(f"{self.url}/jobs", json=wanted, headers=headers)).json()["id"])

    async def poll(self, id_: str) -> Any:
        async with httpx2.AsyncClient() as http:
            return (await http.get(f"{self.url}/jobs/{id_}")).raise_for_status().json()

    async def cancel(self, id_: str) -> None:
        async with httpx2.AsyncClient() as http:
            (await http.delete(f"{self.url}/jobs/{id_}")).raise_for_status()

    # The same in plain functions.
    def submit_here(self, job: Any) -> str:
        wanted, headers = {"callback_url": job.callback_url}, {"Idempotency-Key": job.key}
        return str(httpx2.post(f"{self.url}/jobs", json=wanted, headers=headers).json()["id"])

    def poll_here(self, id_: str) -> Any:
        return httpx2.get(f"{self.url}/jobs/{id_}").json()


api = Api()


@duly.task("render")
async def render(ctx: Context) -> Any:
    return await ctx.track("film", submit=api.submit, poll=api.poll)


@duly.task("render.in.time")
async def render_in_time(ctx: Context) -> Any:
    return await ctx.track("film", submit=api.submit, poll=api.poll, timeout=HOUR, cancel=api.cancel)


@duly.task("render.until")
async def render_until(ctx: Context) -> Any:
    end = datetime.fromtimestamp(START_MS / 1000, UTC) + HOUR
    try:
        return await ctx.track("film", submit=api.submit, poll=api.poll, timeout=end)
    except TimeoutError as error:
        await ctx.sleep("sulk", minutes=1)
        return type(error).__name__


@duly.task("render.strictly", max_retries=1)
async def render_strictly(ctx: Context) -> Any:
    rhythm = Polling(interval=60, growth=1, jitter=0, patience=1)
    return await ctx.track("film", submit=api.submit, poll=api.poll, interval=rhythm)


@duly.task("render.twice")
async def render_twice(ctx: Context) -> list[Any]:
    one = await ctx.track("film", submit=api.submit, poll=api.poll)
    return [one["id"], (await ctx.track("film", submit=api.submit, poll=api.poll))["id"]]


@duly.task("render.side.by.side")
async def render_side_by_side(ctx: Context) -> list[Any]:
    films = (ctx.track(name, submit=api.submit, poll=api.poll) for name in ("film", "trailer"))
    return [one["id"] for one in await asyncio.gather(*films)]


@duly.task("render.in.a.thread")
def render_in_a_thread(ctx: BlockingContext) -> Any:
    return ctx.track("film", submit=api.submit_here, poll=api.poll_here)


@duly.task("count.down")
async def count_down(ctx: Context) -> Any:
    """Neither the id nor the answers are of the usual shape."""
    left = iter((Retry(after=7), 2, 1, 0))

    def poll(id_: int) -> int:
        assert id_ == 7
        found = _polls.setdefault(ctx.task_id, left)
        value = next(found)
        if isinstance(value, Exception):
            raise value
        return int(value)

    return await ctx.track("count", submit=lambda _: 7, poll=poll, final=lambda left: left == 0)


_polls: dict[str, Any] = {}


@duly.task("refuses")
async def refuses(ctx: Context, how: str) -> Any:
    def poll(_: Any) -> Any:
        if how == "fail":
            raise Fail("film_lost", "The vendor has lost it.")
        return {"shape": "unknown"}

    wrong: dict[str, Any] = {
        "id": {"submit": lambda _: {"id": 1}},
        "interval": {"interval": -1},
        "text": {"interval": "1"},
        "name": {"key": "x" * 38},
        "timeout": {"timeout": -1},
    }
    how_then = {"submit": lambda _: "x", "poll": poll, **wrong.get(how, {})}
    return await ctx.track("a-film-with-a-long-name", **how_then)


@duly.task("says.where")
async def says_where(ctx: Context) -> Any:
    return await ctx.track("film", submit=lambda job: job.callback_url, poll=lambda _: None)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """A vendor on a socket of this host; the handlers speak to it."""
    async with Vendor() as one:
        api.url = one.url
        yield one


@pytest.fixture
async def harness(tmp_path: Path, vendor: Vendor) -> AsyncIterator[Harness]:
    """Duly, as vendors reach it under its public address."""
    async with testing.harness(duly, tmp_path, public_url=PUBLIC) as one:
        yield one


@pytest.fixture
async def outside(harness: Harness) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without credentials; the public address leads to the API."""
    inner = create_api(harness.app)

    async def proxied(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "path": scope["path"].removeprefix("/duly")}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=proxied)) as client:
        yield client


async def tracking(harness: Harness, kind: str = "render") -> str:
    """A task that waits for its film."""
    task = await harness.submit(kind)
    await harness.run_until_idle()
    await harness.assert_status(task.id, Status.WAITING)
    return task.id


async def said(harness: Harness, id_: str) -> list[Any]:
    """What the timeline says of the job."""
    return [event.data for event in await harness.events(id_) if event.type == "job"]


async def test_a_job_is_polled_until_it_is_over(harness: Harness, vendor: Vendor) -> None:
    """The task holds no worker meanwhile; the final answer is the result, and the id is kept and shown."""
    id_ = await tracking(harness)
    assert (await harness.task(id_)).worker_id is None
    await harness.advance(15)
    await harness.assert_status(id_, Status.WAITING)
    vendor.ends(seconds=90)
    await harness.advance(30)
    assert await harness.assert_completed(id_) == {"id": "job-1", "status": "succeeded", "seconds": 90}
    assert vendor.asked == ["POST /jobs", "GET /jobs/job-1", "GET /jobs/job-1"]
    assert [(one["did"], one["external_id"]) for one in await said(harness, id_)] == [
        ("submitted", "job-1"),
        ("answered", "job-1"),
    ]


async def test_a_callback_comes_first(harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient) -> None:
    """Its body is the answer; nobody has to poll. The vendor needs no credentials but the address."""
    id_ = await tracking(harness)
    answer = await vendor.calls_back(outside, status="succeeded", by="callback")
    assert (answer.status_code, answer.json()) == (200, {"kept": True})
    await harness.assert_status(id_, Status.PENDING)
    await harness.run_until_idle()
    assert await harness.assert_completed(id_) == {"status": "succeeded", "by": "callback"}
    assert vendor.asked == ["POST /jobs"]
    assert (await vendor.calls_back(outside, status="succeeded")).json() == {"kept": False}


async def test_what_is_not_final_ends_nothing(
    harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient
) -> None:
    """A callback on the way is a line of the timeline; the next poll comes when it would have come."""
    id_ = await tracking(harness)
    due_at = (await harness.task(id_)).due_at
    for words in ({"status": "running"}, {"no": "status"}):
        await vendor.calls_back(outside, **words)
        await harness.run_until_idle()
        assert (await harness.assert_status(id_, Status.WAITING)).due_at == due_at
    assert [one["did"] for one in await said(harness, id_)] == ["submitted", "not_final", "not_final"]
    assert vendor.asked == ["POST /jobs"]
    await vendor.calls_back(outside, status="failed", reason="no disk")
    await harness.run_until_idle()
    assert await harness.assert_completed(id_) == {"status": "failed", "reason": "no disk"}


async def test_a_callback_that_comes_again_is_one(
    harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient
) -> None:
    """Vendors repeat what was not answered; the first final answer stands, whatever comes after it."""
    id_ = await tracking(harness)
    for by in ("first", "first", "second"):
        await vendor.calls_back(outside, status="succeeded", by=by)
    vendor.ends(by="poll")
    await harness.advance(60)
    assert (await harness.assert_completed(id_))["by"] == "first"
    assert [one["did"] for one in await said(harness, id_)] == ["submitted", "answered"]
    assert len(await harness.rows("signal", id_)) == 2


async def test_polls_grow_rarer(harness: Harness, vendor: Vendor) -> None:
    """From about ten seconds to five minutes, each a little early or late, the same in each process."""
    id_ = await tracking(harness)
    vendor.breaks = [200, 503, 200, 503]
    gaps = []
    for _ in range(25):
        due_at = (await harness.task(id_)).due_at or 0
        gaps.append((due_at - harness.clock.now_ms()) / 1000)
        await harness.advance(gaps[-1])
    assert 9 <= gaps[0] <= 11
    assert all(after > before for before, after in pairwise(gaps[:8]))
    assert max(gaps) <= 300
    assert min(gaps[10:]) >= 270
    assert vendor.asked.count("GET /jobs/job-1") == 25
    types = [event.type for event in await harness.events(id_)]
    assert (types.count("compacted"), types.count("started")) == (1, 20)


async def test_a_poll_that_fails_is_tried_again(harness: Harness, vendor: Vendor) -> None:
    """By the next poll; nothing is charged, and `why` says what went wrong."""
    id_ = await tracking(harness)
    vendor.breaks = [503, 503]
    for _ in range(2):
        await harness.advance(30)
    texts = [one.text_en for one in (await why(harness.app.database, id_, now_ms=START_MS + 60_000)).reasons]
    assert texts[0].startswith("It waits for the external job job-1 (film), polled again at 2027-01-15 08:01")
    assert "The last 2 polls of job-1 failed: HTTPStatusError" in texts[1]
    vendor.ends()
    await harness.advance(60)
    await harness.assert_completed(id_)
    assert (await harness.task(id_)).retry_count == 0
    assert [one["did"] for one in await said(harness, id_)] == ["submitted", "poll_failed", "answered"]


async def test_polls_that_fail_too_often_fail_the_attempt(harness: Harness, vendor: Vendor) -> None:
    """`Polling.patience` in a row are forgiven; then it is the task's policy that counts."""
    id_ = await tracking(harness, "render.strictly")
    vendor.breaks = [503, 503, 503]
    await harness.advance(60)
    await harness.assert_status(id_, Status.WAITING)
    await harness.advance(60)
    assert (await harness.assert_status(id_, Status.RETRY)).retry_count == 1
    for _ in range(2):
        await harness.advance(60)
    assert "503" in ((await harness.assert_failed(id_, "handler_error")).error or "")
    assert vendor.asked.count("POST /jobs") == 1


async def test_fail_is_for_good(harness: Harness) -> None:
    """A poll that knows better than to try again says so; so does an answer that nobody can judge."""
    for how, code in (("fail", "film_lost"), ("shape", "invalid_input")):
        task = await harness.submit("refuses", {"how": how})
        await harness.run_until_idle()
        await harness.advance(20)
        await harness.assert_failed(task.id, code)


@pytest.mark.parametrize("how", ["id", "interval", "text", "name", "timeout"])
async def test_a_job_that_makes_no_sense_is_refused(harness: Harness, how: str) -> None:
    """For good: another attempt would say the same."""
    task = await harness.submit("refuses", {"how": how})
    await harness.run_until_idle()
    await harness.assert_failed(task.id, "invalid_input")


async def test_a_job_that_does_not_end_in_time(harness: Harness, vendor: Vendor) -> None:
    """It is polled once more at the deadline, then cancelled; the error is a clear one, and stands."""
    id_ = await tracking(harness, "render.in.time")
    for _ in range(60):
        await harness.advance(60)
    task = await harness.assert_failed(id_, "track_timeout")
    assert "job-1 (film)" in (task.error or "")
    assert vendor.asked[-2:] == ["GET /jobs/job-1", "DELETE /jobs/job-1"]
    assert (await said(harness, id_))[-1]["did"] == "timed_out"
    await harness.app.client.retry(id_)
    await harness.run_until_idle()
    await harness.assert_failed(id_, "track_timeout")
    assert vendor.asked.count("DELETE /jobs/job-1") == 1


async def test_the_last_poll_may_still_bring_the_answer(harness: Harness, vendor: Vendor) -> None:
    """Also when nobody could poll for hours."""
    id_ = await tracking(harness, "render.in.time")
    vendor.ends()
    await harness.advance(10_000)
    await harness.assert_completed(id_)


async def test_a_timeout_can_be_caught(harness: Harness, vendor: Vendor) -> None:
    """It is a `TimeoutError`, at the moment that was named; a later round hears the same."""
    id_ = await tracking(harness, "render.until")
    for _ in range(60):
        await harness.advance(60)
    vendor.ends()
    await harness.advance(60)
    assert await harness.assert_completed(id_) == "TrackTimeout"


async def test_two_jobs_of_one_name_are_two(
    harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient
) -> None:
    """Each has its own key, its own address, its own answer."""
    id_ = await tracking(harness, "render.twice")
    vendor.ends("job-1")
    await harness.advance(20)
    await harness.assert_status(id_, Status.WAITING)
    assert len({vendor.jobs[job]["callback_url"] for job in ("job-1", "job-2")}) == 2
    assert (await vendor.calls_back(outside, "job-1", status="succeeded")).json() == {"kept": False}
    vendor.ends("job-2")
    await harness.advance(20)
    assert await harness.assert_completed(id_) == ["job-1", "job-2"]


async def test_jobs_are_tracked_side_by_side(
    harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient
) -> None:
    """The task waits for whichever is next; each job is submitted once and polled in its own rhythm."""
    id_ = await tracking(harness, "render.side.by.side")
    texts = [one.text_en for one in (await why(harness.app.database, id_, now_ms=START_MS)).reasons]
    assert [text.partition(" polled")[0] for text in texts[:2]] == [
        "It waits for the external job job-1 (film),",
        "It waits for the external job job-2 (trailer),",
    ]
    await vendor.calls_back(outside, "job-2", id="job-2", status="done")
    await harness.run_until_idle()
    await harness.assert_status(id_, Status.WAITING)
    vendor.ends("job-1")
    await harness.advance(12)
    assert await harness.assert_completed(id_) == ["job-1", "job-2"]
    assert sorted(vendor.asked) == ["GET /jobs/job-1", "POST /jobs", "POST /jobs"]


async def test_plain_handlers_track_too(
    harness: Harness, vendor: Vendor, outside: httpx2.AsyncClient
) -> None:
    """With plain functions; the thread is free meanwhile."""
    id_ = await tracking(harness, "render.in.a.thread")
    await harness.advance(20)
    await harness.assert_status(id_, Status.WAITING)
    await vendor.calls_back(outside, status="succeeded")
    await harness.run_until_idle()
    assert await harness.assert_completed(id_) == {"status": "succeeded"}


async def test_ids_and_answers_are_any_json(harness: Harness) -> None:
    """`final` reads them. `Retry(after=…)` says when to poll again."""
    id_ = await tracking(harness, "count.down")
    await harness.advance(12)
    assert (await harness.task(id_)).due_at == START_MS + 12_000 + 7_000
    for _ in range(3):
        await harness.advance(60)
    assert await harness.assert_completed(id_) == 0


async def test_without_a_public_address_there_is_no_callback(tmp_path: Path) -> None:
    """Whoever asks for one is told which setting is missing."""
    async with testing.harness(duly, tmp_path) as one:
        task = await one.submit("says.where")
        await one.run_until_idle()
        assert "public_url" in ((await one.assert_failed(task.id, "public_url_missing")).error or "")
