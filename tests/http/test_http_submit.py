"""POST /api/tasks: answer or acknowledge, what a body may say, and one task per idempotency key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from site_under_test import MakeSite, Site

from duly.clock import parse_iso
from duly.model.task import Task


async def test_a_task_is_acknowledged_at_once(site: Site) -> None:
    """Without a preference the answer is 202 with the task's address and a hint when to ask."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo", "input": {"x": 1}})
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/api/tasks/{answer.json()['id']}"
        assert int(answer.headers["retry-after"]) >= 1
        assert "Prefer" in answer.headers["vary"]
        assert "preference-applied" not in answer.headers
        looked = await ann.get(answer.headers["location"])
        assert (looked.status_code, looked.json()) == (200, answer.json())


async def test_the_acknowledged_task_has_the_documented_shape(site: Site) -> None:
    """The fields of the wire shape are there from the start, with the caller as owner."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann, input={"x": 1}, metadata={"source": "text"}, tags=["a"], priority=7)
    wanted = {"task_type": "echo", "status": "pending", "retry_count": 0, "max_retries": 3, "owner": "ann"}
    wanted |= {
        "metadata": {"source": "text"},
        "tags": ["a"],
        "priority": 7,
        "result": None,
        "started_at": None,
    }
    assert {key: task[key] for key in wanted} == wanted
    assert task["created_at"].endswith("Z")


async def test_waiting_answers_with_the_result_when_the_task_ends_in_time(site: Site) -> None:
    """`Prefer: wait=N` gives 200 with the result when the end comes within N seconds."""
    async with site.user("ann") as ann:
        body = {"task_type": "echo", "input": {}}
        posting = asyncio.create_task(ann.post("/api/tasks", json=body, headers={"Prefer": "wait=20"}))
        await site.accepted()
        await site.finish({"y": 2})
        answer = await posting
    assert (answer.status_code, answer.json()["result"]) == (200, {"y": 2})
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.headers["content-location"] == f"/api/tasks/{answer.json()['id']}"


async def test_waiting_acknowledges_when_the_task_does_not_end_in_time(make_site: MakeSite) -> None:
    """When the time is over the answer is 202, and says the wait that was applied: the capped one."""
    site = await make_site(wait_limit=0.05)
    async with site.user("ann") as ann:
        headers = {"Prefer": "respond-async, wait=30"}
        answer = await ann.post("/api/tasks", json={"task_type": "echo"}, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.headers["preference-applied"] == "respond-async, wait=0.05"


async def test_a_task_that_ends_at_once_is_acknowledged_like_any_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who did not ask to wait gets 202 and an address, however quick the worker was."""
    submit = site.app.client.submit

    async def quick(*arguments: Any) -> Task:
        task = await submit(*arguments)
        await site.finish({"y": 2})
        return await site.app.client.get(task.id)

    monkeypatch.setattr(site.app.client, "submit", quick)
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo"})
    assert (answer.status_code, answer.json()["status"]) == (202, "completed")
    assert answer.headers["location"] == f"/api/tasks/{answer.json()['id']}"


async def test_respond_async_alone_does_not_wait(site: Site) -> None:
    """`respond-async` without a wait is acknowledged at once."""
    async with site.user("ann") as ann:
        headers = {"Prefer": "respond-async"}
        answer = await ann.post("/api/tasks", json={"task_type": "echo"}, headers=headers)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")


async def test_a_wait_ends_when_the_server_stops(site: Site) -> None:
    """A caller who waits is acknowledged at once when the server begins to drain."""
    async with site.user("ann") as ann:
        headers = {"Prefer": "wait=60"}
        posting = asyncio.create_task(ann.post("/api/tasks", json={"task_type": "echo"}, headers=headers))
        await site.accepted()
        site.api.state.stopping.set()
        async with asyncio.timeout(5):
            answer = await posting
    assert answer.status_code == 202


async def test_a_due_task_says_when_it_is_worth_asking(site: Site) -> None:
    """A scheduled task's Retry-After is the time until it is due."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo", "due": 120})
    assert answer.json()["status"] == "scheduled"
    assert 100 <= int(answer.headers["retry-after"]) <= 120


async def test_unknown_keys_are_named(site: Site) -> None:
    """A misspelt key is refused with its name and place, not ignored."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo", "prioirty": 3, "a/b": 1})
    problem = answer.json()
    assert answer.status_code == 422
    assert {one["pointer"] for one in problem["errors"]} == {"#/prioirty", "#/a~1b"}
    assert "prioirty: unknown key" in problem["detail"]


async def test_null_is_as_good_as_absent(site: Site) -> None:
    """Every optional key may be null."""
    names = ("input", "priority", "due", "deadline", "timeout", "max_retries", "unique", "tags", "metadata")
    names += ("deliver", "queue", "owner", "tenant", "idempotency_key", "result_ttl")
    async with site.user("ann") as ann:
        task = await site.submitted(ann, **dict.fromkeys(names))
    assert (task["priority"], task["max_retries"], task["queue"]) == (5, 3, "default")


