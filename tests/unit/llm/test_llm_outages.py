"""Many calls over many providers, most of which are unwell."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from duly.model.chat import ModelAway, ModelPaused
from support.models import Heard, desk, fake, question, quiet, table

CALLS = 3000
SHARES = {"error": 0.5, "rate_limit": 0.3, "reset": 0.3}
FLAKY = [{"kind": kind, "share": share} for kind, share in SHARES.items()]
DEAD = [{"kind": "unauthorized"}, {"kind": "html"}]


@pytest.mark.slow
@pytest.mark.timeout(500)
async def test_three_thousand_calls_over_seven_providers() -> None:
    """One is healthy and capped, three fail often, three are dead: 99.9 % get an answer, the dead are left
    alone."""
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(fake(*faults, words=4))
            for faults in ([], *([one] for one in FLAKY + DEAD))
        ]
        settings = table(servers[0], rpm=6000, concurrency=4, stream=False, llm={"tries": 6, "cooldown": 1})
        for n, server in enumerate(servers[1:]):
            settings["providers"][f"p{n}"] = {"base_url": server.url, "model": "m", "stream": False}
        settings["providers"]["closed"] = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
        heard = Heard()
        one = await stack.enter_async_context(desk(settings, heard))
        slots = asyncio.Semaphore(24)

        async def call(n: int) -> bool:
            async with slots:
                try:
                    return bool((await one(question(str(n), seconds=60), quiet)).text)
                except (ModelAway, ModelPaused):
                    return False

        answered = sum(await asyncio.gather(*[call(n) for n in range(CALLS)]))
    asked = [line["provider"] for line in heard.of("llm_request")]
    assert answered >= 0.999 * CALLS
    assert max(asked.count(name) for name in ("p3", "p4", "closed")) < 10
