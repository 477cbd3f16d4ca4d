"""The value of an answer is the same in the attempt that asked as in one that remembers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duly import Context, Duly, Retry, testing
from support.models import Share, fake, table

duly = Duly()
OFFLINE = {"providers": {"rules": {"kind": "offline"}}}


seen: list[Any] = []


@duly.task("share", max_retries=3)
async def share(ctx: Context) -> None:
    seen.append((await ctx.llm.chat("share", "How much?", schema=Share)).value)
    if ctx.attempt == 1:
        raise Retry(after=0)


@duly.task("by.rules", max_retries=3)
async def by_rules(ctx: Context) -> None:
    seen.append((await ctx.llm.chat("rules", "What?", offline=lambda: {1: (2, 3)})).value)
    if ctx.attempt == 1:
        raise Retry(after=0)


@duly.task("by.wrong.rules")
async def by_wrong_rules(ctx: Context) -> None:
    await ctx.llm.chat("rules", "How much?", schema=Share, offline=lambda: {"share": "much"})


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


async def test_a_replay_gives_the_same_value(tmp_path: Path) -> None:
    """A validator is not given what it made."""
    async with (
        fake(answer=[{"texts": ['{"share": 50}']}]) as server,
        testing.harness(duly, tmp_path, llm=table(server)) as harness,
    ):
        task = await harness.submit("share")
        await harness.run_until_idle()
        await harness.advance(1)
        await harness.assert_completed(task.id)
    assert seen == [Share(share=50), Share(share=50)]


async def test_rules_give_what_a_replay_gives(tmp_path: Path) -> None:
    """Plain JSON, in the first attempt too."""
    async with testing.harness(duly, tmp_path, llm=OFFLINE) as harness:
        task = await harness.submit("by.rules")
        await harness.run_until_idle()
        await harness.advance(1)
        await harness.assert_completed(task.id)
    assert seen == [{"1": [2, 3]}, {"1": [2, 3]}]


async def test_rules_that_do_not_fit_are_not_recorded(tmp_path: Path) -> None:
    """The task fails and says why; once they are right, it can be run again."""
    async with testing.harness(duly, tmp_path, llm=OFFLINE) as harness:
        task = await harness.submit("by.wrong.rules")
        await harness.run_until_idle()
        failed = await harness.assert_failed(task.id, "invalid_answer")
        assert "does not fit: share" in str(failed.error)
        assert await harness.steps(task.id) == []
