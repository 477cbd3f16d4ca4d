"""WebSockets: the lines of tasks and the inbox as flat messages, asked for and ended with the right code."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import MakeSite, Site
from talk import Talk

from duly.http import socket
from duly.http.identity import issue_jwt
from duly.store import journal, schema
from duly.testing import FakeClock


def talk(site: Site, path: str = "/ws/tasks", who: str = "ann") -> Talk:
    """A connection with a user's token in its header."""
    return Talk(site.api, path, {key.lower(): value for key, value in site.bearer(who).items()})


async def test_a_task_is_followed_line_by_line(site: Site) -> None:
    """Flat messages with task_id and seq, streamed output between them."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
    one = talk(site)
    one.say({"op": "subscribe", "task_ids": [id_]})
    await one.until(type="subscribed", names=[id_])
    [claimed] = await site.claim()
    part = journal.Part(id=id_, attempt=claimed.attempt, part=0, text="hello")
    await site.app.database.write(journal.stream, part)
    said = await one.until(type="partial", text="hello")
    assert (said["task_id"], said["cursor"]) == (id_, "2.1.0")
    await one.leave()
    lines = [(message["task_id"], message["seq"]) for message in one.got if message.get("seq")]
    assert lines == [(id_, 1), (id_, 2)]
    again = talk(site)
    again.say({"op": "subscribe", "task_ids": [id_], "after": said["cursor"]})
    await again.until(type="subscribed")
    async with site.user("ann") as ann:
        await ann.delete(f"/api/tasks/{id_}")
    await again.until(type="cancel_requested", seq=3)
    await again.leave()
    assert [message["type"] for message in again.got] == ["subscribed", "cancel_requested"]


async def test_all_of_mine_are_followed_and_left(site: Site) -> None:
    """`all`: the snapshot, each line of the owner's tasks, nothing of others; nothing after `unsubscribe`."""
    one = talk(site)
    one.say({"op": "subscribe", "all": True})
    await one.until(type="reset")
    async with site.user("ann") as ann, site.user("bob") as bob:
        await site.submitted(bob)
        id_ = (await site.submitted(ann))["id"]
        await one.until(type="accepted", task_id=id_)
        one.say({"op": "unsubscribe", "all": True})
        await one.until(type="unsubscribed", names=["all"])
        await site.submitted(ann)
    assert not site.api.state.duly.feed._followers
    await one.leave()
    assert [message["task_id"] for message in one.got if message["type"] == "accepted"] == [id_]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", "malformed_json"),
        ("[]", "invalid_input"),
        ({"op": "subscribe"}, "invalid_input"),
        ({"op": "shout", "all": True}, "invalid_input"),
        ({"op": "subscribe", "task_ids": ["x"], "all": True, "after": "1"}, "invalid_input"),
        ({"op": "subscribe", "task_ids": ["0" * 36]}, "task_not_found"),
        ({"op": "subscribe", "batch": "0" * 36}, "task_not_found"),
        ({"op": "subscribe", "all": True, "owner": "bob"}, "forbidden"),
        ('{"op": "subscribe", "all": true, "after": "\\u0000"}', "malformed_json"),
    ],
)
async def test_what_cannot_be_done_is_told_and_the_connection_stays(
    site: Site, message: Any, code: str
) -> None:
    """An error message with the error's code; the next order is heard."""
    one = talk(site)
    one.say(message)
    await one.until(type="error", code=code)
    one.say({"op": "subscribe", "all": True})
    await one.until(type="subscribed")
    await one.leave()


async def test_a_task_of_somebody_else_is_not_there(site: Site) -> None:
    """The same answer as for a task that does not exist."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
    bob = talk(site, who="bob")
    bob.say({"op": "subscribe", "task_ids": [id_]})
    assert (await bob.until(type="error"))["detail"] == f"there is no task {id_}"
    await bob.leave()


async def test_a_stop_of_the_server_closes_with_1001(site: Site) -> None:
    """Whatever is followed."""
    one = talk(site)
    await one.accepted
    site.api.state.stopping.set()
    assert await one.closed() == 1001


async def test_a_client_that_does_not_read_is_closed_with_1013(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many messages wait for it and no more."""
    monkeypatch.setattr(socket, "QUEUE", 3)
    one = talk(site)
    await one.accepted
    one.reading.clear()
    for _ in range(10):
        one.say("{}")
    assert await one.closed() == 1013


async def test_a_client_that_makes_no_room_is_closed_with_1013(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it follows waits for a while, and then no longer."""
    monkeypatch.setattr(socket, "QUEUE", 1)
    monkeypatch.setattr(socket, "PATIENCE_SECONDS", 0.01)
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        await site.finish(1)
    one = talk(site)
    await one.accepted
    one.reading.clear()
    one.say({"op": "subscribe", "task_ids": [id_]})
    assert await one.closed() == 1013


async def test_credentials_that_expire_end_the_connection_with_1008(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the token does, not with the next request."""
    monkeypatch.setattr(socket, "RECHECK_SECONDS", 0.01)
    clock = FakeClock()
    site = await make_site(clock=clock)
    token = issue_jwt(site.app.credentials, "ann", "", 60, now_ms=clock.now_ms())
    one = Talk(site.api, "/ws/tasks", {"authorization": f"Bearer {token}"})
    await one.accepted
    clock.advance(61)
    assert await one.closed() == 1008


async def test_the_inbox_is_told_line_by_line(site: Site) -> None:
    """One flat notification per message, from `after` on; nobody else's."""
    for number, owner in enumerate(("ann", "bob", "ann")):
        await notify(site, number, owner)
    one = talk(site, "/ws/notifications?after=0")
    await one.until(title="2")
    await notify(site, 3, "ann")
    last = await one.until(title="3")
    await one.leave()
    assert [message["title"] for message in one.got] == ["0", "2", "3"]
    assert {"id", "task_id", "type", "created_at", "read_at"} <= last.keys()
    again = talk(site, f"/ws/notifications?after={one.got[1]['id']}")
    await again.until(title="3")
    await again.leave()
    assert [message["title"] for message in again.got] == ["3"]


async def notify(site: Site, number: int, owner: str) -> None:
    """A line in an owner's inbox."""
    row = {"delivery_id": f"d{number}", "task_id": "t", "tenant": "", "owner": owner}
    row |= {"type": "task.completed", "body": f'{{"title": "{number}"}}', "created_at": number}
    await site.app.database.write(_insert, row)


def _insert(tx: Any, items: Any) -> list[None]:
    tx.core.execute(schema.notification.insert(), list(items))
    return [None for _ in items]
