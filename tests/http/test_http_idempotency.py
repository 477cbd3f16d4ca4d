"""Idempotency keys over processes: many who send the same at once make one task, on each database."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from site_under_test import Site
from sites_on_servers import KINDS, sites

CLIENTS = 50


async def sent(site: Site, who: str, key: str, **body: Any) -> Any:
    async with site.user(who) as client:
        request = {"task_type": "echo", **body}
        return await client.post("/api/tasks", json=request, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("kind", KINDS)
async def test_fifty_clients_with_one_key_make_one_task(kind: str, tmp_path: Path) -> None:
    """Each is answered with that task, or told that it conflicts; both spellings are one key."""
    async with sites(kind, tmp_path) as both:
        keys = ['"k-1"', "k-1"]
        answers = await asyncio.gather(
            *(sent(both[n % 2], "ann", keys[n // 2 % 2], input={"n": 1}) for n in range(CLIENTS))
        )
        async with both[0].admin as admin:
            tasks = (await admin.get("/api/tasks")).json()["tasks"]
    assert set(Counter(answer.status_code for answer in answers)) <= {202, 409}
    assert len(tasks) == 1
    assert {answer.json()["id"] for answer in answers if answer.status_code == 202} == {tasks[0]["id"]}
    replayed = sum(answer.headers.get("idempotency-replayed") == "true" for answer in answers)
    assert replayed == sum(answer.status_code == 202 for answer in answers) - 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_is_its_callers_own_and_stands_for_one_body(kind: str, tmp_path: Path) -> None:
    """Another body is 422; another user's same key is another task."""
    async with sites(kind, tmp_path, 1) as [site]:
        first = await sent(site, "ann", '"k"', input={"n": 1})
        other = await sent(site, "ann", '"k"', input={"n": 2})
        bobs = await sent(site, "bob", '"k"', input={"n": 2})
    assert (first.status_code, other.status_code, bobs.status_code) == (202, 422, 202)
    assert other.json()["code"] == "idempotency_conflict"
    assert bobs.json()["id"] != first.json()["id"]
