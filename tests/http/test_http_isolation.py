"""A user sees his own tasks and nothing of anybody else's, on every route there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from site_under_test import Site

ONE_TASK = [
    ("GET", "/api/tasks/{task_id}"),
    ("DELETE", "/api/tasks/{task_id}"),
    ("POST", "/api/tasks/{task_id}/cancel"),
    ("POST", "/api/tasks/{task_id}/retry"),
    ("POST", "/api/tasks/{task_id}/signals/{name}"),
    ("GET", "/api/tasks/{task_id}/why"),
    ("GET", "/api/tasks/{task_id}/events"),
    ("GET", "/api/tasks/{task_id}/deliveries"),
    ("POST", "/api/tasks/{task_id}/token"),
    ("GET", "/api/batches/{batch_id}"),
    ("GET", "/api/batches/{batch_id}/events"),
    ("GET", "/api/tasks/{task_id}/result"),
    ("GET", "/api/tasks/{task_id}/files/{sha256}"),
    ("POST", "/api/tasks/{task_id}/link"),
]
#: Routes that name no task: what they show of others is tested below; what they keep belongs to the caller.
OTHERS = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/health"),
    ("GET", "/api/tasks"),
    ("POST", "/api/tasks"),
    ("GET", "/api/batches"),
    ("POST", "/api/batches"),
    ("GET", "/api/tasks/stats"),
    ("POST", "/api/tasks/cancel"),
    ("POST", "/api/tasks/retry"),
    # Whose tasks a job acts on: test_http_bulk_job.
    ("POST", "/api/bulk"),
    ("GET", "/api/notifications"),
    ("GET", "/api/notifications/stats"),
    ("POST", "/api/notifications/read"),
    ("POST", "/api/uploads"),
    # Whose calls: test_http_usage.
    ("GET", "/api/usage"),
    # Who signs in shows his token, or his cookie: test_http_sessions.
    ("POST", "/api/session"),
    ("GET", "/api/session"),
    ("DELETE", "/api/session"),
    # What is there for all: test_http_pages.
    ("GET", "/api/apps"),
    # Whose lines: test_http_streams; whose ticket: test_http_tickets.
    ("GET", "/api/events"),
    ("POST", "/api/tickets"),
    # The secret in its address is the credential: test_http_callbacks.
    ("POST", "/api/callbacks/{task_id}/{name}/{secret}"),
    # How model providers stand is nobody's secret.
    ("GET", "/api/gates"),
    ("GET", "/api/gates/{name}"),
    # So is the signature in this one: test_http_files.
    ("GET", "/api/links/{task_id}/{what}"),
    ("GET", "/problems"),
    ("GET", "/problems/{name}"),
}
#: Routes of schedules; who sees what is tested in test_http_schedules.
SCHEDULES = {
    ("GET", "/api/schedules"),
    ("POST", "/api/schedules"),
    ("GET", "/api/schedules/{name}"),
    ("PUT", "/api/schedules/{name}"),
    ("DELETE", "/api/schedules/{name}"),
    ("POST", "/api/schedules/{name}/pause"),
    ("POST", "/api/schedules/{name}/resume"),
    ("POST", "/api/schedules/{name}/run"),
    ("GET", "/api/schedules/{name}/next"),
}
#: Routes of endpoints and deliveries; who sees what is tested in test_http_endpoints.
ENDPOINTS = {
    ("GET", "/api/endpoints"),
    ("POST", "/api/endpoints"),
    ("GET", "/api/endpoints/{endpoint_id}"),
    ("PATCH", "/api/endpoints/{endpoint_id}"),
    ("DELETE", "/api/endpoints/{endpoint_id}"),
    *(("POST", f"/api/endpoints/{{endpoint_id}}/{word}") for word in ("rotate", "enable", "disable")),
    *(("POST", f"/api/endpoints/{{endpoint_id}}/{word}") for word in ("test", "resend")),
    ("GET", "/api/deliveries"),
    ("GET", "/api/deliveries/{delivery_id}"),
    ("POST", "/api/deliveries/{delivery_id}/resend"),
}
#: Operations of administrators.
ADMINS = {
    ("POST", "/api/tasks/move"),
    ("GET", "/api/queues"),
    ("GET", "/api/queues/{name}"),
    ("POST", "/api/queues/{name}/pause"),
    ("POST", "/api/queues/{name}/resume"),
    ("POST", "/api/queues/{name}/purge"),
    ("GET", "/api/shares"),
    ("PUT", "/api/shares"),
    ("DELETE", "/api/shares"),
    ("GET", "/metrics/scale"),
    ("GET", "/api/monitoring"),
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("POST", "/api/keys/{key_id}/rotate"),
    ("DELETE", "/api/keys/{key_id}"),
    ("GET", "/api/audit"),
    ("POST", "/api/gates/{name}/close"),
    ("POST", "/api/gates/{name}/open"),
    ("GET", "/api/limits"),
    ("GET", "/api/limits/{name}"),
    ("PUT", "/api/limits/{name}"),
    ("DELETE", "/api/limits/{name}"),
}
STRANGERS = [("bob", ""), ("ann", "acme"), ("ANN", ""), ("ann.", "")]


def operations(site: Site) -> set[tuple[str, str]]:
    """Every operation of our own that OpenAPI knows."""
    paths = site.api.openapi()["paths"]
    apps = ("/api/notes", "/api/files", "/api/raw", "/api/crash", "/api/teapot", "/api/private", "/apps/")
    return {
        (verb.upper(), path) for path, verbs in paths.items() for verb in verbs if not path.startswith(apps)
    }


async def test_every_operation_is_in_the_table(site: Site) -> None:
    """A new route must be put to the test here: the tables and OpenAPI name the same operations."""
    assert operations(site) == {*ONE_TASK, *OTHERS, *ADMINS, *SCHEDULES, *ENDPOINTS}


@pytest.mark.parametrize(("method", "path"), sorted(ADMINS))
async def test_a_user_is_no_administrator(site: Site, method: str, path: str) -> None:
    """Whatever he sends, before anything is read of it: 403."""
    async with site.user("ann") as ann:
        answer = await ann.request(method, path.format(name="default", key_id="k"), content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), ONE_TASK)
async def test_another_users_task_is_not_there(site: Site, method: str, path: str) -> None:
    """A task of somebody else and a task that does not exist give the same answer."""
    async with site.user("ann") as ann:
        real = (await site.submitted(ann))["id"]
        absent = real[:-1] + ("0" if real[-1] != "0" else "1")
        for name, tenant in STRANGERS:
            async with site.user(name, tenant) as stranger:
                answers = [
                    await stranger.request(
                        method, path.format(task_id=id_, batch_id=id_, name="go", sha256="0" * 64)
                    )
                    for id_ in (real, absent)
                ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].text.replace(real, "ID") == answers[1].text.replace(absent, "ID")
        assert (await ann.get(f"/api/tasks/{real}")).json()["status"] == "pending"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_another_users_timeline_is_not_there(site: Site, accept: str) -> None:
    """Neither the list nor the stream can be opened by a stranger."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        id_ = (await site.submitted(ann))["id"]
        answer = await bob.get(f"/api/tasks/{id_}/events", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "task_not_found")


