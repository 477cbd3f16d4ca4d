"""What model calls cost over HTTP: one's own; for administrators everybody's, or whose they ask for."""

from __future__ import annotations

import pytest
from site_under_test import Site

from duly.store import ledger
from duly.store.ledger import Entry


async def spend(site: Site, *who: tuple[str, str]) -> None:
    """A call of each (tenant, owner)."""
    words = {
        "step": "s",
        "n": 1,
        "attempt": 1,
        "task_type": "demo",
        "provider": "p",
        "model": "m",
        "prompt": "x",
    }
    for number, (tenant, owner) in enumerate(who):
        entry = Entry(task_id=f"t{number}", tenant=tenant, owner=owner, prompt_tokens=7, **words)
        await site.app.database.write(ledger.enter, entry)


async def test_who_sees_what(site: Site) -> None:
    """A user his own, whatever he groups by; an administrator all, or those he names."""
    await spend(site, ("", "ann"), ("", "ann"), ("", "bob"), ("acme", "ann"))
    async with site.user("ann") as ann:
        found = (await ann.get("/api/usage", params={"by": "tenant,owner"})).json()
    assert [(row["tenant"], row["owner"], row["calls"]) for row in found["rows"]] == [("", "ann", 2)]
    async with site.admin as admin:
        found = (await admin.get("/api/usage", params={"by": "tenant,owner"})).json()
        his = (await admin.get("/api/usage", params={"by": "", "owner": "bob"})).json()
    assert [(row["tenant"], row["owner"], row["calls"]) for row in found["rows"]] == [
        ("", "ann", 2),
        ("", "bob", 1),
        ("acme", "ann", 1),
    ]
    (row,) = his["rows"]
    assert (row["calls"], row["prompt_tokens"], row["cost"], row["unpriced"]) == (1, 7, None, 1)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("by=colour", "by"),
        ("since=yesterday", "since"),
        ("until=2026-02-30", "until"),
        ("owner=a%00b", "NUL"),
        ("model=%0A", "model"),
    ],
    ids=["word", "since", "until", "nul", "line"],
)
async def test_a_wrong_question_is_a_problem(site: Site, query: str, told: str) -> None:
    """That names the parameter."""
    async with site.admin as admin:
        answer = await admin.get(f"/api/usage?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert told in answer.text
