"""The audit log: a line for whatever changes something, and no secret in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from site_under_test import MakeSite, Site

from duly.http.permissions import RULES, SAFE
from duly.model.errors import NotReady
from duly.store import audit, submissions
from duly.store.transaction import Transaction
from duly.testing import FakeClock


async def lines(site: Site, client: httpx2.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    """The lines that the administrator reads, once all that was posted is written."""
    await site.app.database.write_many(audit.add, [])
    await asyncio.gather(*(site.app.database.write(audit.forget, None) for _ in range(2)))
    answer = await client.get("/api/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["lines"])


async def test_a_line_says_who_did_what_to_what(site: Site) -> None:
    """Owner, tenant, role, credential, action, object, status, request, client, time."""
    async with site.admin as admin, site.user("ann", "acme") as ann:
        task = await site.submitted(ann)
        await ann.delete(f"/api/tasks/{task['id']}", headers={"X-Request-Id": "req-1"})
        [line] = await lines(site, admin, action="task.cancel")
    assert line.pop("at").endswith("Z")
    assert len(line.pop("id")) == 36
    assert line == {
        "tenant": "acme",
        "owner": "ann",
        "role": "user",
        "credential": "jwt",
        "action": "task.cancel",
        "object": task["id"],
        "status": 200,
        "request_id": "req-1",
        "client": "127.0.0.1",
    }


async def test_a_submission_leaves_a_line_with_its_task(site: Site) -> None:
    """It is written behind the answer, with the id that was made."""
    async with site.admin as admin, site.user("ann") as ann:
        task = await site.submitted(ann)
        [line] = await lines(site, admin, action="task.submit")
    assert (line["owner"], line["object"], line["status"]) == ("ann", task["id"], 202)


async def test_what_was_refused_is_written_too(site: Site) -> None:
    """That somebody tried what he may not; a stranger without credentials cannot fill the log."""
    async with site.admin as admin, site.user("ann") as ann, site.client() as stranger:
        await ann.post("/api/queues/default/pause")
        await ann.post("/api/keys", json={"name": "k", "role": "admin"})
        await stranger.post("/api/queues/default/pause")
        found = await lines(site, admin)
    assert [(one["action"], one["owner"], one["status"]) for one in found] == [
        ("key.create", "ann", 403),
        ("queue.pause", "ann", 403),
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_reading_leaves_no_line(site: Site, method: str) -> None:
    """Only what changes something does."""
    async with site.admin as admin:
        await admin.request(method, "/api/tasks")
        assert await lines(site, admin) == []


def test_every_unsafe_operation_has_an_action() -> None:
    """None of them would go unseen."""
    unsafe = {name: rule for name, rule in RULES.items() if name.split()[0] not in {*SAFE, "WS"}}
    assert [name for name, rule in unsafe.items() if not rule.action] == []


async def test_a_key_is_made_and_written_down_in_one_transaction(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the line cannot be written, there is no key either."""

    def broken(*_: Any) -> None:
        raise NotReady("the disk is full")

    monkeypatch.setattr(audit, "add", broken)
    async with site.admin as admin:
        answer = await admin.post("/api/keys", json={"name": "k", "owner": "ann"})
        assert (answer.status_code, (await admin.get("/api/keys")).json()["keys"]) == (503, [])


async def test_who_has_waited_for_the_database_does_not_wait_for_the_line(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 comes at once; its line is written as soon as the database can."""
    there, add = threading.Event(), audit.add

    def broken(*_: Any) -> None:
        raise NotReady("no answer")

    def slow(tx: Transaction, items: Sequence[audit.Entry]) -> list[None]:
        assert there.wait(30)
        return add(tx, items)

    monkeypatch.setattr(submissions, "submit", broken)
    monkeypatch.setattr(audit, "add", slow)
    async with site.admin as admin:
        try:
            async with asyncio.timeout(5):
                refused = await admin.post("/api/tasks", json={"task_type": "echo"})
        finally:
            there.set()
        [line] = await lines(site, admin, action="task.submit")
    assert (refused.status_code, line["status"]) == (503, 503)


async def test_a_line_that_cannot_be_written_is_told_in_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether somebody waits for it or not; the task is accepted all the same."""

    def broken(*_: Any) -> None:
        raise NotReady("the disk is full")

    said: list[str] = []
    monkeypatch.setattr(site.app, "emit", lambda event, **_: said.append(event))
    monkeypatch.setattr(audit, "add", broken)
    async with site.admin as admin, site.user("ann") as ann:
        task = await site.submitted(ann)
        await ann.delete(f"/api/tasks/{task['id']}")
        await site.app.database.write(audit.forget, None)
        assert (await admin.get(f"/api/tasks/{task['id']}")).json()["status"] == "cancelled"
    assert said.count("audit.failed") == 2


async def test_no_secret_is_in_the_log(site: Site) -> None:
    """Neither a key nor a token nor the secret of a callback's address."""
    async with site.admin as admin, site.client() as stranger:
        key = (await admin.post("/api/keys", json={"name": "k", "owner": "ann"})).json()
        rotated = (await admin.post(f"/api/keys/{key['id']}/rotate")).json()
        signed = await stranger.post("/api/session", json={"token": rotated["key"]})
        secret = "s" * 43
        await stranger.post(f"/api/callbacks/{'0' * 36}/job/{secret}", json={})
        text = str(await lines(site, admin))
    values = [key["key"], rotated["key"], signed.cookies["duly_session"], signed.json()["csrf"], secret]
    parts = [part for value in values for part in value.split("_") if len(part) > 20]
    assert [part for part in parts if part in text] == []
    assert "callback.keep" not in text


async def test_the_log_is_read_by_pages(site: Site) -> None:
    """Newest first; `before` reads on, and none is told twice."""
    async with site.admin as admin:
        for number in range(5):
            await admin.post(f"/api/queues/q{number}/pause")
        first = (await admin.get("/api/audit?limit=3")).json()
        rest = (await admin.get("/api/audit", params={"before": first["before"], "limit": 3})).json()
    names = [line["object"] for line in first["lines"] + rest["lines"]]
    assert (names, rest["before"]) == (["q4", "q3", "q2", "q1", "q0"], None)


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 65, "é", "<script>"])
async def test_a_strange_request_id_is_replaced(site: Site, given: str) -> None:
    """Logs take plain words only."""
    async with site.admin as admin:
        answer = await admin.get("/api/tasks", headers={"X-Request-Id": given.encode()})  # type: ignore[dict-item]
    assert len(answer.headers["x-request-id"]) == 36


async def test_old_lines_go(make_site: MakeSite) -> None:
    """After audit_days; younger ones stay."""
    clock = FakeClock()
    site = await make_site(clock=clock, audit_days=30)
    async with site.admin as admin:
        await admin.post("/api/queues/old/pause")
        clock.advance(30 * 86_400)
        await admin.post("/api/queues/new/pause")
        found = await lines(site, admin)
    assert [one["object"] for one in found] == ["new"]