@pytest.mark.parametrize(("name", "tenant"), STRANGERS)
async def test_lists_and_counts_hold_the_callers_tasks_only(site: Site, name: str, tenant: str) -> None:
    """Another user's list is empty and his counts are zero; he cancels nothing."""
    async with site.user("ann") as ann, site.user(name, tenant) as stranger:
        await site.submitted(ann, tags=["red"])
        told = await stranger.post("/api/tasks/cancel", json={"where": {"tag": "red"}})
        assert told.json() == {"cancelled": 0, "more": False}
        listed = (await stranger.get("/api/tasks?tag=red")).json()["tasks"]
        counted = (await stranger.get("/api/tasks/stats")).json()["stats"]
    assert (listed, set(counted.values())) == ([], {0})


LISTS = ("tasks", "tasks/stats", "notifications", "notifications/stats", "batches", "events")


@pytest.mark.parametrize("path", [f"/api/{one}" for one in LISTS])
@pytest.mark.parametrize("query", [{"owner": "ann"}, {"tenant": "acme"}, {"owner": ""}])
async def test_a_user_cannot_ask_for_another_owner(site: Site, path: str, query: dict[str, str]) -> None:
    """Naming somebody else in a filter is refused."""
    async with site.user("bob") as bob:
        answer = await bob.get(path, params=query)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("id_", ["0", "x", "%00", "..%2f..", "' OR 1=1", "a" * 5000, "任务", "%ff"])
async def test_an_id_that_is_none_is_not_found(site: Site, id_: str) -> None:
    """Whatever stands where an id belongs, the answer is 404."""
    async with site.user("ann") as ann:
        answer = await ann.get(f"/api/tasks/{id_}")
    assert answer.status_code == 404


async def test_no_operation_answers_without_credentials(site: Site) -> None:
    """Every operation but health is 401 for a stranger, also an app's; callbacks and links have secrets."""
    open_ = {"/livez", "/readyz", "/health", "/apps/notes/", "/api/callbacks/{task_id}/{name}/{secret}"}
    open_ |= {"/api/session", "/problems", "/problems/{name}", "/api/links/{task_id}/{what}"}
    paths: dict[str, Any] = site.api.openapi()["paths"]
    asked = [(verb.upper(), path) for path, verbs in paths.items() for verb in verbs if path not in open_]
    async with site.client() as stranger:
        codes = {
            (verb, path): (await stranger.request(verb, re.sub(r"{.*?}", "x", path))).status_code
            for verb, path in asked
        }
    assert set(codes.values()) == {401}, codes


def test_every_route_is_known_to_openapi() -> None:
    """No route of ours is hidden from the schema that the tables above are checked against."""
    from duly.http import bulk, health, inbox, queues, shares, tasks, timeline, uploads

    parts = (bulk, health, inbox, queues, shares, tasks, timeline, uploads)
    routes = [route for part in parts for route in part.router.routes]
    assert all(isinstance(route, APIRoute) and route.include_in_schema for route in routes)
