"""Browser sessions: signing in and out, what a cookie opens, forged requests; and read tokens of one task."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from site_under_test import MakeSite, Site, Stream

from duly.http.identity import issue_jwt
from duly.testing import FakeClock
from support import corpora

OURS = "http://127.0.0.1:8000"


async def signed_in(site: Site, client: httpx2.AsyncClient, token: str = "") -> dict[str, str]:
    """Signs this client in, as ann if no token is given; the headers that a page of ours sends."""
    token = token or issue_jwt(site.app.credentials, "ann")
    answer = await client.post("/api/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    return {"X-CSRF-Token": answer.json()["csrf"], "Origin": OURS}


async def test_a_browser_signs_in_and_out(site: Site) -> None:
    """It learns who it is; when it has signed out, the cookie opens nothing, whoever kept it."""
    async with site.client() as client:
        page = await signed_in(site, client)
        cookie = client.cookies["duly_session"]
        told = (await client.get("/api/session")).json()
        ended = await client.delete("/api/session", headers=page)
        kept = await client.get("/api/tasks", headers={"Cookie": f"duly_session={cookie}"})
        gone = await client.get("/api/session")
    assert (told["owner"], told["tenant"], told["role"]) == ("ann", "", "user")
    assert told["csrf"] == page["X-CSRF-Token"]
    assert (ended.status_code, kept.status_code, gone.json()) == (200, 401, {"signed_in": False})


@pytest.mark.parametrize(("base", "secure"), [(OURS, False), ("https://duly.example", True)])
async def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site, base: str, secure: bool) -> None:
    """HttpOnly, SameSite=Strict, an end, and Secure over https."""
    token = {"Authorization": f"Bearer {site.app.credentials.token}"}
    async with site.client(token, base) as client:
        answer = await client.post("/api/session")
    said = answer.headers["set-cookie"].lower()
    assert all(word in said for word in ("httponly", "samesite=strict", "path=/", "max-age=43200"))
    assert ("; secure" in said) is secure


FORGED = corpora.load("csrf")["request"]


@pytest.mark.parametrize("one", FORGED, ids=[one["why"] for one in FORGED])
async def test_a_forged_request_changes_nothing(site: Site, one: dict[str, Any]) -> None:
    """What a foreign page makes the browser send is 403, and no task is there."""
    async with site.client() as client:
        page = {"Content-Type": "application/json", **await signed_in(site, client)}
        changed = {name: text.replace("{origin}", OURS) for name, text in one["headers"].items()}
        sent = {name: value for name, value in {**page, **changed}.items() if value}
        answer = await client.post("/api/tasks", content=b'{"task_type":"echo"}', headers=sent)
        listed = (await client.get("/api/tasks")).json()["tasks"]
    assert (answer.status_code, answer.json()["code"], listed) == (403, "csrf", [])


@pytest.mark.parametrize("change", [{}, {"Origin": ""}, {"Origin": "https://127.0.0.1:8000"}], ids=repr)
async def test_a_page_of_ours_may_act(site: Site, change: dict[str, str]) -> None:
    """With the token and our origin, or the browser's own word for it; a proxy may speak https for us."""
    async with site.client() as client:
        headers = {**await signed_in(site, client), **change}
        if not headers["Origin"]:
            headers = {"X-CSRF-Token": headers["X-CSRF-Token"], "Sec-Fetch-Site": "same-origin"}
        answer = await client.post("/api/tasks", json={"task_type": "echo"}, headers=headers)
    assert answer.status_code == 202


async def test_the_token_of_another_session_does_not_help(site: Site) -> None:
    """A CSRF token belongs to one session."""
    async with site.client() as ann, site.client() as bob:
        await signed_in(site, ann)
        theirs = await signed_in(site, bob, issue_jwt(site.app.credentials, "bob"))
        answer = await ann.post("/api/tasks", json={"task_type": "echo"}, headers=theirs)
    assert answer.status_code == 403


async def test_a_bearer_needs_no_csrf_token(site: Site) -> None:
    """A foreign page cannot send the header Authorization; it wins over a cookie."""
    async with site.client() as client:
        await signed_in(site, client)
        answer = await client.post("/api/tasks", json={"task_type": "echo"}, headers=site.bearer("bob"))
    assert (answer.status_code, answer.json()["owner"]) == (202, "bob")


async def test_a_session_ends_with_its_time(make_site: MakeSite) -> None:
    """After session_hours the cookie is worth nothing."""
    clock = FakeClock()
    site = await make_site(clock=clock, session_hours=1)
    async with site.client() as client:
        await signed_in(site, client, site.app.credentials.token)
        cookie = {"Cookie": f"duly_session={client.cookies['duly_session']}"}
        clock.advance(3599)
        alive = await client.get("/api/tasks", headers=cookie)
        clock.advance(1)
        over = await client.get("/api/tasks", headers=cookie)
    assert (alive.status_code, over.status_code) == (200, 401)


