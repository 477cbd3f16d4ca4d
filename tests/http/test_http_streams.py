"""The lines of many tasks in one stream: whose, from where, once each, to the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from site_under_test import Site, Stream, parsed

from duly.deliver import feed
from duly.model.state import Status


def stream(site: Site, path: str = "/api/events", who: str = "ann", **headers: str) -> Stream:
    """A live stream."""
    return Stream(site.api, path, {"Accept": "text/event-stream", **site.bearer(who), **headers})


def told(text: str) -> list[tuple[str, int, str]]:
    """The lines that a stream brought: (task, seq, type)."""
    found = [json.loads(one["data"]) for one in parsed(text)]
    return [(one["task_id"], one["seq"], one["type"]) for one in found if one.get("seq")]


def resets(text: str) -> list[dict[str, Any]]:
    """What each `reset` said."""
    return [json.loads(one["data"]) for one in parsed(text) if one["event"] == "reset"]


async def test_a_stream_begins_with_what_stands_and_goes_on_with_each_line(site: Site) -> None:
    """The snapshot holds the living tasks with their numbers; then come the lines of the owner's tasks."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        first = (await site.submitted(ann))["id"]
        await site.submitted(bob)
        live = stream(site)
        await live.until("reset")
        second = (await site.submitted(ann))["id"]
        await site.finish(1)
        for id_ in (first, second):
            await live.until(f'{{"task_id":"{id_}","seq":3')
        await live.leave()
    [reset] = resets(live.text)
    assert [(one["task_id"], one["seq"]) for one in reset["tasks"]] == [(first, 1)]
    assert (reset["reason"], reset["complete"]) == ("start", True)
    assert sorted(told(live.text)) == sorted(
        [(first, 2, "started"), (first, 3, "completed")]
        + [(second, seq, type_) for seq, type_ in enumerate(("accepted", "started", "completed"), 1)]
    )


async def test_a_reader_who_comes_back_gets_what_he_missed(site: Site) -> None:
    """With Last-Event-ID: no reset, nothing twice, nothing lost."""
    async with site.user("ann") as ann:
        live = stream(site)
        await live.until("reset")
        id_ = (await site.submitted(ann))["id"]
        await live.until("accepted")
        await live.leave()
        last = parsed(live.text)[-1]["id"]
        await site.finish(1)
        again = stream(site, **{"Last-Event-ID": last})
        await again.until("completed")
        await again.leave()
    assert resets(again.text) == []
    assert told(again.text) == [(id_, 2, "started"), (id_, 3, "completed")]


@pytest.mark.parametrize("last", ["t1", "r99999999.0", "nonsense", "r0.0", "r2.7"])
async def test_an_id_from_which_nothing_can_be_told_is_answered_with_a_reset(
    site: Site, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another database, of the future, none of ours, too far back, given again: the snapshot instead."""
    monkeypatch.setattr(feed, "REPLAY_LINES", 2)
    async with site.user("ann") as ann:
        for _ in range(3):
            await site.submitted(ann)
        live = stream(site, **{"Last-Event-ID": last})
        await live.until("reset")
        await live.leave()
    [reset] = resets(live.text)
    assert reset["reason"] == "too_old"
    assert len(reset["tasks"]) == 3


async def test_lines_that_were_deleted_are_answered_with_a_reset(site: Site) -> None:
    """The id is a row that is gone with its task: nobody can tell what else was there."""
    async with site.user("ann") as ann:
        await site.submitted(ann)
        live = stream(site)
        await live.until("reset")
        await site.submitted(ann)
        await live.until("accepted")
        await live.leave()
        last = parsed(live.text)[0]["id"]
        await site.app.database.write(_forget, None)
        again = stream(site, **{"Last-Event-ID": last})
        await again.until("too_old")
        await again.leave()


def _forget(tx: Any, _items: Any) -> list[None]:
    tx.core.exec_driver_sql("DELETE FROM event WHERE rowid <= 2")
    tx.core.exec_driver_sql("INSERT INTO event SELECT id, 2, 0, 'log', '{}' FROM task LIMIT 1")
    return [None]


async def test_the_administrator_sees_all_and_may_choose(site: Site) -> None:
    """A user who names somebody else is refused."""
    admin = {"Authorization": f"Bearer {site.app.credentials.token}"}
    all_, chosen = (Stream(site.api, path, admin) for path in ("/api/events", "/api/events?owner=bob"))
    for live in (all_, chosen):
        await live.until("reset")
    async with site.user("ann") as ann, site.user("bob") as bob:
        anns = (await site.submitted(ann))["id"]
        bobs = (await site.submitted(bob))["id"]
        assert (await ann.get("/api/events?owner=bob")).status_code == 403
    for live in (all_, chosen):
        await live.until(bobs)
        await live.leave()
    assert {id_ for id_, *_ in told(all_.text)} == {anns, bobs}
    assert {id_ for id_, *_ in told(chosen.text)} == {bobs}


async def batch(site: Site, client: Any, members: int) -> str:
    """A batch whose members are spawned, as a worker would."""
    body = {"tasks": [{"task_type": "echo"}] * members}
    return str((await client.post("/api/batches", json=body)).json()["id"])


async def test_a_batch_is_followed_to_its_end(site: Site) -> None:
    """Its own lines and its members'; `end` comes last, and whoever comes back with it is told to stop."""
    async with site.user("ann") as ann:
        id_ = await batch(site, ann, 2)
        live = stream(site, f"/api/batches/{id_}/events")
        await live.until("reset")
        await site.finish(None, target=Status.FAILED)
        text = await live.ended()
        last = parsed(text)[-1]
        assert (last["event"], last["id"]) == ("end", "end")
        assert (id_, 3, "failed") in told(text)
        path = f"/api/batches/{id_}/events"
        assert (await ann.get(path, headers={"Last-Event-ID": "end"})).status_code == 204
        other = (await site.submitted(ann))["id"]
        assert (await ann.get(f"/api/batches/{other}/events")).status_code == 404
    async with site.user("bob") as bob:
        assert (await bob.get(path)).status_code == 404


async def test_a_follower_who_does_not_keep_up_is_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many lines wait for him and no more; he resumes after what he has."""
    monkeypatch.setattr(feed, "QUEUE", 5)
    async with site.user("ann") as ann:
        live = stream(site)
        await live.until("reset")
        follower = next(iter(site.api.state.duly.feed._followers))
        await ann.post("/api/batches", json={"tasks": [{"task_type": "echo"}]})
        await live.until("accepted")
        for number in range(7):
            line = feed.Line(100 + number, "t", number + 1, 0, "log", {}, "", "ann", None)
            follower.take(line, f"r{number}")
            assert len(follower.lines) <= 5
        await live.ended()
    assert "r6" not in live.text
