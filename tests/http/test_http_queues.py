"""Queues over HTTP: look, pause, resume, purge; many tasks at once: retry and move."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site

from duly.model.state import Status


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(site: Site) -> None:
    """The answer to the pause says since when, by whom and why; then no claim starts a task."""
    async with site.admin as admin:
        await site.submitted(admin)
        said = {"by": "ann", "reason": "the model is down"}
        paused = (await admin.post("/api/queues/default/pause", json=said)).json()
        assert (paused["paused"], paused["paused_by"], paused["reason"]) == (True, *said.values())
        assert paused["paused_at"].endswith("Z")
        assert await site.claim() == []
        resumed = (await admin.post("/api/queues/default/resume")).json()
    assert (resumed["paused"], resumed["paused_at"], resumed["tasks"]["pending"]) == (False, None, 1)
    assert len(await site.claim()) == 1


async def test_a_pause_needs_no_words(site: Site) -> None:
    """A POST without a body is enough."""
    async with site.admin as admin:
        await site.submitted(admin)
        answer = await admin.post("/api/queues/default/pause")
    assert (answer.status_code, answer.json()["paused_by"]) == (200, None)


async def test_queues_are_listed_with_their_tasks(site: Site) -> None:
    """Those that workers serve and those that hold tasks."""
    async with site.admin as admin:
        await site.submitted(admin)
        await site.submitted(admin, task_type="other")
        await site.finish(target=Status.FAILED)
        listed = (await admin.get("/api/queues")).json()["queues"]
        one = (await admin.get("/api/queues/side")).json()
    assert [(queue["name"], queue["tasks"]["failed"]) for queue in listed] == [("default", 1), ("side", 1)]
    assert one == listed[1]


@pytest.mark.parametrize("path", ["", "/pause", "/resume", "/purge"])
async def test_an_unknown_queue_is_not_found(site: Site, path: str) -> None:
    """A slip of the pen pauses nothing; the detail names those there are."""
    async with site.admin as admin:
        await site.submitted(admin)
        body = {"confirm": "defualt"} if path == "/purge" else None
        answer = await admin.request("POST" if path else "GET", f"/api/queues/defualt{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "queue_not_found")
    assert "there are: default" in answer.json()["detail"]


async def test_a_purge_wants_the_name_again(site: Site) -> None:
    """It cannot be undone: without the confirmation, or with another's name, nothing is cancelled."""
    async with site.admin as admin:
        task = await site.submitted(admin)
        for body in ({}, {"confirm": "side"}, {"confirm": True}):
            assert (await admin.post("/api/queues/default/purge", json=body)).status_code == 422
        assert (await admin.get(f"/api/tasks/{task['id']}")).json()["status"] == "pending"
        done = await admin.post("/api/queues/default/purge", json={"confirm": "default"})
        assert done.json() == {"cancelled": 1, "more": False}
        assert (await admin.get(f"/api/tasks/{task['id']}")).json()["status"] == "cancelled"


async def test_a_purge_takes_the_states_it_is_told(site: Site) -> None:
    """And says when its limit left some."""
    async with site.admin as admin:
        for _ in range(2):
            await site.submitted(admin, due=3600)
        later = {"confirm": "default", "statuses": ["pending"]}
        assert (await admin.post("/api/queues/default/purge", json=later)).json()["cancelled"] == 0
        some = {"confirm": "default", "statuses": ["scheduled"], "limit": 1}
        answer = (await admin.post("/api/queues/default/purge", json=some)).json()
    assert answer == {"cancelled": 1, "more": True}


