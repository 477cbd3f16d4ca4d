"""Answers that no database keeps: paid for, so they stand in the ledger, and nobody pays for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from duly import Context, Duly, testing
from duly.observe import usage
from duly.store import journal
from duly.testing import Harness
from support.models import fake, table

duly = Duly()


class Finding(BaseModel):
    """What is asked for; its validator does not know lists."""

    value: Any = None
    score: float = 0

    @field_validator("value")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if value == ["raises"]:
            raise KeyError(value[0])
        return value


@duly.task("talk", max_retries=1)
async def talk(ctx: Context) -> str:
    return (await ctx.llm.chat("ask", "Hello")).text


@duly.task("find", max_retries=1)
async def find(ctx: Context) -> Any:
    return (await ctx.llm.chat("find", "Find it", schema=Finding)).value.value


@duly.task("stream")
async def stream(ctx: Context) -> str:
    await ctx.emit("on its way")
    return "done"


async def kept(harness: Harness) -> tuple[int, int]:
    """How many answers the ledger has, and how many of them are of no use."""
    (row,) = (await usage.usage(harness.app.database, usage.search("", {})))["rows"]
    return row["calls"], row["discarded"]


async def test_a_streamed_answer_that_no_database_keeps_is_paid_once(tmp_path: Path) -> None:
    """U+0000 in it is replaced before anybody hears of it."""
    async with (
        fake(answer=[{"texts": ["a\x00b"]}]) as server,
        testing.harness(duly, tmp_path, llm=table(server)) as harness,
    ):
        task = await harness.submit("talk")
        await harness.run_until_idle()
        assert await harness.assert_completed(task.id) == "a\ufffdb"
        assert server.book.billed == 1


ODD = {
    "U+0000": '{"value": "a\\u0000"}',
    "a surrogate": '{"value": "a\\ud800"}',
    "NaN": '{"score": NaN}',
    "NaN of anything": '{"value": [NaN]}',
    "too broken": '{"' * 700,
    "Infinity": '{"score": -Infinity}',
    "a large number": '{"value": 9007199254740993}',
    "depth": '{"value": ' + "[" * 30 + "]" * 30 + "}",
    "a validator": '{"value": ["raises"]}',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_a_value_that_cannot_be_kept_does_not_fit(tmp_path: Path, odd: str) -> None:
    """It is asked for once more, with what was wrong; both answers stand in the ledger."""
    async with (
        fake(answer=[{"texts": [odd, '{"value": 1}']}]) as server,
        testing.harness(duly, tmp_path, llm=table(server)) as harness,
    ):
        task = await harness.submit("find")
        await harness.run_until_idle()
        assert await harness.assert_completed(task.id) == 1
        assert server.book.billed == 2
        assert await kept(harness) == (2, 0)


async def test_a_second_value_that_cannot_be_kept_is_the_last(tmp_path: Path) -> None:
    """The task fails with what was wrong, is charged no retry, and asks no third time."""
    async with (
        fake(answer=[{"texts": [ODD["U+0000"]]}]) as server,
        testing.harness(duly, tmp_path, llm=table(server)) as harness,
    ):
        task = await harness.submit("find")
        await harness.run_until_idle()
        error = (await harness.assert_failed(task.id, "invalid_answer")).error
        assert error == "step 'find.again': the answer cannot be kept as JSON: a string holds U+0000"
        assert server.book.billed == 2
        assert await kept(harness) == (2, 1)


async def test_what_is_refused_for_good_does_not_cost_the_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamed text is given up; the task ends as its handler did."""

    def refuse(*_: Any) -> list[bool]:
        raise ValueError("no text")

    monkeypatch.setattr(journal, "stream", refuse)
    async with testing.harness(duly, tmp_path) as harness:
        task = await harness.submit("stream")
        await harness.run_until_idle()
        assert await harness.assert_completed(task.id) == "done"
