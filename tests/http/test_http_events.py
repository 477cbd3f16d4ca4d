"""A task's timeline: as a list, as a live stream, resumed, ended, never held back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from site_under_test import Site, Stream, parsed

from duly.http import sse
from duly.model.events import EventType
from duly.store import journal

SSE = {"Accept": "text/event-stream"}


def stream(site: Site, id_: str, **headers: str) -> Stream:
    """Ann's live stream of a task."""
    return Stream(site.api, f"/api/tasks/{id_}/events", {**SSE, **site.bearer("ann"), **headers})


async def test_the_timeline_is_a_list(site: Site) -> None:
    """JSON unless a stream is asked for; `after` and `limit` choose a part."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}/events"
        await site.finish(1)
        all_ = (await ann.get(path)).json()["events"]
        rest = (await ann.get(path, params={"after": 1, "limit": 1})).json()["events"]
    assert [(event["seq"], event["type"]) for event in all_] == [
        (1, "accepted"),
        (2, "started"),
        (3, "completed"),
    ]
    assert rest == all_[1:2]
    assert all_[0].keys() == {"seq", "type", "at", "data"}


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=99999999999999999999", "limit=0", "limit=1001"]
)
async def test_a_place_that_is_none_is_refused(site: Site, query: str) -> None:
    """422, never an overflow in the database."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}/events?{query}"
        assert (await ann.get(path)).status_code == 422


async def test_a_stream_tells_the_story_to_its_end(site: Site) -> None:
    """What has been comes first, then each line as it commits; after the last one the stream ends."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        live = stream(site, id_)
        await live.until("accepted")
        await site.finish(1)
        events = parsed(await live.ended())
    assert [(event["id"], event["event"]) for event in events] == [
        ("1", "accepted"), ("2", "started"), ("3", "completed"),
    ]  # fmt: skip
    assert json.loads(events[2]["data"])["seq"] == 3


async def test_a_stream_has_the_headers_of_a_stream(site: Site) -> None:
    """Not cached, not buffered by a proxy, with a hint when to come back."""
    async with site.user("ann") as ann:
        live = stream(site, (await site.submitted(ann))["id"])
        text = await live.until("accepted")
        await live.leave()
    assert live.headers["content-type"].startswith("text/event-stream")
    assert (live.headers["cache-control"], live.headers["x-accel-buffering"]) == ("no-store", "no")
    assert text.startswith("retry: ")


async def test_a_reader_resumes_after_the_last_event_he_saw(site: Site) -> None:
    """Last-Event-ID is where the stream goes on: nothing twice, nothing lost."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        await site.finish(1)
    events = parsed(await stream(site, id_, **{"Last-Event-ID": "2"}).ended())
    assert [event["id"] for event in events] == ["3"]


@pytest.mark.parametrize("last", ["3", "999"])
async def test_a_reader_who_has_seen_all_is_told_to_stop(site: Site, last: str) -> None:
    """204 after the end: an EventSource would reconnect for ever after any other answer."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        await site.finish(1)
    live = stream(site, id_, **{"Last-Event-ID": last})
    assert (await live.ended(), live.status) == ("", 204)


async def test_partial_output_is_resumed_where_it_was_cut(site: Site) -> None:
    """Its id is its place: the last line, the attempt, the part; whoever comes back with it gets the rest."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        [claimed] = await site.claim()
        live = stream(site, id_)
        await live.until("started")
        for number, text in enumerate(("one\n\ndata: two\r\nevent: x", "three")):
            part = journal.Part(id=id_, attempt=claimed.attempt, part=number, text=text)
            await site.app.database.write(journal.stream, part)
            await live.until(f'"part":{number}')
        events = parsed(live.text)[-2:]
        await live.leave()
        again = stream(site, id_, **{"Last-Event-ID": "2.1.0"})
        await again.until("three")
        await again.leave()
    assert [(event["event"], event["id"]) for event in events] == [("partial", "2.1.0"), ("partial", "2.1.1")]
    assert json.loads(events[0]["data"])["text"] == "one\n\ndata: two\r\nevent: x"
    assert [json.loads(event["data"])["text"] for event in parsed(again.text)] == ["three"]


async def test_a_line_after_partial_output_keeps_the_place_in_it(site: Site) -> None:
    """An EventSource knows one id only: that of the last event, which must not forget the part."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        [claimed] = await site.claim()
        live = stream(site, id_)
        part = journal.Part(id=id_, attempt=claimed.attempt, part=0, text="one")
        await site.app.database.write(journal.stream, part)
        await live.until("partial")
        await ann.delete(f"/api/tasks/{id_}")
        await live.until("cancel_requested")
        await live.leave()
    assert parsed(live.text)[-1]["id"] == "3.1.0"


async def test_text_of_a_handler_stays_in_its_field(site: Site) -> None:
    """Line ends, NUL-free controls and separators in a log line are one event, unchanged."""
    text = "a\nb\r\nid: 9\n\nevent: forged\ndata: x\u2028y\u0085z\x0b"
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        [claimed] = await site.claim()
        line = ((EventType.LOG, {"level": "info", "message": text}),)
        lines = journal.Lines(id=id_, attempt=claimed.attempt, events=line)
        await site.app.database.write(journal.append, lines)
        await ann.delete(f"/api/tasks/{id_}")
    live = stream(site, id_)
    await live.until("cancel_requested")
    events = parsed(live.text)
    await live.leave()
    assert [event["event"] for event in events] == ["accepted", "started", "log", "cancel_requested"]
    assert json.loads(events[2]["data"])["data"]["message"] == text


async def test_streams_end_when_the_server_stops(site: Site) -> None:
    """Open streams end, whole, as soon as the server begins to drain."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
    streams = [stream(site, id_) for _ in range(5)]
    for live in streams:
        await live.until("accepted")
    site.api.state.stopping.set()
    for live in streams:
        text = await live.ended()
        assert text.endswith("}\n\n")
        assert ": ping" not in text


async def test_a_reader_who_leaves_leaves_nothing_behind(site: Site) -> None:
    """After a disconnect nobody listens to the database any more."""
    before = len(site.app.database._listeners)
    async with site.user("ann") as ann:
        live = stream(site, (await site.submitted(ann))["id"])
        await live.until("accepted")
        assert len(site.app.database._listeners) > before
        await live.leave()
    assert len(site.app.database._listeners) == before


async def test_head_of_a_stream_ends_at_once(site: Site) -> None:
    """HEAD gets the stream's headers and no stream."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}/events"
        answer = await ann.head(path, headers=SSE)
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_silence_is_filled_with_pings() -> None:
    """Proxies close what is silent, so a comment goes out whenever nothing else did."""
    told = asyncio.Event()

    async def frames() -> Any:
        await told.wait()
        yield "data: x\n\n"

    got = []
    async for frame in sse.stream(frames(), asyncio.Event(), ping=0.001):
        got.append(frame)
        if len(got) == 4:
            told.set()
    assert got[1:4] == [": ping\n\n"] * 3
    assert got[-1] == "data: x\n\n"


async def test_a_stream_that_breaks_is_cut_off_not_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in the middle is not made to look like the end: the connection breaks and the log tells."""
    told: list[str] = []
    monkeypatch.setattr(site.app, "emit", lambda name, /, **fields: told.append(name))

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")
        yield

    monkeypatch.setattr("duly.http.timeline.follow", broken)
    async with site.user("ann") as ann:
        live = stream(site, (await site.submitted(ann))["id"])
        with pytest.raises(RuntimeError):
            await live.ended()
    assert told[-1] == "http.error"
