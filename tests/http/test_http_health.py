"""/livez, /readyz and /health: what an orchestrator asks, without credentials."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import MakeSite, Site

from duly.http import health
from duly.store import sqlite
from duly.testing import FakeClock


async def test_livez_asks_nobody(site: Site) -> None:
    """The process lives even when its database does not."""
    site.app.database.close()
    async with site.client() as client:
        assert (await client.get("/livez")).status_code == 200


async def test_readyz_is_ready_when_all_is_well(site: Site) -> None:
    """A started app with a working database is ready."""
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_readyz_repeats_what_a_part_says(make_site: MakeSite) -> None:
    """A part that is not well makes the process unready, with its reason."""
    site = await make_site(api={"ready": lambda: (False, "failing: claim")})
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "failing: claim")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_readyz_is_not_ready_without_a_database(site: Site) -> None:
    """The probe reads and takes the write lock; a closed database does neither."""
    site.app.database.close()
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the database cannot be used now")


async def test_readyz_does_not_wait_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer in time is not ready."""
    import asyncio

    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(site.app.database, "read", never)
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, "0.01 seconds" in answer.json()["detail"]) == (503, True)


async def test_readyz_is_not_ready_while_draining(site: Site) -> None:
    """When the server begins to stop, no new work is sent here."""
    site.api.state.stopping.set()
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the server is draining")


async def test_readyz_is_not_ready_while_the_write_lock_is_taken(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that can be read but not written is not ready."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    database = site.app.database
    assert database.footing is not None
    other = sqlite.connect(database.driver.path, database.footing.journal)
    other.execute("BEGIN IMMEDIATE")
    async with site.client() as client:
        taken = await client.get("/readyz")
        other.execute("ROLLBACK")
        monkeypatch.setattr(health, "PROBE_SECONDS", 10)
        free = await client.get("/readyz")
    other.close()
    assert (taken.status_code, free.status_code) == (503, 200)


async def test_health_counts_living_workers(make_site: MakeSite) -> None:
    """Status, version and worker sessions whose lease still runs."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    async with site.client() as client:
        answers = [(await client.get("/health")).json()]
        await site.claim()
        answers.append((await client.get("/health")).json())
        clock.advance(31)
        answers.append((await client.get("/health")).json())
    assert [(answer["status"], answer["workers"]) for answer in answers] == [("ok", 0), ("ok", 1), ("ok", 0)]
    assert answers[0]["version"]
