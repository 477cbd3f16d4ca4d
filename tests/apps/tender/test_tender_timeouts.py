"""A model that does not answer: what a task says between attempts, at its end, and while nobody is there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from desks import Desk, accepted, look, text

from duly.llm.fake.server import FakeServer
from duly.testing import harness
from duly_apps.tender import duly, model
from support.models import fake, table

SLOW_MODEL = "LLM 请求超时，请检查网络或稍后再试"
HANG = {"kind": "hang", "seconds": 60}
#: Requests of one call: one at each provider.
TRIES = 2


@contextlib.asynccontextmanager
async def asking(
    folder: Path, first: FakeServer, second: FakeServer, *, seconds: float = 0.1, **llm: Any
) -> AsyncIterator[Desk]:
    """A desk that asks two providers, each so long."""
    settings = table(first, timeout=seconds, llm={"tries": TRIES, **llm})
    settings["providers"]["second"] = {**settings["providers"]["main"], "base_url": second.url}
    async with harness(duly, folder, llm=settings) as inside:
        yield Desk(inside)


@pytest.fixture(autouse=True)
def _model_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(model.ENGINE_ENV, "model")


async def test_a_task_between_two_attempts(tmp_path: Path) -> None:
    """001-23: no provider answers in time: one retry is counted, the reason told; then it completes."""
    once = {**HANG, "first": 1}
    async with (
        fake(once) as first,
        fake(once) as second,
        asking(tmp_path, first, second, seconds=1) as desk,
    ):
        client = desk.user("alice", "zh-CN")
        id_ = accepted(await text(client))["id"]
        await desk.inside.run_until_idle()
        task = await look(client, id_)
        told = [task[name] for name in ("status", "retry_count", "max_retries", "error", "error_code")]
        assert told == ["retry", 1, 3, SLOW_MODEL, "llm_timeout"]
        english = (await look(desk.user("alice"), id_))["error"]
        assert english.startswith("The model did not answer in time (Timeout after 1s)")
        await desk.inside.advance(10)
        task = await look(client, id_)
        assert (task["status"], task["retry_count"], task["error"]) == ("completed", 1, None)


async def test_a_task_that_used_its_retries_up(tmp_path: Path) -> None:
    """001-24: failed after the last retry, and the metadata say so; the providers are there for others."""
    answers_others = {"failures": 99}
    async with (
        fake(HANG) as first,
        fake(HANG) as second,
        asking(tmp_path, first, second, **answers_others) as desk,
    ):
        client = desk.user("alice", "zh-CN")
        id_ = accepted(await text(client, max_retries="3"))["id"]
        for _ in range(4):
            await desk.inside.advance(60)
        task = await look(client, id_)
        told = [task[name] for name in ("status", "retry_count", "max_retries", "attempt", "error", "result")]
        assert told == ["failed", 3, 3, 4, SLOW_MODEL, None]
        assert (task["metadata"]["retry_exhausted"], task["metadata"]["source"]) == (True, "text")
        assert first.book.number + second.book.number == 4 * TRIES


async def test_a_task_waits_while_no_provider_is_there(tmp_path: Path) -> None:
    """Each provider closes after three timeouts: then the task waits and is charged no more (0039)."""
    async with (
        fake(HANG) as first,
        fake(HANG) as second,
        asking(tmp_path, first, second, cooldown=300) as desk,
    ):
        client = desk.user("alice")
        id_ = accepted(await text(client))["id"]
        for _ in range(5):
            await desk.inside.advance(20)
        assert (await look(client, id_))["status"] == "waiting"
        assert first.book.number == second.book.number == 3
