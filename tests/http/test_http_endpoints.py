"""Endpoints, deliveries and marks of inboxes over HTTP: each caller his own, bad input in words."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site
from standardwebhooks import Webhook

from duly.runtime.worker import Worker
from support.receiver import Answer, Receiver

URL = "https://hooks.example/duly"


async def delivered(site: Site) -> None:
    """Runs what is due, and sends what is owed."""
    worker = Worker(site.app)
    await worker.start()
    await worker.until_idle()
    await worker.stop()


async def test_an_end_reaches_the_owners_endpoint(make_site: Any) -> None:
    """Made over HTTP, told by a worker, verified with the secret that was shown once."""
    site = await make_site(webhook_private=True)
    async with Receiver() as receiver, site.user("ann") as ann:
        made = (await ann.post("/api/endpoints", json={"url": receiver.url})).json()
        id_ = (await site.submitted(ann))["id"]
        await delivered(site)
        [request] = receiver.requests
        assert Webhook(made["secret"]).verify(request.body, request.headers)["data"]["id"] == id_
        [row] = (await ann.get("/api/deliveries", params={"endpoint": made["id"]})).json()["deliveries"]
        assert (row["status"], row["outcome"], row["task_id"]) == ("delivered", "sent", id_)
        assert [one["outcome"] for one in row["log"]] == ["sent"]
        assert (await ann.get(f"/api/tasks/{id_}/deliveries")).json()["deliveries"] == [row]


async def test_dead_letters_are_seen_and_sent_again(make_site: Any) -> None:
    """Page by page, newest first; one of them, then all of the endpoint."""
    site = await make_site(webhook_private=True)
    async with Receiver(always=Answer(status=410)) as receiver, site.user("ann") as ann:
        endpoint = (await ann.post("/api/endpoints", json={"url": receiver.url})).json()["id"]
        for _ in range(3):
            await site.submitted(ann)
        await delivered(site)
        await delivered(site)  # what the first told led to a line in the inbox
        [line] = (await ann.get("/api/notifications", params={"unread": True})).json()["notifications"]
        assert line["type"] == "endpoint.disabled"
        shown = (await ann.get(f"/api/endpoints/{endpoint}")).json()
        assert (shown["enabled"], shown["reason"]) == (False, "It answered 410 Gone.")
        query = {"status": "dead", "endpoint": endpoint, "limit": 2}
        first = (await ann.get("/api/deliveries", params=query)).json()
        rest = (await ann.get("/api/deliveries", params={**query, "cursor": first["next_cursor"]})).json()
        assert (len(first["deliveries"]), len(rest["deliveries"]), rest["next_cursor"]) == (2, 1, None)
        one = first["deliveries"][0]["id"]
        assert (await ann.post(f"/api/deliveries/{one}/resend")).json()["status"] == "pending"
        assert (await ann.post(f"/api/deliveries/{one}/resend")).json()["code"] == "delivery_not_dead"
        assert (await ann.post(f"/api/endpoints/{endpoint}/resend")).json() == {"resent": 2}


async def test_a_secret_is_shown_once(site: Site) -> None:
    """When it is made and when it is rotated; a secret that was brought along never."""
    async with site.user("ann") as ann:
        made = await ann.post("/api/endpoints", json={"url": URL})
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        place = made.headers["location"]
        assert made.json()["secret"] not in (await ann.get(place)).text
        rotated = (await ann.post(f"{place}/rotate")).json()
        assert rotated["secret"] != made.json()["secret"]
        own = {"url": URL, "secret": made.json()["secret"]}
        assert "secret" not in (await ann.post("/api/endpoints", json=own)).json()
        changed = (await ann.patch(place, json={"ordered": True, "headers": {"X-Key": "hidden"}})).json()
        assert (changed["ordered"], changed["headers"], changed["url"]) == (True, ["X-Key"], URL)
        assert (await ann.delete(place)).status_code == 204
        assert (await ann.get(place)).status_code == 404


async def test_nobody_sees_what_is_anothers(site: Site) -> None:
    """Endpoints, deliveries and marks: 404 or nothing; an administrator sees all, and names an owner."""
    async with site.user("ann") as ann, site.user("bob") as bob, site.admin as admin:
        endpoint = (await ann.post("/api/endpoints", json={"url": URL})).json()["id"]
        place = f"/api/endpoints/{endpoint}"
        asked = [("GET", ""), ("PATCH", ""), ("DELETE", "")]
        asked += [("POST", f"/{word}") for word in ("rotate", "enable", "disable", "test", "resend")]
        for method, path in asked:
            answer = await bob.request(method, place + path, json={} if method == "PATCH" else None)
            assert (answer.status_code, answer.json()["code"]) == (404, "endpoint_not_found")
        assert (await bob.get("/api/endpoints")).json() == {"endpoints": [], "next_cursor": None}
        assert (await bob.get("/api/endpoints", params={"owner": "ann"})).status_code == 403
        assert (await bob.post("/api/endpoints", json={"url": URL, "owner": "ann"})).status_code == 403
        task = (await site.submitted(ann, deliver=["inbox"]))["id"]
        [row] = (await ann.get("/api/deliveries", params={"task": task})).json()["deliveries"]
        for path in (row["id"], f"{row['id']}/resend"):
            method = "POST" if "resend" in path else "GET"
            assert (await bob.request(method, f"/api/deliveries/{path}")).json()[
                "code"
            ] == "delivery_not_found"
        assert (await bob.get("/api/deliveries")).json() == {"deliveries": [], "next_cursor": None}
        assert len((await admin.get("/api/deliveries")).json()["deliveries"]) == 1
        assert len((await admin.get("/api/endpoints")).json()["endpoints"]) == 1
        assert (await admin.get("/api/endpoints", params={"owner": "bob"})).json() == {
            "endpoints": [],
            "next_cursor": None,
        }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/endpoints", {}),
        ("/api/endpoints", {"url": "ftp://a/"}),
        ("/api/endpoints", {"url": URL, "more": 1}),
        ("/api/endpoints", {"url": URL, "events": ["x"]}),
        ("/api/endpoints", {"url": URL, "events": "task.failed"}),
        ("/api/endpoints", {"url": URL, "headers": {"A": "b\r\nC: d"}}),
        ("/api/endpoints", {"url": URL, "headers": {"Content-Length": "1"}}),
        ("/api/endpoints", {"url": URL, "secret": "short"}),
        ("/api/endpoints", {"url": URL, "ordered": "yes"}),
        ("/api/notifications/read", {}),
        ("/api/notifications/read", {"ids": []}),
        ("/api/notifications/read", {"ids": [1], "all": True}),
        ("/api/notifications/read", {"up_to": -1}),
        ("/api/tasks", {"task_type": "echo", "deliver": [{"first_of": []}]}),
        ("/api/tasks", {"task_type": "echo", "deliver": [{"channel": "endpoint"}]}),
        ("/api/tasks", {"task_type": "echo", "deliver": [{"channel": "inbox", "valid_until": "soon"}]}),
    ],
)
async def test_what_makes_no_sense_is_a_problem(site: Site, path: str, body: dict[str, Any]) -> None:
    """422, in words."""
    async with site.user("ann") as ann:
        answer = await ann.post(path, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("id_", ["x", "%00", "a" * 500, "..%2f..", "任务"])
async def test_an_id_that_is_none_is_not_found(site: Site, id_: str) -> None:
    """Whatever stands where an endpoint's or a delivery's id belongs."""
    async with site.user("ann") as ann:
        answers = [await ann.get(f"/api/{kind}/{id_}") for kind in ("endpoints", "deliveries")]
    assert [answer.status_code for answer in answers] == [404, 404]


async def test_an_inbox_is_marked(site: Site) -> None:
    """Unread ones are counted, found and marked: one, up to a number, all, and back."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        for _ in range(3):
            await site.submitted(ann, deliver=["inbox"])
        await delivered(site)
        ids = [one["id"] for one in (await ann.get("/api/notifications")).json()["notifications"]]
        assert (await ann.get("/api/notifications/stats")).json() == {"unread": 3, "latest": ids[2]}

        async def mark(**words: Any) -> dict[str, int]:
            return dict((await ann.post("/api/notifications/read", json=words)).json())

        assert (await bob.post("/api/notifications/read", json={"all": True})).json()["changed"] == 0
        assert await mark(ids=[ids[0]]) == {"changed": 1, "unread": 2, "latest": ids[2]}
        assert (await mark(up_to=ids[1]))["changed"] == 1
        found = (await ann.get("/api/notifications", params={"unread": True})).json()["notifications"]
        assert [one["id"] for one in found] == [ids[2]]
        assert (await mark(all=True))["unread"] == 0
        assert (await mark(ids=[ids[1]], read=False))["unread"] == 1


async def test_a_test_is_answered(make_site: Any) -> None:
    """With the outcome; the request is signed, and of no task."""
    site = await make_site(webhook_private=True)
    async with Receiver(Answer(status=204), Answer(status=500)) as receiver, site.user("ann") as ann:
        made = (await ann.post("/api/endpoints", json={"url": receiver.url, "format": "cloudevents"})).json()
        answers = [(await ann.post(f"/api/endpoints/{made['id']}/test")).json() for _ in range(2)]
    assert [(one["outcome"], one["code"]) for one in answers] == [("sent", 204), ("retry", 500)]
    event = Webhook(made["secret"]).verify(receiver.requests[0].body, receiver.requests[0].headers)
    assert event["type"] == "org.duly.endpoint.test.v1"
