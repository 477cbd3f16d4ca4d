"""Looking at tasks and steering them: one task, lists, counts, cancel, retry, why, the inbox."""

from __future__ import annotations

import asyncio

import pytest
from site_under_test import MakeSite, Site

from duly.model.state import Status


async def test_a_completed_task_shows_its_result(site: Site) -> None:
    """After the end: completed_at, the result, and how long it took."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann, input={"x": 1})
        await site.finish({"summary": "中标", "tabs": []})
        done = (await ann.get(f"/api/tasks/{task['id']}")).json()
    assert (done["status"], done["result"]) == ("completed", {"summary": "中标", "tabs": []})
    assert done["completed_at"].endswith("Z")
    assert done["metadata"]["duration_ms"] >= 0


async def test_an_error_is_told_in_the_callers_language(site: Site) -> None:
    """A failed task's error text follows Accept-Language; its code does not change."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        await site.finish(target=Status.FAILED)
        zh = await ann.get(f"/api/tasks/{task['id']}", headers={"Accept-Language": "zh-CN,en;q=0.5"})
        en = await ann.get(f"/api/tasks/{task['id']}")
    assert (en.json()["error"], zh.json()["error"]) == ("it broke", "处理程序出错：it broke")
    assert zh.json()["error_code"] == en.json()["error_code"] == "handler_error"
    assert "Accept-Language" in zh.headers["vary"]


async def test_a_look_can_wait_for_the_end(site: Site) -> None:
    """`?wait=N` answers when the task has ended."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        looking = await site.polling(ann.get(f"/api/tasks/{task['id']}?wait=30"))
        await site.finish(7)
        assert (await looking).json()["result"] == 7


async def test_a_look_that_waits_in_vain_shows_the_task_as_it_stands(site: Site) -> None:
    """After the wait the answer is 200 with the task as it is."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        answer = await ann.get(f"/api/tasks/{task['id']}?wait=0.01")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")


async def test_a_look_waits_no_longer_than_the_limit(make_site: MakeSite) -> None:
    """A wait of an hour is cut to the setting `wait_limit`."""
    site = await make_site(wait_limit=0.01)
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        async with asyncio.timeout(5):
            assert (await ann.get(f"/api/tasks/{task['id']}?wait=3600")).status_code == 200


async def test_a_list_is_newest_first_and_pages(site: Site) -> None:
    """limit and offset choose a window, `before` goes on from an id; both are told back."""
    async with site.user("ann") as ann:
        ids = [(await site.submitted(ann))["id"] for _ in range(5)]
        ids.reverse()
        page = (await ann.get("/api/tasks?limit=2&offset=1")).json()
        rest = (await ann.get("/api/tasks", params={"before": ids[2]})).json()
    assert [task["id"] for task in page["tasks"]] == ids[1:3]
    assert (page["limit"], page["offset"]) == (2, 1)
    assert [task["id"] for task in rest["tasks"]] == ids[3:]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["c", "b", "a"]),
        ({"status": "scheduled"}, ["c"]),
        ({"status": "failed"}, []),
        ({"task_type": "other"}, ["b"]),
        ({"queue": "side"}, ["b"]),
        ({"tag": "red"}, ["b", "a"]),
        ({"tag": "red", "task_type": "echo"}, ["a"]),
        ({"tag": "%"}, []),
        ({"tag": "' OR 1=1 --"}, []),
        ({"owner": "ann"}, ["c", "b", "a"]),
    ],
)
async def test_a_list_can_be_filtered(site: Site, query: dict[str, str], names: list[str]) -> None:
    """Filters narrow the list, together; their values are values, never patterns."""
    async with site.user("ann") as ann:
        await site.submitted(ann, metadata={"n": "a"}, tags=["red"])
        await site.submitted(ann, metadata={"n": "b"}, tags=["red"], task_type="other")
        await site.submitted(ann, metadata={"n": "c"}, due=3600)
        answer = await ann.get("/api/tasks", params=query)
    assert [task["metadata"]["n"] for task in answer.json()["tasks"]] == names


