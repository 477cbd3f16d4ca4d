"""Gates of model providers over HTTP: who reads them, who closes and opens them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site

from duly.store import gates
from duly.store.gates import Failed, Lease


async def test_a_gate_is_closed_and_opened_by_hand(site: Site) -> None:
    """The answers say since when, until when, whose word it is and why; a user may read them."""
    await site.app.database.write(gates.lease, Lease(name="azure", holder="p", needs=(1,)))
    async with site.admin as admin, site.user("ann") as ann:
        said = {"seconds": 60, "by": "eve", "reason": "a new key comes"}
        closed = (await admin.post("/api/gates/azure/close", json=said)).json()
        assert (closed["state"], closed["by"], closed["reason"]) == ("stopped", "eve", "a new key comes")
        assert closed["until"] > closed["since"]
        assert (await ann.get("/api/gates")).json()["gates"] == [closed]
        for_ever = (await admin.post("/api/gates/azure/close")).json()
        assert (for_ever["state"], for_ever["until"]) == ("stopped", None)
        opened = (await admin.post("/api/gates/azure/open")).json()
        assert (opened["state"], opened["until"], opened["by"]) == ("new", None, None)


async def test_what_a_provider_said_is_shown_without_its_secrets(site: Site) -> None:
    """Its code and words, how often it was closed, and until when."""
    words = "no Bearer sk-0123456789abcdef0123456789 here"
    seen: dict[str, Any] = {"kind": "limited", "code": "429", "message": words, "at_once": True}
    seen |= {"probe": False, "most": 3, "ms": 5_000, "most_ms": 5_000}
    await site.app.database.write(gates.failed, Failed(name="azure", **seen))
    async with site.admin as admin:
        one = (await admin.get("/api/gates/azure")).json()
    assert (one["state"], one["kind"], one["code"], one["closings"]) == ("closed", "limited", "429", 1)
    assert "0123456789" not in one["reason"]


@pytest.mark.parametrize(
    "body",
    [{"seconds": 0}, {"seconds": "long"}, {"seconds": 1e12}, {"by": "x" * 65}, {"for": 3}, {"reason": 5}],
    ids=str,
)
async def test_what_is_no_closing_is_refused(site: Site, body: dict[str, Any]) -> None:
    """And nothing is closed."""
    await site.app.database.write(gates.lease, Lease(name="azure", holder="p", needs=(1,)))
    async with site.admin as admin:
        answer = await admin.post("/api/gates/azure/close", json=body)
        assert (answer.status_code, (await admin.get("/api/gates/azure")).json()["state"]) == (422, "new")


async def test_an_unknown_gate_is_not_found(site: Site) -> None:
    """Neither to look at nor to close or open."""
    paths = [("GET", ""), ("POST", "/close"), ("POST", "/open")]
    async with site.admin as admin:
        answers = [await admin.request(method, f"/api/gates/nobody{path}") for method, path in paths]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "gate_not_found")] * 3