async def test_how_long_it_is_kept_is_said_once_it_has_ended(site: Site) -> None:
    """The request asks for seconds, the answer names the moment; less than a minute is refused."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann, result_ttl=3600)
        assert task["expires_at"] is None
        ended = (await ann.delete(f"/api/tasks/{task['id']}")).json()
        kept = parse_iso(ended["expires_at"]) - parse_iso(ended["completed_at"])
        short = await ann.post("/api/tasks", json={"task_type": "echo", "result_ttl": 5})
    assert kept == 3_600_000
    assert (short.status_code, short.json()["code"]) == (422, "invalid_input")


async def test_fifty_posts_with_one_key_are_one_task(site: Site) -> None:
    """Of 50 concurrent posts with one key each gets the same task, and one row exists."""
    async with site.user("ann") as ann:
        headers = {"Idempotency-Key": '"8e03978e-40d5"'}
        body = {"task_type": "echo", "input": {"x": 1}}
        posts = [ann.post("/api/tasks", json=body, headers=headers) for _ in range(50)]
        answers = await asyncio.gather(*posts)
        listed = (await ann.get("/api/tasks")).json()["tasks"]
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {listed[0]["id"]}
    assert len(listed) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 49


@pytest.mark.parametrize(
    ("first", "second"),
    [('"key"', "key"), ('"a\\"b"', '"a\\"b"'), ("key", '"key";v=1')],
)
async def test_a_key_is_the_same_quoted_and_bare(site: Site, first: str, second: str) -> None:
    """A structured-field string and a bare word spell the same key."""
    async with site.user("ann") as ann:
        body = {"task_type": "echo"}
        one = await ann.post("/api/tasks", json=body, headers={"Idempotency-Key": first})
        two = await ann.post("/api/tasks", json=body, headers={"Idempotency-Key": second})
    assert one.json()["id"] == two.json()["id"]
    assert ("idempotency-replayed" in one.headers, "idempotency-replayed" in two.headers) == (False, True)


async def test_a_key_with_another_body_is_a_conflict(site: Site) -> None:
    """The same key with another input is 422 with its own code."""
    async with site.user("ann") as ann:
        headers = {"Idempotency-Key": "k"}
        await ann.post("/api/tasks", json={"task_type": "echo", "input": {"x": 1}}, headers=headers)
        answer = await ann.post("/api/tasks", json={"task_type": "echo", "input": {"x": 2}}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")


async def test_the_key_may_stand_in_the_body(site: Site) -> None:
    """The body's idempotency_key and the header are one thing; two that differ are refused."""
    async with site.user("ann") as ann:
        one = await site.submitted(ann, idempotency_key="k")
        body = {"task_type": "echo", "idempotency_key": "k"}
        two = await ann.post("/api/tasks", json=body, headers={"Idempotency-Key": '"k"'})
        bad = await ann.post("/api/tasks", json=body, headers={"Idempotency-Key": "other"})
    assert (two.json()["id"], bad.status_code) == (one["id"], 422)


@pytest.mark.parametrize("key", ["", '""', '" "', '"unclosed', "two words", 'a"b', '"tab\there"'])
async def test_an_idempotency_key_that_cannot_be_read_is_refused(site: Site, key: str) -> None:
    """A malformed key is 400: to ignore it would run the task twice."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_header")


async def test_two_idempotency_keys_are_refused(site: Site) -> None:
    """The header sent twice is 400, even with the same key."""
    headers = [*site.bearer("ann").items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    async with site.client() as client:
        answer = await client.post("/api/tasks", json={"task_type": "echo"}, headers=headers)
    assert answer.status_code == 400


async def test_a_key_belongs_to_its_owner(site: Site) -> None:
    """Two users with the same key have two tasks."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        one, two = [await site.submitted(who, idempotency_key="k") for who in (ann, bob)]
    assert one["id"] != two["id"]


async def test_a_unique_key_finds_the_living_task(site: Site) -> None:
    """The owner of the living task gets it again."""
    async with site.user("ann") as ann:
        one, two = [await site.submitted(ann, unique="nightly") for _ in range(2)]
    assert one["id"] == two["id"]


async def test_a_unique_key_does_not_show_another_owners_task(site: Site) -> None:
    """The same unique key from another user of the tenant is 409 and tells nothing of the task."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        task = await site.submitted(ann, unique="nightly")
        answer = await bob.post("/api/tasks", json={"task_type": "echo", "unique": "nightly"})
    assert (answer.status_code, answer.json()["code"]) == (409, "unique_taken")
    assert task["id"] not in answer.text


async def test_an_administrator_acts_for_any_owner(site: Site) -> None:
    """The body's owner and tenant say for whom; that user then sees the task."""
    async with site.admin as admin, site.user("ann", "acme") as ann:
        task = await site.submitted(admin, owner="ann", tenant="acme")
        assert (await ann.get(f"/api/tasks/{task['id']}")).json()["owner"] == "ann"


@pytest.mark.parametrize("other", [{"owner": "bob"}, {"tenant": "acme"}, {"owner": ""}])
async def test_a_user_cannot_act_for_another(site: Site, other: dict[str, str]) -> None:
    """A user who names another owner or tenant is refused; his own name is fine."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", json={"task_type": "echo", **other})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert (await site.submitted(ann, owner="ann", tenant=""))["owner"] == "ann"
