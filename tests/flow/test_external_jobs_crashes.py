"""External jobs whose process is killed: at the vendor there is one job, and its answer is kept once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from duly import Context, Duly, Status, testing
from duly.failpoints import VARIABLE
from duly.http import create_api
from duly.model.job import Job
from duly.testing import Harness
from support.vendor import Vendor

PUBLIC = "https://tasks.example"
duly = Duly()


@duly.task("render", isolate=True)
async def render(ctx: Context, vendor: str) -> Any:
    async with httpx2.AsyncClient(base_url=vendor) as http:

        async def submit(job: Job) -> str:
            wanted, headers = {"callback_url": job.callback_url}, {"Idempotency-Key": job.key}
            return str((await http.post("/jobs", json=wanted, headers=headers)).json()["id"])

        async def poll(id_: str) -> Any:
            return (await http.get(f"/jobs/{id_}")).json()

        return await ctx.track("film", submit=submit, poll=poll)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as one:
        yield one


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    async with testing.harness(duly, tmp_path, public_url=PUBLIC) as one:
        yield one


@pytest.mark.parametrize(
    ("place", "submits", "polls"), [("job.submitted", 2, 1), ("job.recorded", 1, 1), ("job.polled", 1, 2)]
)
async def test_a_kill_costs_nothing_twice(
    harness: Harness,
    vendor: Vendor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
    submits: int,
    polls: int,
) -> None:
    """Before the id is kept the job is asked for again, with the same key; after it never."""
    monkeypatch.setenv(VARIABLE, f"{place}=kill?{tmp_path / 'once'}")
    task = await harness.submit("render", {"vendor": vendor.url})
    await harness.run_until_idle()
    for _ in range(3):
        if vendor.jobs:
            vendor.ends()
        await harness.advance(60)
    assert await harness.assert_completed(task.id) == {"id": "job-1", "status": "succeeded"}
    assert len(vendor.jobs) == 1
    assert vendor.asked == ["POST /jobs"] * submits + ["GET /jobs/job-1"] * polls
    lines = [event.data["did"] for event in await harness.events(task.id) if event.type == "job"]
    assert lines == ["submitted", "answered"]
    assert (await harness.task(task.id)).retry_count == 1


async def test_the_address_that_the_vendor_has_works_after_a_kill(
    harness: Harness, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A vendor that deduplicates keeps the first one, from the attempt that was killed."""
    monkeypatch.setenv(VARIABLE, f"job.submitted=kill?{tmp_path / 'once'}")
    task = await harness.submit("render", {"vendor": vendor.url})
    await harness.run_until_idle()
    await harness.advance(5)
    await harness.assert_status(task.id, Status.WAITING)
    assert vendor.asked == ["POST /jobs"] * 2
    transport = httpx2.ASGITransport(app=create_api(harness.app))
    async with httpx2.AsyncClient(transport=transport) as outside:
        assert (await vendor.calls_back(outside, status="succeeded")).json() == {"kept": True}
    await harness.run_until_idle()
    assert await harness.assert_completed(task.id) == {"status": "succeeded"}


async def test_a_job_outlives_the_process_that_submitted_it(tmp_path: Path, vendor: Vendor) -> None:
    """Another worker polls on; nothing is submitted twice."""
    async with testing.harness(duly, tmp_path, public_url=PUBLIC) as first:
        task = await first.submit("render", {"vendor": vendor.url})
        await first.run_until_idle()
    vendor.ends()
    async with testing.harness(duly, tmp_path, public_url=PUBLIC) as second:
        await second.advance(60)
        await second.assert_completed(task.id)
    assert vendor.asked == ["POST /jobs", "GET /jobs/job-1"]
