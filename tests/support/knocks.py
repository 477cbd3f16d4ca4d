"""What `make security` does to WebSockets: handshakes and orders of the corpus, and who hears what."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import closing, suppress
from typing import Any

import websockets

from duly.http.identity import issue_jwt
from duly.store.driver import choose
from support.attacks import Played, Target
from support.handshakes import HANDSHAKES, ORDERS, Handshake

#: Seconds in which an answer must come.
PATIENCE = 20
#: Ann's and bob's: what is left of this is in nobody else's way.
TENANT = "knocks"


async def sockets(target: Target) -> Played:
    """Who may open one, from which page; then what is not one's own is followed by nobody."""
    played = Played()
    for case in HANDSHAKES:
        values = await _shown(target)
        opened = await _opens(target, case.filled(values))
        played.count(opened == case.opens, f"socket, {case.name}: {'opened' if opened else 'refused'}")
    ids = await _tasks(target)
    for order in ORDERS:
        told = await _told(target, order.filled(ids), "error", "subscribed")
        right = [one["type"] for one in told] == ["error"] and told[0]["code"] == order.code
        played.count(right, f"socket, {order.name}: {told}")
    for heard in (await _all_of_hers(target, ids), await _inbox_of_hers(target)):
        played.count(heard == {"ann"}, f"socket, ann heard of {sorted(heard)}")
    return played


async def _opens(target: Target, case: Handshake) -> bool:
    """Whether the server lets it in."""
    headers = [("Origin", one) for one in case.origins]
    headers += [("Authorization", case.header)] if case.header else []
    try:
        connection = await _connected(target, case.path + case.query, headers, case.protocols)
    except websockets.InvalidStatus as refused:
        if not 400 <= refused.response.status_code < 500:
            raise
        return False
    await connection.close()
    return True


async def _connected(
    target: Target, place: str, headers: list[tuple[str, str]], protocols: tuple[str, ...] = ()
) -> websockets.ClientConnection:
    return await websockets.connect(
        target.origin.replace("http", "ws", 1) + place,
        additional_headers=headers,
        subprotocols=[websockets.Subprotocol(one) for one in protocols] or None,
        open_timeout=PATIENCE,
        proxy=None,
    )


async def _shown(target: Target) -> dict[str, str]:
    """What a handshake may show: fresh, used and expired."""
    host = target.origin.partition("://")[2]
    values = {"token": target.credentials.token, "host": host, "ours": target.origin}
    for name in ("ticket", "used", "expired", "other"):
        values[name] = await _ticket(target, "/ws/notifications" if name == "other" else "/ws/tasks")
    page = Handshake(name="", origins=(target.origin,), query=f"?ticket={values['used']}")
    assert await _opens(target, page)
    _age(target, values["expired"])
    return values


async def _ticket(target: Target, route: str) -> str:
    answer = await target.client.post("/api/tickets", json={"route": route}, headers=target.admin)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def _age(target: Target, ticket: str) -> None:
    """Its minute is over, though it is still there."""
    with closing(choose(target.database_url).connect()) as connection:
        words = {"hash": hashlib.sha256(ticket.encode()).hexdigest()}
        found = connection.execute("UPDATE ticket SET expires_at = 1 WHERE hash = :hash", words)
        assert found.rowcount == 1


def _header(target: Target, name: str, tenant: str = TENANT) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_jwt(target.credentials, name, tenant)}"}


async def _tasks(target: Target) -> dict[str, str]:
    """A task of each, and a batch of bob's."""
    ids = {}
    for name, who in {"ann": ("ann",), "bob": ("bob",), "carol": ("ann", "elsewhere")}.items():
        ids[name] = await _submitted(target, *who)
    tasks = {"tasks": [{"task_type": "echo"}]}
    batch = await target.client.post("/api/batches", json=tasks, headers=_header(target, "bob"))
    return {**ids, "batch": batch.json()["id"]}


async def _submitted(target: Target, name: str, tenant: str = TENANT, **body: Any) -> str:
    headers = {**_header(target, name, tenant), "Prefer": f"wait={PATIENCE}"}
    answer = await target.client.post("/api/tasks", json={"task_type": "echo", **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def _told(target: Target, order: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    """What ann is told up to the first message of one of these types."""
    connection = await _connected(target, "/ws/tasks", [*_header(target, "ann").items()])
    told: list[dict[str, Any]] = []
    async with connection, asyncio.timeout(PATIENCE):
        await connection.send(json.dumps(order))
        while not told or told[-1]["type"] not in types:
            told.append(json.loads(await connection.recv()))
    return told


async def _all_of_hers(target: Target, ids: dict[str, str]) -> set[str]:
    """Whose tasks ann hears of who follows all of hers, until one of hers has come after the others."""
    heard = set[str]()
    connection = await _connected(target, "/ws/tasks", [*_header(target, "ann").items()])
    async with connection, asyncio.timeout(PATIENCE):
        await connection.send(json.dumps({"op": "subscribe", "all": True}))
        while json.loads(await connection.recv())["type"] != "subscribed":
            pass
        owners = {await _submitted(target, *who): whose for whose, who in _OTHERS.items()}
        last = await _submitted(target, "ann")
        owners |= {ids["bob"]: "bob", ids["carol"]: "carol", ids["ann"]: "ann", last: "ann"}
        task = ""
        while task != last:
            task = json.loads(await connection.recv()).get("task_id", "")
            heard |= {owners.get(task, task)} - {""}
    return heard


async def _inbox_of_hers(target: Target) -> set[str]:
    """Whose tasks are in the inbox that ann follows from its beginning."""
    owners = {await _submitted(target, *who, deliver=["inbox"]): whose for whose, who in _OTHERS.items()}
    owners[await _submitted(target, "ann", deliver=["inbox"])] = "ann"
    heard = set[str]()
    connection = await _connected(target, "/ws/notifications?after=0", [*_header(target, "ann").items()])
    with suppress(TimeoutError):
        async with connection, asyncio.timeout(PATIENCE):
            while "ann" not in heard:
                task = json.loads(await connection.recv())["task_id"]
                heard.add(owners.get(task, task))
    return heard


_OTHERS = {"bob": ("bob",), "carol": ("ann", "elsewhere")}
