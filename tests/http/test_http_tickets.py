"""Who may open a WebSocket, from which page, to follow what (corpora/websocket.toml); what tickets are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from site_under_test import MakeSite, Site
from talk import Talk

from duly.clock import iso
from duly.testing import FakeClock
from support.handshakes import ALLOWED, HANDSHAKES, ORDERS, Handshake, Order
from support.patience import PATIENCE

HOST = "127.0.0.1:8000"
OURS = f"http://{HOST}"


@pytest.fixture
async def clocked(make_site: MakeSite) -> tuple[Site, FakeClock]:
    """A site under a clock of ours."""
    clock = FakeClock()
    return await make_site(clock=clock, origins=f"{ALLOWED}, https://b.example.com/"), clock


async def ticket(site: Site, token: str, route: str = "/ws/tasks") -> str:
    """A fresh one."""
    async with site.client({"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post("/api/tickets", json={"route": route})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


async def shown(site: Site, clock: FakeClock) -> dict[str, str]:
    """What a handshake may show."""
    token = site.app.credentials.token
    expired = await ticket(site, token)
    clock.advance(60)
    used = await ticket(site, token)
    one = Talk(site.api, f"/ws/tasks?ticket={used}")
    await one.accepted
    await one.leave()
    other = await ticket(site, token, "/ws/notifications")
    known = {"token": token, "expired": expired, "used": used, "other": other, "host": HOST, "ours": OURS}
    return {**known, "ticket": await ticket(site, token)}


def opened(site: Site, case: Handshake) -> Talk:
    """The handshake of a case."""
    raw: dict[str, str] = {"authorization": case.header} if case.header else {}
    place = case.path + case.query
    return Talk(site.api, place, raw, protocols=case.protocols, origins=case.origins, host=HOST)


@pytest.mark.parametrize("case", HANDSHAKES, ids=lambda case: case.name)
async def test_only_who_may_opens_a_socket(clocked: tuple[Site, FakeClock], case: Handshake) -> None:
    """All others are closed with 1008 before a message is exchanged."""
    site, clock = clocked
    one = opened(site, case.filled(await shown(site, clock)))
    if case.opens:
        await one.accepted
        await one.leave()
    else:
        assert await one.closed() == 1008
        assert not one.accepted.done()


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
async def test_what_is_not_hers_is_not_followed(site: Site, order: Order) -> None:
    """It is refused, and the connection stays without it."""
    async with site.user("ann") as ann, site.user("bob") as bob, site.user("ann", "elsewhere") as carol:
        batch = await bob.post("/api/batches", json={"tasks": [{"task_type": "echo"}]})
        ids = {"batch": batch.json()["id"]}
        for name, client in (("ann", ann), ("bob", bob), ("carol", carol)):
            ids[name] = (await site.submitted(client))["id"]
    one = Talk(site.api, "/ws/tasks", {"authorization": site.bearer("ann")["Authorization"]})
    one.say(order.filled(ids))
    one.say({"op": "unsubscribe", "all": True})
    assert await one.until(type="unsubscribed") == {"type": "unsubscribed", "names": []}
    await one.leave()
    assert [message.get("code", message["type"]) for message in one.got] == [order.code, "unsubscribed"]


async def test_the_token_among_the_subprotocols_is_never_echoed(site: Site) -> None:
    """Only our protocol's name is answered."""
    token = site.app.credentials.token
    one = Talk(site.api, "/ws/tasks", protocols=("duly.v1", f"duly.bearer.{token}"))
    assert await one.accepted == "duly.v1"
    await one.leave()
    two = Talk(site.api, "/ws/tasks", protocols=(f"duly.bearer.{token}",))
    assert await two.accepted is None
    await two.leave()


async def test_a_ticket_is_its_owners(site: Site) -> None:
    """The socket that it opens sees what the user sees who asked for it."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        his = (await site.submitted(bob))["id"]
        answer = (await ann.post("/api/tickets", json={})).json()
    one = Talk(site.api, f"/ws/tasks?ticket={answer['ticket']}")
    one.say({"op": "subscribe", "task_ids": [his]})
    await one.until(type="error", code="task_not_found")
    await one.leave()


async def test_a_ticket_says_until_when(clocked: tuple[Site, FakeClock]) -> None:
    """A minute from now, and it is not kept as it is given."""
    site, clock = clocked
    async with site.admin as admin:
        answer = await admin.post("/api/tickets", json={})
        refused = await admin.post("/api/tickets", json={"route": "/api/tasks"})
    assert answer.json()["expires_at"] == iso(clock.now_ms() + 60_000)
    assert answer.headers["cache-control"] == "no-store"
    assert refused.status_code == 422
    kept = await site.app.database.read(_rows)
    assert answer.json()["ticket"] not in str(kept)


def _rows(tx: Any) -> list[Any]:
    return list(tx.core.exec_driver_sql("SELECT * FROM ticket").all())


@pytest.mark.parametrize(("seconds", "opens"), [(59, True), (60, False)])
async def test_a_ticket_opens_for_a_minute(
    clocked: tuple[Site, FakeClock], seconds: float, opens: bool
) -> None:
    """And no longer, though it is still there."""
    site, clock = clocked
    secret = await ticket(site, site.app.credentials.token)
    clock.advance(seconds)
    one = Talk(site.api, f"/ws/tasks?ticket={secret}")
    assert await _settled(one) is not opens
    await one.leave()


async def test_two_who_show_one_ticket_at_once_are_not_both_let_in(site: Site) -> None:
    """Whoever takes its row away enters."""
    one_ticket = await ticket(site, site.app.credentials.token)
    talks = [Talk(site.api, f"/ws/tasks?ticket={one_ticket}") for _ in range(5)]
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([one.task for one in talks], return_when=asyncio.FIRST_COMPLETED)
        closed = [one for one in talks if await _settled(one)]
    assert len(closed) == 4
    for one in talks:
        await one.leave()


async def _settled(one: Talk) -> bool:
    """Whether it was closed, as soon as that is known."""
    await asyncio.wait([one.accepted, one.task], return_when=asyncio.FIRST_COMPLETED)
    return not one.accepted.done()


async def test_tickets_that_nobody_used_go(clocked: tuple[Site, FakeClock]) -> None:
    """With the next one that is asked for."""
    site, clock = clocked
    await ticket(site, site.app.credentials.token)
    clock.advance(61)
    await ticket(site, site.app.credentials.token)
    assert len(await site.app.database.read(_rows)) == 1


async def test_a_page_of_this_host_opens_a_socket_with_auth_loopback(make_site: MakeSite) -> None:
    """And no other page."""
    site = await make_site(auth="loopback")
    one = Talk(site.api, "/ws/tasks", origins=(OURS,), host=HOST)
    await one.accepted
    await one.leave()
    two = Talk(site.api, "/ws/tasks", origins=("https://evil.example",), host=HOST)
    assert await two.closed() == 1008
