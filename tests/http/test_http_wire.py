"""WebSockets on a real connection: what the protocol itself refuses, and what a stop says to a client."""

from __future__ import annotations

import json

import pytest
import websockets
from served import served
from site_under_test import Site

from duly.http.identity import issue_jwt


async def test_a_message_that_is_too_big_is_closed_with_1009(site: Site) -> None:
    """64 KiB are enough for an order."""
    async with served(site) as url:
        connection = await opened(site, url)
        await connection.send(json.dumps({"op": "subscribe", "all": True, "after": "x" * 70_000}))
        await connection.wait_closed()
        assert connection.close_code == 1009


async def test_a_binary_message_is_closed_with_1003(site: Site) -> None:
    """Orders are text."""
    async with served(site) as url:
        connection = await opened(site, url)
        await connection.send(b"{}")
        await connection.wait_closed()
        assert connection.close_code == 1003


async def test_a_page_without_credentials_gets_403(site: Site) -> None:
    """Before the connection is one."""
    async with served(site) as url:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url.replace("http", "ws") + "/ws/tasks", proxy=None)
    assert refused.value.response.status_code == 403


async def test_a_stop_says_1001_and_the_token_is_not_echoed(site: Site) -> None:
    """Over the subprotocol, as a page would."""
    token = issue_jwt(site.app.credentials, "ann")
    protocols = [websockets.Subprotocol(one) for one in ("duly.v1", f"duly.bearer.{token}")]
    async with served(site) as url:
        plain = url.replace("http", "ws") + "/ws/tasks"
        connection = await websockets.connect(plain, subprotocols=protocols, proxy=None)
        assert connection.subprotocol == "duly.v1"
        await connection.send(json.dumps({"op": "subscribe", "all": True}))
        assert json.loads(await connection.recv())["type"] in ("reset", "subscribed")
        site.api.state.stopping.set()
        await connection.wait_closed()
    assert connection.close_code == 1001


async def opened(site: Site, url: str) -> websockets.ClientConnection:
    """A connection of a program."""
    return await websockets.connect(
        url.replace("http", "ws") + "/ws/tasks", additional_headers=site.bearer("ann"), proxy=None
    )