@pytest.mark.parametrize("status", ["running", "failed", "completed", "nonsense"])
async def test_a_purge_of_what_cannot_be_cancelled_is_refused(site: Site, status: str) -> None:
    """What runs is cancelled one by one; what has ended is left to retention."""
    async with site.admin as admin:
        await site.submitted(admin)
        body = {"confirm": "default", "statuses": [status]}
        answer = await admin.post("/api/queues/default/purge", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_failed_tasks_are_retried_by_filter(site: Site) -> None:
    """Those that fit, counted; the others stay."""
    async with site.admin as admin:
        await site.submitted(admin)
        await site.submitted(admin, task_type="other")
        await site.finish(target=Status.FAILED)
        found = (await admin.get("/api/tasks?status=failed&error_code=handler_error&task_type=other")).json()
        assert len(found["tasks"]) == 1
        where = {"error_code": "handler_error", "task_type": "other"}
        answer = await admin.post("/api/tasks/retry", json={"where": where})
        assert answer.json() == {"retried": 1, "more": False}
        assert (await admin.get("/api/tasks/stats")).json()["stats"]["failed"] == 1


@pytest.mark.parametrize("name", ["retry", "move"])
async def test_tasks_must_be_chosen(site: Site, name: str) -> None:
    """All tasks are never meant by saying nothing, not even all of one user's."""
    async with site.user("ann") if name == "retry" else site.admin as caller:
        await site.submitted(caller)
        await site.finish(target=Status.FAILED)
        for body in ({}, {"where": {}}, {"where": {}, "ids": []}, {"where": {"status": None}}):
            answer = await caller.post(f"/api/tasks/{name}", json={**body, "limit": 5})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
        assert (await caller.get("/api/tasks/stats")).json()["stats"]["failed"] == 1


async def test_a_user_retries_his_own_only(site: Site) -> None:
    """Another user's failed tasks do not fit his filter."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        hers = await site.submitted(ann)
        await site.submitted(bob)
        await site.finish(target=Status.FAILED)
        where = {"status": "failed"}
        assert (await bob.post("/api/tasks/retry", json={"where": where})).json()["retried"] == 1
        answer = await bob.post("/api/tasks/retry", json={"where": where, "ids": [hers["id"]]})
        assert answer.json()["retried"] == 0
        assert (await ann.get(f"/api/tasks/{hers['id']}")).json()["status"] == "failed"


async def test_since_is_the_moment_of_the_end(site: Site) -> None:
    """What ended before it is not listed and not retried."""
    async with site.admin as admin:
        await site.submitted(admin)
        await site.finish(target=Status.FAILED)
        listed = (await admin.get("/api/tasks", params={"since": "2999-01-01T00:00:00Z"})).json()["tasks"]
        body = {"where": {"since": "2999-01-01T00:00:00Z"}}
        answer = (await admin.post("/api/tasks/retry", json=body)).json()
        wrong = await admin.get("/api/tasks", params={"since": "yesterday"})
    assert (listed, answer["retried"], wrong.status_code) == ([], 0, 422)


async def test_tasks_are_moved_by_filter_and_by_id(site: Site) -> None:
    """To another queue, to another priority, or both."""
    async with site.admin as admin:
        tasks = [await site.submitted(admin, tags=["big"]) for _ in range(2)]
        where = {"tag": "big"}
        answer = await admin.post("/api/tasks/move", json={"where": where, "queue": "side", "priority": 9})
        assert answer.json() == {"moved": 2, "more": False}
        body = {"ids": [tasks[0]["id"]], "priority": 2}
        assert (await admin.post("/api/tasks/move", json=body)).json()["moved"] == 1
        seen = [(await admin.get(f"/api/tasks/{task['id']}")).json() for task in tasks]
    assert [(task["queue"], task["priority"]) for task in seen] == [("side", 2), ("side", 9)]


@pytest.mark.parametrize(
    "to",
    [
        {},
        {"queue": ""},
        {"queue": "a b"},
        {"priority": 0},
        {"priority": 11},
        {"priority": 1e9},
        {"priority": "5"},
        {"queue": "side", "limit": 0},
        {"queue": "side", "limit": True},
        {"queue": "side", "where": {"status": "running"}},
        {"queue": "side", "where": {"colour": "red"}},
        {"queue": "side", "where": "all"},
        {"queue": "side", "ids": [7]},
    ],
)
async def test_a_move_that_cannot_be_is_refused(site: Site, to: dict[str, Any]) -> None:
    """422 with what is wrong, and nothing is moved."""
    async with site.admin as admin:
        await site.submitted(admin)
        answer = await admin.post("/api/tasks/move", json={"where": {"queue": "default"}, **to})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
