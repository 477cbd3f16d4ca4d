"""/api/bulk: a job on the caller's own tasks, accepted as any task is; moving is for operators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from site_under_test import Site

CANCEL: dict[str, Any] = {"action": "cancel", "where": {"status": "scheduled"}}


async def began(client: Any, **body: Any) -> tuple[int, Any]:
    answer = await client.post("/api/bulk", json=body)
    return answer.status_code, answer.json()


async def test_a_job_is_a_task_of_the_caller_about_his_own(site: Site) -> None:
    """Its filter is bound to him, whatever he says; its answer is a task's, and so is its place."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        for client in (ann, bob):
            await site.submitted(client, due=600)
        answer = await ann.post("/api/bulk", json={**CANCEL, "tags": ["clean"], "queue": "side"})
        task = answer.json()
        others = await began(ann, action="cancel", where={"owner": "bob"})
        hidden = await bob.get(f"/api/tasks/{task['id']}")
        [claimed] = await site.claim()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/tasks/{task['id']}")
    assert (task["task_type"], task["owner"], task["tags"], task["queue"]) == (
        *("duly.bulk", "ann"),
        *(["clean"], "side"),
    )
    assert (others[0], hidden.status_code) == (403, 404)
    where = json.loads(claimed.input)["where"]
    assert (where["owner"], where["tenant"], where["statuses"]) == ("ann", "", ["scheduled"])


async def test_one_key_begins_one_job(site: Site) -> None:
    """Sent again it is the same task; with other words a conflict."""
    async with site.user("ann") as ann:
        headers = {"Idempotency-Key": "once"}
        first = await ann.post("/api/bulk", json=CANCEL, headers=headers)
        again = await ann.post("/api/bulk", json=CANCEL, headers=headers)
        other = await ann.post("/api/bulk", json={**CANCEL, "ids": ["x"]}, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert (again.headers["idempotency-replayed"], other.status_code) == ("true", 422)


async def test_moving_is_for_operators(site: Site) -> None:
    """A user is refused; an administrator moves everybody's."""
    body = {"action": "move", "where": {"status": "pending"}, "to": {"queue": "side"}}
    async with site.user("ann") as ann, site.admin as admin:
        assert (await began(ann, **body))[0] == 403
        assert (await began(admin, **body))[0] == 202


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "cancel"},
        {"action": "cancel", "where": {}},
        {"action": "burn", "where": {"tag": "x"}},
        {"action": "cancel", "where": {"status": "failed"}},
        {"action": "cancel", "where": {"tag": "x"}, "to": {"queue": "side"}},
        {"action": "cancel", "where": {"tag": "x"}, "to": {"where": "side"}},
        {"action": "cancel", "where": {"tag": "x"}, "task_type": "echo"},
        {"action": "cancel", "where": {"tag": "x"}, "priority": "7"},
        {"action": "cancel", "where": {"tag": "x"}, "priority": 70},
        {"action": "cancel", "where": []},
    ],
    ids=str,
)
async def test_what_is_no_job_is_said(site: Site, body: Any) -> None:
    """422 at once, not a job that fails later."""
    async with site.user("ann") as ann:
        assert (await began(ann, **body))[0] == 422


async def test_a_job_is_not_submitted_as_a_task(site: Site) -> None:
    """Neither alone, nor in a batch, nor by a schedule: its input would name everybody's tasks."""
    task = {"task_type": "duly.bulk", "input": {"action": "cancel", "where": {"owner": "bob"}}}
    schedule = {"name": "nightly", "cron": "0 0 * * *", **task}
    async with site.user("ann") as ann:
        answers = [
            await ann.post("/api/tasks", json=task),
            await ann.post("/api/batches", json={"tasks": [task]}),
            await ann.post("/api/schedules", json=schedule),
        ]
    assert [answer.status_code for answer in answers] == [422] * 3
