"""Pages by key: each row that stays is seen once, cursors are ours, and every list has them."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from site_under_test import Site


async def walked(client: httpx2.AsyncClient, path: str, what: str, between: Any = None) -> list[Any]:
    """The rows of all pages, as Link leads from one to the next."""
    rows: list[Any] = []
    place: str | None = path
    while place is not None:
        answer = await client.get(place)
        assert answer.status_code == 200, answer.text
        rows += answer.json()[what]
        link = answer.links.get("next")
        assert (link is None) == (answer.json()["next_cursor"] is None)
        place = None if link is None else link["url"]
        if between is not None:
            await between()
    return rows


@pytest.mark.parametrize("seed", range(8))
async def test_rows_that_stay_are_seen_once_whatever_is_written_meanwhile(site: Site, seed: int) -> None:
    """Between two pages tasks are submitted and ended, so that they enter and leave the selection."""
    chance = random.Random(seed)  # noqa: S311 - a test's own dice
    limit = chance.choice([1, 2, 3, 7])
    async with site.user("ann") as ann:
        kept = {(await site.submitted(ann))["id"] for _ in range(12)}
        fleeting = [(await site.submitted(ann, tags=["x"]))["id"] for _ in range(6)]

        async def meanwhile() -> None:
            for _ in range(chance.randrange(3)):
                await site.submitted(ann)
            if fleeting and chance.random() < 0.5:
                await ann.delete(f"/api/tasks/{fleeting.pop(chance.randrange(len(fleeting)))}")

        found = await walked(ann, f"/api/tasks?status=pending&limit={limit}", "tasks", meanwhile)
    ids = [task["id"] for task in found]
    assert len(ids) == len(set(ids))
    assert kept <= set(ids)
    assert ids == sorted(ids, reverse=True)


async def test_every_long_list_has_pages(site: Site) -> None:
    """Tasks, batches, schedules and notifications: all rows, in order, two at a time."""
    async with site.user("ann") as ann:
        for number in range(5):
            await ann.post("/api/batches", json={"tasks": [{"task_type": "echo"}]})
            made = {"name": f"s{number}", "task_type": "echo", "every": 60}
            assert (await ann.post("/api/schedules", json=made)).status_code == 201
        batches = await walked(ann, "/api/batches?limit=2", "batches")
        tasks = await walked(ann, "/api/tasks?limit=2", "tasks")
        schedules = await walked(ann, "/api/schedules?limit=2", "schedules")
    assert [one["name"] for one in schedules] == ["s0", "s1", "s2", "s3", "s4"]
    assert [one["id"] for one in batches] == [one["id"] for one in tasks]
    assert len(batches) == 5


async def test_the_small_lists_have_pages_too(site: Site) -> None:
    """Endpoints, deliveries, keys, limits, queues: as Link leads, and the cursor is the caller's own."""
    async with site.user("ann") as ann, site.user("bob") as bob, site.admin as admin:
        for n in range(3):
            url = f"https://receiver.example/{n}"
            assert (await ann.post("/api/endpoints", json={"url": url})).status_code == 201
            await site.submitted(ann, deliver=[url], queue=f"q{n}")
            await admin.post("/api/keys", json={"name": f"k{n}", "owner": "ann"})
            await admin.put(f"/api/limits/type/l{n}", json={"concurrency": 1})
        endpoints = await walked(ann, "/api/endpoints?limit=1", "endpoints")
        deliveries = await walked(ann, "/api/deliveries?limit=1&status=held", "deliveries")
        keys = await walked(admin, "/api/keys?limit=2", "keys")
        limits = await walked(admin, "/api/limits?limit=2", "limits")
        queues = await walked(admin, "/api/queues?limit=2", "queues")
        his = await bob.get("/api/endpoints", params={"cursor": await cursor(ann, "/api/endpoints?limit=1")})
    assert [one["url"][-1] for one in endpoints] == ["0", "1", "2"]
    assert [one["url"][-1] for one in deliveries] == ["2", "1", "0"]
    assert {one["name"] for one in keys} == {"k0", "k1", "k2"}
    assert [one["name"] for one in limits] == ["type/l0", "type/l1", "type/l2"]
    assert [one["name"] for one in queues if one["name"][0] == "q"] == ["q0", "q1", "q2"]
    assert (his.status_code, his.json()["code"]) == (400, "bad_cursor")


async def test_the_audit_log_has_pages(site: Site) -> None:
    """Each line once, as Link leads; a cursor is of its selection, and a full last page has no next."""
    async with site.admin as admin:
        for number in range(4):
            await admin.post(f"/api/queues/q{number}/pause")
        lines = await walked(admin, "/api/audit?limit=2&action=queue.pause", "lines")
        other = await admin.get("/api/audit", params={"cursor": await cursor(admin, "/api/audit?limit=2")})
        wrong = await admin.get(
            "/api/audit",
            params={"cursor": await cursor(admin, "/api/audit?limit=2"), "action": "queue.pause"},
        )
        last = await admin.get("/api/audit?limit=4")
    assert [one["object"] for one in lines] == ["q3", "q2", "q1", "q0"]
    assert [one["object"] for one in other.json()["lines"]] == ["q1", "q0"]
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_cursor")
    assert (last.json()["next_cursor"], last.json()["before"], "link" in last.headers) == (None, None, False)


