"""Limits over HTTP: set, look, clear; and what is no limit is the caller's mistake."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site


async def test_a_limit_holds_from_its_answer_on_until_it_is_cleared(site: Site) -> None:
    """The answers say what it allows, how much is taken, whom it blocks and whose word it is."""
    async with site.admin as admin:
        for _ in range(3):
            await site.submitted(admin)
        said = {"concurrency": 1, "rate": "100/m", "by": "ann"}
        put = (await admin.put("/api/limits/queue/default", json=said)).json()
        assert (put["concurrency"], put["rate"], put["changed_by"]) == (1, "100/m", "ann")
        assert len(await site.claim()) == 1
        [listed] = (await admin.get("/api/limits")).json()["limits"]
        assert (listed["name"], listed["running"], listed["blocked"]) == ("queue/default", 1, 2)
        cleared = (await admin.delete("/api/limits/queue/default")).json()
        assert (cleared["concurrency"], cleared["rate"], cleared["changed_at"]) == (None, None, None)
        assert len(await site.claim()) == 2


async def test_what_is_not_said_stays_as_it_was(site: Site) -> None:
    """A second word about the rate leaves the number of tasks."""
    async with site.admin as admin:
        await admin.put("/api/limits/type/demo", json={"concurrency": 2})
        again = (await admin.put("/api/limits/type/demo", json={"rate": "1/15s"})).json()
    assert (again["concurrency"], again["rate"]) == (2, "1/15s")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("nonsense", {"concurrency": 1}),
        ("key/demo", {"concurrency": 1}),
        ("queue/default", {"concurrency": -1}),
        ("queue/default", {"concurrency": "many"}),
        ("queue/default", {"rate": "fast"}),
        ("queue/default", {"rate": "0/s"}),
        ("queue/default", {"speed": 1}),
        ("queue/*", {"concurrency": 1}),
    ],
)
async def test_what_is_no_limit_is_refused(site: Site, name: str, body: dict[str, Any]) -> None:
    """With what to write in its place, and nothing is set."""
    async with site.admin as admin:
        answer = await admin.put(f"/api/limits/{name}", json=body)
        listed = (await admin.get("/api/limits")).json()["limits"]
    assert (answer.status_code, listed) == (422, [])


async def test_an_unknown_limit_is_not_found(site: Site) -> None:
    """Neither to look at nor to clear."""
    async with site.admin as admin:
        answers = [await admin.request(method, "/api/limits/queue/x") for method in ("GET", "DELETE")]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "limit_not_found")] * 2


@pytest.mark.parametrize(("name", "status"), [("queue/default", 503), ("owner/*", 429)])
async def test_beyond_a_quota_a_submit_is_told_when_to_come_again(site: Site, name: str, status: int) -> None:
    """429 for an owner's quota, 503 for a full queue, both with `Retry-After`."""
    async with site.admin as admin:
        await admin.put(f"/api/limits/{name}", json={"waiting": 0})
        answer = await admin.post("/api/tasks", json={"task_type": "echo", "owner": "ann"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "5")
    assert answer.json()["code"] in ("queue_full", "quota_exceeded")


@pytest.mark.parametrize(("name", "status"), [("queue/default", 503), ("owner/*", 429)])
async def test_a_batch_beyond_a_quota_is_told_so_too(site: Site, name: str, status: int) -> None:
    """It counts as often as it has members, and is accepted or refused as a whole."""
    async with site.admin as admin:
        await admin.put(f"/api/limits/{name}", json={"waiting": 3})
        batch = {"tasks": [{"task_type": "echo"}] * 2, "owner": "ann"}
        first = await admin.post("/api/batches", json=batch)
        answer = await admin.post("/api/batches", json=batch)
    assert first.status_code == 202
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "5")


@pytest.mark.parametrize(
    ("name", "whose"),
    [("queue/default", "the queue default"), ("owner/*", "this owner"), ("tenant/*", "this tenant")],
)
async def test_a_batch_larger_than_a_quota_need_not_come_again(site: Site, name: str, whose: str) -> None:
    """422 without `Retry-After`: how many it holds and how many may wait, in both languages."""
    async with site.admin as admin:
        await admin.put(f"/api/limits/{name}", json={"waiting": 2})
        batch = {"tasks": [{"task_type": "echo"}] * 3, "owner": "ann"}
        answer = await admin.post("/api/batches", json=batch)
        chinese = await admin.post("/api/batches", json=batch, headers={"Accept-Language": "zh"})
    said = answer.json()
    assert (answer.status_code, said["code"]) == (422, "batch_too_large")
    assert "Retry-After" not in answer.headers
    assert said["detail"].startswith(f"the batch holds 3 tasks and the quota of {whose} is 2: ")
    assert chinese.json()["title"] == "批量任务超过配额"
    assert chinese.json()["detail"] == "该批量任务有 3 个任务，而配额只有 2 个，永远无法接受，请拆分后提交。"