@pytest.mark.parametrize(
    "query",
    ["limit=201", "limit=0", "limit=x", "limit=1e3", "offset=10001", "offset=-1", "status=done",
     "statu=failed", "limit=99999999999999999999999", "limit=NaN", "tag=" + "x" * 101],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(site: Site, query: str) -> None:
    """Out of range, not a number, or a name that does not exist: 422 with the parameter's name."""
    async with site.user("ann") as ann:
        answer = await ann.get(f"/api/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(f"#/query/{query.partition('=')[0]}")


async def test_an_administrator_lists_all_or_one_owner(site: Site) -> None:
    """Without a filter all tasks, with owner and tenant those of one user."""
    async with site.admin as admin, site.user("ann") as ann, site.user("ann", "acme") as other:
        for who in (admin, ann, other):
            await site.submitted(who)
        counts = [
            len((await admin.get("/api/tasks", params=query)).json()["tasks"])
            for query in ({}, {"owner": "ann"}, {"owner": "ann", "tenant": "acme"}, {"owner": ""})
        ]
    assert counts == [3, 2, 1, 1]


async def test_stats_carry_every_status(site: Site) -> None:
    """Every status is there, zeros too, and `stats` is not taken for a task's id."""
    async with site.user("ann") as ann:
        await site.submitted(ann)
        await site.submitted(ann, due=60)
        answer = (await ann.get("/api/tasks/stats")).json()
    assert set(answer) == {"stats"}
    assert answer["stats"] == {status.value: 0 for status in Status} | {"pending": 1, "scheduled": 1}


@pytest.mark.parametrize("verb", ["delete", "post"])
async def test_cancel_ends_an_idle_task_at_once(site: Site, verb: str) -> None:
    """DELETE and POST …/cancel are one thing, and can be repeated."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        for _ in range(2):
            answer = await (ann.delete(path) if verb == "delete" else ann.post(f"{path}/cancel"))
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_cancel_asks_a_running_attempt_to_stop(site: Site) -> None:
    """A running task stays running until it has stopped; the request is visible."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        await site.claim()
        answer = await ann.delete(f"/api/tasks/{task['id']}")
    assert (answer.json()["status"], answer.json()["cancel_requested"]) == ("running", True)


async def test_cancel_leaves_an_ended_task_as_it_is(site: Site) -> None:
    """A result is never taken back."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        await site.finish(1)
        answer = await ann.delete(f"/api/tasks/{task['id']}")
    assert (answer.json()["status"], answer.json()["result"]) == ("completed", 1)


async def test_retry_gives_a_failed_task_another_run(site: Site) -> None:
    """A failed or cancelled task becomes pending again."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        await site.finish(target=Status.FAILED)
        assert (await ann.post(f"{path}/retry")).json()["status"] == "pending"
        await ann.delete(path)
        assert (await ann.post(f"{path}/retry")).json()["status"] == "pending"


async def test_retry_of_any_other_task_is_a_conflict(site: Site) -> None:
    """409 for a pending, a running and a completed task."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        codes = [(await ann.post(f"{path}/retry")).status_code]
        await site.claim()
        codes.append((await ann.post(f"{path}/retry")).status_code)
        task = await site.submitted(ann)
        await site.finish(1)
        answer = await ann.post(f"/api/tasks/{task['id']}/retry")
    assert [*codes, answer.status_code] == [409, 409, 409]
    assert answer.json()["code"] == "state_conflict"


async def test_retry_of_a_task_whose_unique_key_another_one_holds_is_a_conflict(site: Site) -> None:
    """409, in a word of its own, until that has ended; the bulk retry leaves it out."""
    async with site.user("ann") as ann:
        one = await site.submitted(ann, unique="nightly")
        await site.finish(target=Status.FAILED)
        other = await site.submitted(ann, unique="nightly")
        answer = await ann.post(f"/api/tasks/{one['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "unique_taken")
        assert (await ann.post("/api/tasks/retry", json={"ids": [one["id"]]})).json()["retried"] == 0
        await ann.delete(f"/api/tasks/{other['id']}")
        assert (await ann.post(f"/api/tasks/{one['id']}/retry")).status_code == 200


async def test_a_signal_is_kept_once(site: Site) -> None:
    """The same id, as header or in the body, is the same signal; with other data it is a conflict."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}/signals/approve"
        first = await ann.post(path, json={"data": {"by": "ann"}, "id": "k"})
        again = await ann.post(path, json={"data": {"by": "ann"}}, headers={"Idempotency-Key": "k"})
        other = await ann.post(path, json={"data": 2, "id": "k"})
        both = await ann.post(path, json={"id": "k"}, headers={"Idempotency-Key": "other"})
        bare = await ann.post(path)
    assert (first.status_code, again.status_code, bare.status_code) == (200, 200, 200)
    assert (other.status_code, other.json()["code"], both.status_code) == (422, "idempotency_conflict", 422)


async def test_a_task_that_has_ended_takes_no_signal(site: Site) -> None:
    """409, and it stays as it is."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        await site.finish(1)
        answer = await ann.post(f"{path}/signals/approve", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("a%20b", {}, 422),
        ("x" * 61, {}, 422),
        ("go", {"data": "x" * 70_000}, 413),
        ("go", {"id": ""}, 422),
        ("go", {"id": "x" * 201}, 422),
        ("go", {"id": 1}, 422),
        ("go", {"more": 1}, 422),
        ("go", [1], 422),
    ],
)
async def test_a_signal_that_cannot_be_kept_is_refused(
    site: Site, name: str, body: object, status: int
) -> None:
    """Each with its problem, none with a 500."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        answer = await ann.post(f"/api/tasks/{id_}/signals/{name}", json=body)
    assert answer.status_code == status, answer.text


async def test_why_says_why_in_the_callers_language(site: Site) -> None:
    """The first reason is the summary; without a worker it says so."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}/why"
        en = (await ann.get(path)).json()
        zh = (await ann.get(path, headers={"Accept-Language": "zh"})).json()
    assert en["status"] == "pending"
    assert "no_worker" in [reason["code"] for reason in en["reasons"]]
    assert en["summary"] == en["reasons"][0]["text"] != zh["summary"] == zh["reasons"][0]["text"]


async def test_the_inbox_shows_what_was_delivered_to_the_caller(site: Site) -> None:
    """Notifications ascend by number, and `after` goes on from one; others' are not there."""
    async with site.user("ann") as ann, site.user("bob") as bob, site.admin as admin:
        ids = [(await site.submitted(ann, deliver=["inbox"]))["id"] for _ in range(2)]
        await site.finish(1)
        await deliver_all(site)
        all_ = (await ann.get("/api/notifications")).json()["notifications"]
        rest = (await ann.get("/api/notifications", params={"after": all_[0]["id"]})).json()["notifications"]
        none = (await bob.get("/api/notifications")).json()["notifications"]
        theirs = (await admin.get("/api/notifications", params={"owner": "ann"})).json()["notifications"]
    assert sorted(one["task_id"] for one in all_) == sorted(ids)
    assert (rest, none, theirs) == (all_[1:], [], all_)
    assert all_[0].keys() >= {"id", "type", "title", "message", "task_id", "created_at", "read_at"}


async def deliver_all(site: Site) -> None:
    """What an outbox does with inbox deliveries, by hand."""
    from duly.deliver.inbox import InboxChannel
    from duly.deliver.outbox import Outbox

    app = site.app
    channels = {"inbox": InboxChannel(app.database)}
    outbox = Outbox(app.database, channels=channels, session=lambda: "session-by-hand", emit=app.emit)
    await outbox.tick()
    await outbox.drain(5)


async def test_an_upload_answers_what_an_input_takes(site: Site) -> None:
    """A file is kept by content: its address, name, size and type come back, the same for the same bytes."""
    async with site.user("ann") as ann:
        first = await ann.post("/api/uploads", files={"file": ("标书.txt", b"hello", "text/plain")})
        again = await ann.post("/api/uploads", files={"file": ("other.txt", b"hello")})
    assert (first.status_code, first.json()["name"], first.json()["size"]) == (201, "标书.txt", 5)
    assert first.json()["blob"] == again.json()["blob"]


async def test_deliveries_of_a_task_are_told(site: Site) -> None:
    """What is owed to an inbox is seen before the task has ended."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann, deliver=["inbox"]))["id"]
        told = (await ann.get(f"/api/tasks/{id_}/deliveries")).json()["deliveries"]
    assert [(one["channel"], one["status"]) for one in told] == [("inbox", "held")]