async def test_a_session_lives_no_longer_than_the_token_it_began_with(make_site: MakeSite) -> None:
    """A JWT for a minute is no way to a session for hours."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    token = issue_jwt(site.app.credentials, "ann", ttl_seconds=60, now_ms=clock.now_ms())
    async with site.client() as client:
        await signed_in(site, client, token)
        cookie = {"Cookie": f"duly_session={client.cookies['duly_session']}"}
        clock.advance(60)
        over = await client.get("/api/tasks", headers=cookie)
    assert over.status_code == 401


async def test_a_session_ends_with_its_key(site: Site) -> None:
    """A revoked key takes the browsers along that it let in."""
    async with site.admin as admin, site.client() as client:
        key = (await admin.post("/api/keys", json={"name": "ann's", "owner": "ann"})).json()
        await signed_in(site, client, key["key"])
        before = await client.get("/api/tasks")
        await admin.delete(f"/api/keys/{key['id']}")
        after = await client.get("/api/tasks")
    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_session_may_no_more_than_its_key(site: Site) -> None:
    """Scopes go along."""
    words = {"name": "reports", "owner": "ann", "scopes": ["tasks:read"]}
    async with site.admin as admin, site.client() as client:
        key = (await admin.post("/api/keys", json=words)).json()["key"]
        page = await signed_in(site, client, key)
        answer = await client.post("/api/tasks", json={"task_type": "echo"}, headers=page)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "body", [None, {}, {"token": ""}, {"token": "x"}, {"token": 1}, {"token": "x" * 9000}], ids=repr
)
async def test_nobody_signs_in_without_a_right_token(site: Site, body: Any) -> None:
    """401 or 422, and no cookie."""
    async with site.client() as client:
        answer = await client.post("/api/session", json=body)
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [{"token": "x" * 9000}, {"token": "x", "more": 1}], ids=["long", "more"])
async def test_a_body_beside_a_right_header_must_be_sound_too(site: Site, body: Any) -> None:
    """What is not read is not let pass either: 422, and no cookie."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/session", json=body)
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


async def test_a_cookie_is_no_bearer_and_a_bearer_no_cookie(site: Site) -> None:
    """Each kind of token is for its own use."""
    token = issue_jwt(site.app.credentials, "ann")
    async with site.client() as client:
        await signed_in(site, client)
        cookie = client.cookies["duly_session"]
        as_bearer = await client.get("/api/tasks", headers={"Authorization": f"Bearer {cookie}"})
    async with site.client() as client:
        as_cookie = await client.get("/api/tasks", headers={"Cookie": f"duly_session={token}"})
    assert (as_bearer.status_code, as_cookie.status_code) == (401, 401)


async def test_with_open_loopback_everybody_is_signed_in(make_site: MakeSite) -> None:
    """A page asks the same, and is the administrator."""
    site = await make_site(auth="loopback")
    async with site.client() as client:
        told = (await client.get("/api/session")).json()
    assert (told["role"], told["csrf"]) == ("admin", "")


async def read_token(site: Site, client: httpx2.AsyncClient, task_id: str, **body: Any) -> str:
    """A token that reads this task."""
    answer = await client.post(f"/api/tasks/{task_id}/token", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.mark.parametrize("way", ["header", "address"])
async def test_a_read_token_opens_its_task_and_nothing_else(site: Site, way: str) -> None:
    """The task and its events; no other task, no list, nothing that changes it."""
    async with site.user("ann") as ann, site.client() as stranger:
        one, other = await site.submitted(ann), await site.submitted(ann)
        token = await read_token(site, ann, one["id"])
        given: dict[str, Any] = (
            {"headers": {"Authorization": f"Bearer {token}"}}
            if way == "header"
            else {"params": {"access_token": token}}
        )
        place = f"/api/tasks/{one['id']}"
        opened = [(await stranger.get(path, **given)).status_code for path in (place, f"{place}/events")]
        closed = {
            (await stranger.request(method, path, **given)).status_code
            for method, path in [
                ("GET", f"/api/tasks/{other['id']}"),
                ("GET", "/api/tasks"),
                ("GET", f"{place}/deliveries"),
                ("GET", "/api/notifications"),
                ("DELETE", place),
                ("POST", f"{place}/cancel"),
                ("POST", f"{place}/token"),
                ("POST", "/api/session"),
                ("GET", "/api/private"),
            ]
        }
        left = (await ann.get(place)).json()["status"]
    assert (opened, left) == ([200, 200], "pending")
    assert closed <= {401, 403, 404}


async def test_a_read_token_ends_with_its_time(make_site: MakeSite) -> None:
    """Minutes, an hour at most."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    async with site.admin as admin, site.client() as stranger:
        task = await site.submitted(admin)
        given = {"access_token": await read_token(site, admin, task["id"], seconds=60)}
        alive = await stranger.get(f"/api/tasks/{task['id']}", params=given)
        clock.advance(60)
        over = await stranger.get(f"/api/tasks/{task['id']}", params=given)
        long = await admin.post(f"/api/tasks/{task['id']}/token", json={"seconds": 3601})
    assert (alive.status_code, over.status_code, long.status_code) == (200, 401, 422)


async def test_no_other_token_is_taken_from_the_address(site: Site) -> None:
    """Addresses end up in logs: neither the administrator's token nor a JWT nor a key works there."""
    async with site.admin as admin, site.client() as stranger:
        task = await site.submitted(admin)
        key = (await admin.post("/api/keys", json={"name": "k", "role": "admin"})).json()["key"]
        tokens = [site.app.credentials.token, issue_jwt(site.app.credentials, "ann"), key]
        place = f"/api/tasks/{task['id']}"
        found = [(await stranger.get(place, params={"access_token": one})).status_code for one in tokens]
    assert found == [401, 401, 401]


async def test_a_stranger_gets_no_read_token(site: Site) -> None:
    """Of a task that is not his it is 404, as if it were not there."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        task = await site.submitted(ann)
        answer = await bob.post(f"/api/tasks/{task['id']}/token")
    assert answer.status_code == 404


async def test_a_browser_follows_a_task_by_its_address(site: Site) -> None:
    """What an EventSource sends: no header of ours, the token in the address."""
    async with site.user("ann") as ann:
        task = await site.submitted(ann)
        token = await read_token(site, ann, task["id"])
    path = f"/api/tasks/{task['id']}/events?access_token={token}"
    stream = Stream(site.api, path, {"Accept": "text/event-stream"})
    await stream.until("event: accepted")
    await stream.leave()
    assert stream.status == 200
