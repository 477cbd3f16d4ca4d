"""CORS: a listed page calls with a token and reads the answers; no other page is told anything."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from site_under_test import MakeSite, Site, Stream
from test_http_sessions import signed_in

LISTED = "https://app.example.com"
#: Pages that are not listed, and what no browser sends.
FOREIGN = [
    *("https://evil.example", "null", "", "*", "http://app.example.com", f"{LISTED}:8443", f"{LISTED}/"),
    *(
        f"{LISTED}.evil.example",
        "https://evilapp.example.com",
        "https://other.example, https://app.example.com",
    ),
]
ASKS = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.fixture
async def open_site(make_site: MakeSite) -> Site:
    """A site whose setting names two origins."""
    return await make_site(origins=f"https://other.example/, {LISTED}")


def told(answer: httpx2.Response) -> dict[str, str]:
    """What an answer tells a browser of other origins."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


async def test_a_listed_page_calls_with_a_token(open_site: Site) -> None:
    """It may read the answer, its headers, and why it was refused; never with a cookie."""
    async with open_site.client({"Origin": LISTED, **open_site.bearer("ann")}) as page:
        made = await page.post("/api/tasks", json={"task_type": "echo"})
        refused = [await page.post("/api/tasks", json={}), await page.get("/nowhere")]
    async with open_site.client({"Origin": LISTED}) as stranger:
        refused.append(await stranger.get("/api/tasks"))
    assert (made.status_code, [one.status_code for one in refused]) == (202, [422, 404, 401])
    for answer in (made, *refused):
        assert set(told(answer)) == {"access-control-allow-origin", "access-control-expose-headers"}
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert "Origin" in answer.headers["vary"]
    readable = made.headers["access-control-expose-headers"].lower().split(", ")
    assert {"location", "retry-after", "duly-retention", "x-request-id", "etag"} <= set(readable)
    assert {"location", "retry-after", "duly-retention", "x-request-id", "etag"} <= set(made.headers)


async def test_a_listed_page_asks_first(open_site: Site) -> None:
    """A preflight needs no credentials, and names what may be sent."""
    async with open_site.client({"Origin": "https://other.example", **ASKS}) as page:
        answer = await page.options("/api/tasks")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://other.example"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert {"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "Prefer"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["access-control-max-age"] == "600"


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_page_is_told_anything(open_site: Site, origin: str) -> None:
    """Neither before nor with an answer; caches learn that it depends."""
    async with open_site.client({"Origin": origin}) as page:
        asked = await page.options("/api/tasks", headers=ASKS)
        answer = await page.get("/livez")
    assert (told(asked), told(answer)) == ({}, {})
    assert answer.headers["vary"] == "Origin"


async def test_two_origins_are_none(open_site: Site) -> None:
    """No browser sends two."""
    async with open_site.client() as page:
        answer = await page.get("/livez", headers=[("Origin", LISTED), ("Origin", LISTED)])
    assert told(answer) == {}


async def test_it_is_closed_as_long_as_nothing_is_listed(site: Site) -> None:
    """Nothing is told to anybody."""
    async with site.client({"Origin": LISTED, **site.bearer("ann")}) as page:
        answers = [await page.get("/api/tasks"), await page.options("/api/tasks", headers=ASKS)]
    assert [told(one) for one in answers] == [{}, {}]


async def test_a_listed_page_does_not_act_by_the_cookie(open_site: Site) -> None:
    """Not even with the session's proof, and no browser lets it read what came with the cookie."""
    async with open_site.client() as browser:
        ours = await signed_in(open_site, browser)
        forged = await browser.post(
            "/api/tasks", json={"task_type": "echo"}, headers={**ours, "Origin": LISTED}
        )
        read = await browser.get("/api/tasks", headers={"Origin": LISTED})
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf")
    assert read.json()["tasks"] == []
    assert "access-control-allow-credentials" not in {**told(read), **told(forged)}


async def test_an_event_source_elsewhere_follows_with_a_read_token(open_site: Site) -> None:
    """It sends no header; the read token stands in the address."""
    async with open_site.user("ann") as ann:
        id_ = (await open_site.submitted(ann))["id"]
        token = (await ann.post(f"/api/tasks/{id_}/token")).json()["token"]
    headers = {"Origin": LISTED, "Accept": "text/event-stream"}
    live = Stream(open_site.api, f"/api/tasks/{id_}/events?access_token={token}", headers)
    await live.until("accepted")
    await live.leave()
    assert (live.status, live.headers["access-control-allow-origin"]) == (200, LISTED)


async def test_with_loopback_only_pages_of_this_host_act(make_site: MakeSite) -> None:
    """A listed page of elsewhere is refused all the same: everybody is the administrator there."""
    site = await make_site(auth="loopback", origins=f"{LISTED}, http://localhost:3000")
    body: dict[str, Any] = {"json": {"task_type": "echo"}}
    async with (
        site.client({"Origin": LISTED}) as far,
        site.client({"Origin": "http://localhost:3000"}) as near,
    ):
        refused, made = await far.post("/api/tasks", **body), await near.post("/api/tasks", **body)
    assert (refused.status_code, refused.json()["code"], made.status_code) == (403, "foreign_origin", 202)
    assert told(made)["access-control-allow-origin"] == "http://localhost:3000"
