"""A caller holds so many streams open; one more is a 429 that says so, until one has ended."""

from __future__ import annotations

import asyncio

from site_under_test import MakeSite, Site, Stream
from talk import Talk


def stream(site: Site, who: str = "ann") -> Stream:
    return Stream(site.api, "/api/events", {"Accept": "text/event-stream", **site.bearer(who)})


def talk(site: Site, who: str = "ann") -> Talk:
    return Talk(site.api, "/ws/tasks", {key.lower(): value for key, value in site.bearer(who).items()})


async def test_one_stream_too_many_is_refused_until_one_has_ended(make_site: MakeSite) -> None:
    """Streams and sockets count together; others, and other requests, are not held up."""
    site = await make_site(stream_limit=2)
    first, second = stream(site), talk(site)
    await first.until("reset")
    second.say({"op": "subscribe", "all": True})
    await second.until(type="reset")
    async with site.user("ann") as ann:
        async with asyncio.timeout(5):  # a stream has no end
            refused = await ann.get("/api/events", headers={"Accept-Language": "zh"})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert refused.headers["retry-after"]
        assert refused.json()["title"] == "打开的实时流过多"
        assert (await ann.get("/api/tasks")).status_code == 200
    closed = talk(site)
    assert await closed.closed() == 1013
    other = stream(site, "bob")
    await other.until("reset")
    for one in (first, second, other):
        await one.leave()
    again, too = stream(site), talk(site)
    await again.until("reset")
    too.say({"op": "subscribe", "all": True})
    await too.until(type="reset")
    await again.leave()
    await too.leave()
    assert not site.api.state.duly.seats._taken


async def test_a_head_takes_no_seat(make_site: MakeSite) -> None:
    """It asks who may read."""
    site = await make_site(stream_limit=1)
    async with site.user("ann") as ann:
        assert [(await ann.head("/api/events")).status_code for _ in range(3)] == [200] * 3
