"""/metrics/scale: what an autoscaler is told, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site

from support.cluster import until


async def test_an_autoscaler_is_told_how_many_workers_to_want(site: Site) -> None:
    """Per queue and in total: due and running tasks, by a worker's slots; zeros for one that is named."""
    async with site.admin as admin:
        for _ in range(5):
            assert (await admin.post("/api/tasks", json={"task_type": "echo"})).status_code == 202
        said = (await admin.get("/metrics/scale", params={"slots": 2, "queues": "default,slow"})).json()
    queue = said["queues"]["default"]
    assert (queue["queued"], queue["running"], queue["slots"], queue["desired"]) == (5, 0, 2, 3)
    assert queue["oldest_due_s"] >= 0
    empty = {
        "queued": 0,
        "running": 0,
        "blocked": 0,
        "waiting": 0,
        "oldest_due_s": 0.0,
        "slots": 2,
        "desired": 0,
    }
    assert said["queues"]["slow"] == {**empty, "paused": False}
    assert said["total"] == {"overdue": False} | {word: queue[word] for word in empty}


async def test_one_worker_is_wanted_when_the_clock_has_something_to_do(site: Site) -> None:
    """Where nobody works: a task with a time of its own is not forgotten by a fleet of none."""
    async with site.admin as admin:
        due = {"task_type": "echo", "due": 0.01}
        assert (await admin.post("/api/tasks", json=due)).status_code == 202
        said: dict[str, Any] = {}

        async def late() -> bool:
            said.update((await admin.get("/metrics/scale")).json()["total"])
            return bool(said["overdue"])

        await until(late, 10)
    assert (said["queued"], said["desired"]) == (0, 1)


@pytest.mark.parametrize("query", [{"slots": 0}, {"slots": "x"}, {"queues": "no such name!"}, {"queues": ""}])
async def test_a_bad_question_is_a_problem(site: Site, query: dict[str, str]) -> None:
    """In words."""
    async with site.admin as admin:
        answer = await admin.get("/metrics/scale", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_only_administrators_are_told(site: Site) -> None:
    """As other numbers of all owners."""
    async with site.user("ann") as ann:
        assert (await ann.get("/metrics/scale")).status_code == 403
