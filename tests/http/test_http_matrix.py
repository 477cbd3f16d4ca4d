"""The authorisation matrix: every operation by every principal, as one table says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter
from site_under_test import SESSION, MakeSite, Site

from duly.config import SettingsError
from duly.deliver.inbox import InboxChannel
from duly.deliver.outbox import Outbox
from duly.http.api import create_api
from duly.http.permissions import RULES, check_known
from support.matrix import PRINCIPALS, TABLE, Cell, Matrix


class HandMatrix(Matrix):
    """A matrix whose deliveries are made by hand."""

    site: Site

    async def deliver(self) -> None:
        """Sends what is due."""
        await self.site.claim()
        database = self.site.app.database
        outbox = Outbox(database, channels={"inbox": InboxChannel(database)}, session=lambda: SESSION)
        await outbox.tick()
        await outbox.drain(5)


@pytest.fixture
async def plain(make_site: MakeSite) -> AsyncIterator[Matrix]:
    """A matrix of our own routes: those of an app are below."""
    site = await make_site()
    site.app.declared.route_specs.clear()
    site.api = create_api(site.app)
    async with site.client() as client:
        matrix = HandMatrix(client, site.app.credentials)
        matrix.site = site
        await matrix.prepare()
        yield matrix


@pytest.mark.timeout(300)
async def test_every_cell_is_as_the_table_says(plain: Matrix) -> None:
    """No operation that is not listed, no principal who gets more or less."""
    cells: list[Cell] = [cell async for cell in plain.cells()]
    wrong = [f"{one.name} {one.principal}: {one.got}, not {one.expected}" for one in cells if one.wrong]
    assert not wrong, "\n".join(wrong)
    assert len(cells) > 9 * 50


def test_the_table_and_the_permissions_name_the_same_operations() -> None:
    """A rule without a row would go unproved; a rule without a route would be a lie."""
    sockets = {name for name in RULES if name.startswith("WS ")}  # test_http_tickets
    assert RULES.keys() - sockets == TABLE["operations"].keys()
    assert len(PRINCIPALS) == 9


def test_a_route_without_a_rule_does_not_start() -> None:
    """Who adds a route says what it needs."""
    router = APIRouter()
    router.add_api_route("/api/forgotten", lambda: None, methods=["POST"])
    router.add_api_websocket_route("/ws/forgotten", lambda: None)
    with pytest.raises(SettingsError) as caught:
        check_known(router.routes)
    assert [problem.rpartition("what ")[2] for problem in caught.value.problems] == [
        "POST /api/forgotten needs",
        "WS /ws/forgotten needs",
    ]


@pytest.mark.parametrize(
    ("scopes", "statuses"), [(["tasks:read"], [200, 403]), (["tasks:write"], [403, 200]), ([], [200, 200])]
)
async def test_routes_of_an_app_read_and_write(site: Site, scopes: list[str], statuses: list[int]) -> None:
    """A safe method needs the scope tasks:read, any other tasks:write."""
    async with site.admin as admin:
        made = await admin.post("/api/keys", json={"name": "k", "owner": "ann", "scopes": scopes})
    async with site.client({"Authorization": f"Bearer {made.json()['key']}"}) as client:
        found = [
            (await client.get("/api/private")).status_code,
            (await client.post("/api/raw", content=b"x")).status_code,
        ]
    assert found == statuses
