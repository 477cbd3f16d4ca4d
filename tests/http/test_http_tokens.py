"""The corpus of bad tokens: forged, expired, for another use, or too much of anything."""

from __future__ import annotations

import pytest
from site_under_test import REFUSED, Site

from duly.clock import SystemClock
from support import corpora

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = [one["name"] for one in corpora.load("jwt")["token"]]


@pytest.mark.parametrize("name", NAMES)
async def test_a_bad_token_is_refused(shared: Site, name: str) -> None:
    """Each token of the corpus is 401 with a challenge and the one message."""
    token = corpora.bad_tokens(shared.app.credentials.jwt_secret, SystemClock().now_ms() // 1000)[name]
    async with shared.client() as client:
        answer = await client.get("/api/tasks", headers=[(b"Authorization", f"Bearer {token}".encode())])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="duly", error="invalid_token"'
    assert answer.json()["detail"] == REFUSED


async def test_the_corpus_tells_its_tokens_apart() -> None:
    """No name stands twice: none of them hides another."""
    assert len(NAMES) == len(set(NAMES)) > 80


@pytest.mark.parametrize(
    "header",
    ["{token}", "Basic {token}", "bearer", "Bearer", "Bearer {token}x", "Bearer x{token}", "Bearer{token}"],
)
async def test_anything_but_the_right_bearer_is_refused(shared: Site, header: str) -> None:
    """Another scheme, or a token that is nearly right, is 401."""
    async with shared.client({"Authorization": header.format(token=shared.app.credentials.token)}) as client:
        answer = await client.get("/api/tasks")
    assert (answer.status_code, answer.json()["detail"]) == (401, REFUSED)
