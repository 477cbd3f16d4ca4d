"""Weights over HTTP: give, list, take away; bad ones are a problem in words."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site


async def test_a_weight_is_given_and_taken_away(site: Site) -> None:
    """The answers tell what holds from then on."""
    share = {"owner": "ann", "tenant": "acme", "weight": 2}
    async with site.admin as admin:
        assert (await admin.put("/api/shares", json=share)).json() == share
        assert (await admin.get("/api/shares")).json() == {"shares": [share]}
        of = {"owner": "ann", "tenant": "acme"}
        cleared = [(await admin.delete("/api/shares", params=of)).json()["cleared"] for _ in range(2)]
        assert (await admin.get("/api/shares")).json() == {"shares": []}
    assert cleared == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        {"owner": "ann", "weight": 0},
        {"owner": "ann", "weight": 101},
        {"owner": "ann", "weight": "2"},
        {"owner": "ann", "weight": 1.5},
        {"owner": "a\n", "weight": 2},
        {"owner": "a" * 65, "weight": 2},
        {"weight": 2},
        {"owner": "ann"},
        {"owner": "ann", "weight": 2, "more": 1},
    ],
)
async def test_a_bad_weight_is_refused(site: Site, body: dict[str, Any]) -> None:
    """As a problem, and nothing is kept."""
    async with site.admin as admin:
        answer = await admin.put("/api/shares", json=body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await admin.get("/api/shares")).json() == {"shares": []}


@pytest.mark.parametrize("owner", ["a\n", " ann", "a" * 65])
async def test_a_name_that_nobody_has_is_refused(site: Site, owner: str) -> None:
    """To take a weight away as well."""
    async with site.admin as admin:
        answer = await admin.delete("/api/shares", params={"owner": owner})
    assert answer.status_code == 422