async def test_the_inbox_has_pages(site: Site) -> None:
    """Oldest first, with ascending ids."""
    from duly.model.state import Status

    async with site.user("ann") as ann:
        for _ in range(3):
            await site.submitted(ann, deliver=["inbox"])
        await site.finish(target=Status.COMPLETED)
        await delivered(site)
        rows = await walked(ann, "/api/notifications?limit=1", "notifications")
        newest = await walked(ann, "/api/notifications?limit=2&newest=true", "notifications")
    assert len(rows) == 3
    assert newest == rows[::-1]
    assert [one["id"] for one in rows] == sorted(one["id"] for one in rows)


async def delivered(site: Site) -> None:
    from duly.store import schema

    def line(tx: Any, items: Any) -> list[None]:
        rows = [
            {
                "delivery_id": f"d{n}",
                "task_id": f"t{n}",
                "tenant": "",
                "owner": "ann",
                "type": "task.completed",
            }
            | {"body": "{}", "created_at": tx.now}
            for n in range(3)
        ]
        tx.core.execute(schema.notification.insert(), rows)
        return [None for _ in items]

    await site.app.database.write(line, None)


async def cursor(client: httpx2.AsyncClient, path: str) -> str:
    return str((await client.get(path)).json()["next_cursor"])


async def test_a_cursor_is_good_for_its_own_list_caller_and_selection_only(site: Site) -> None:
    """Anywhere else, and with any letter changed, it is a 400 that says so."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        for _ in range(3):
            await site.submitted(ann, tags=["a"])
            await site.submitted(bob, tags=["a"])
            await ann.post("/api/batches", json={"tasks": [{"task_type": "echo"}]})
        good = await cursor(ann, "/api/tasks?limit=1")
        wrong = [
            (bob, "/api/tasks", good),
            (ann, "/api/tasks?tag=a", good),
            (ann, "/api/batches", good),
            (ann, "/api/schedules", good),
            (ann, "/api/notifications", good),
            (ann, "/api/tasks", await cursor(ann, "/api/batches?limit=1")),
            (ann, "/api/tasks", good[:-1] + ("0" if good[-1] != "0" else "1")),
            (ann, "/api/tasks", "A" + good),
            (ann, "/api/tasks", good.partition(".")[0]),
            (ann, "/api/tasks", ""),
            (ann, "/api/tasks", "."),
            (ann, "/api/tasks", "\u4efb.\u4efb"),
        ]
        for client, path, text in wrong:
            answer = await client.get(f"{path}{'&' if '?' in path else '?'}cursor={quote(text)}")
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor"), (path, text)
        assert (await ann.get("/api/tasks", params={"cursor": good, "limit": 7})).status_code == 200


async def test_offset_and_cursor_do_not_mix(site: Site) -> None:
    """One of them says where to begin."""
    async with site.user("ann") as ann:
        for _ in range(3):
            await site.submitted(ann)
        good = await cursor(ann, "/api/tasks?limit=1")
        answer = await ann.get("/api/tasks", params={"cursor": good, "offset": 1})
        first = await ann.get("/api/tasks?limit=1&offset=1")
        second = await ann.get(first.links["next"]["url"])
    assert answer.status_code == 422
    assert len(second.json()["tasks"]) == 1
    assert "offset" not in first.links["next"]["url"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status=scheduled&status=pending", ["c", "b", "a"]),
        ("status=scheduled&status=failed", ["c"]),
        ("text=other", ["b"]),
        ("text=oth_r", []),
        ("text=%25", ["a"]),
        ("text=50%25", ["a"]),
        ("text=%E4%B8%AD", ["c"]),
        ('text="quoted', ["b"]),
        ("text=ECHO", []),
        ("created_since=2000-01-01T00:00:00Z", ["c", "b", "a"]),
        ("created_until=2000-01-01T00:00:00Z", []),
        ("until=2000-01-01T00:00:00Z", []),
        ("batch=none", []),
    ],
)
async def test_lists_are_selected_by_several_words(site: Site, query: str, names: list[str]) -> None:
    """Several states, times, a text in type or metadata whose `%` and `_` are letters."""
    async with site.user("ann") as ann:
        await site.submitted(ann, metadata={"n": "a", "of": "50%"})
        await site.submitted(ann, metadata={"n": "b", "of": 'a "quoted" word'}, task_type="other")
        await site.submitted(ann, metadata={"n": "c", "of": "中标"}, due=3600)
        answer = await ann.get("/api/tasks?" + query.replace('"', "%22"))
    assert [task["metadata"]["n"] for task in answer.json()["tasks"]] == names


async def test_a_text_finds_an_id_by_its_beginning(site: Site) -> None:
    """As people paste it from a log line."""
    async with site.user("ann") as ann:
        ids = [(await site.submitted(ann))["id"] for _ in range(3)]
        found = (await ann.get("/api/tasks", params={"text": ids[1][:30]})).json()["tasks"]
    assert [task["id"] for task in found] == [ids[1]]


async def test_the_members_of_a_batch_are_a_list(site: Site) -> None:
    """`batch` and `parent` are one word; two that differ are refused."""
    async with site.admin as admin:
        answer = await admin.get("/api/tasks?batch=a&parent=b")
    assert answer.status_code == 422
