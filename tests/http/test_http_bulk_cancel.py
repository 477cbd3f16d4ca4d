"""Many tasks cancelled by one request: chosen as a list chooses, bounded, the caller's own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from site_under_test import Site


async def asked(client: Any, **body: Any) -> tuple[int, Any]:
    answer = await client.post("/api/tasks/cancel", json=body)
    return answer.status_code, answer.json()


async def test_those_that_fit_and_live_are_cancelled(site: Site) -> None:
    """Waiting ones at once, running ones are asked; others and those of others stay."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        for _ in range(2):
            await site.submitted(ann, tags=["old"])
        await site.claim()
        await site.submitted(ann, tags=["old"], due=60)
        await site.submitted(ann)
        await site.submitted(bob, tags=["old"])
        first = await asked(ann, where={"tag": "old"})
        again = await asked(ann, where={"tag": "old"})
        tasks = (await ann.get("/api/tasks")).json()["tasks"]
        bobs = (await bob.get("/api/tasks")).json()["tasks"]
    assert first == (200, {"cancelled": 3, "more": False})
    assert again == (200, {"cancelled": 0, "more": False})
    stand = Counter((task["status"], task["cancel_requested"]) for task in tasks)
    assert stand == {("running", True): 2, ("cancelled", False): 1, ("pending", False): 1}
    assert [task["status"] for task in bobs] == ["pending"]


async def test_the_members_of_a_batch_are_chosen_by_it(site: Site) -> None:
    """And a limit says that it left some."""
    async with site.user("ann") as ann:
        ids = [(await site.submitted(ann))["id"] for _ in range(3)]
        code, told = await asked(ann, ids=ids, limit=2)
        none = await asked(ann, where={"batch": ids[0]})
    assert (code, told) == (200, {"cancelled": 2, "more": True})
    assert none == (200, {"cancelled": 0, "more": False})


@pytest.mark.parametrize("body", [{}, {"where": {}}, {"where": {"status": "failed"}}, {"where": {"x": 1}}])
async def test_all_tasks_are_never_meant_by_saying_nothing(site: Site, body: Any) -> None:
    """A word at least, and none for those that have ended."""
    async with site.user("ann") as ann:
        assert (await asked(ann, **body))[0] == 422
