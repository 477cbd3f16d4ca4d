"""The tutorial, part 10: what model calls cost stands in a ledger, and budgets end them in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duly import Context, Duly, Retry, testing
from duly.failpoints import VARIABLE
from duly.llm.fake.server import FakeServer
from duly.llm.prompts import Prompt
from duly.observe import usage
from duly.observe.why import why
from duly.testing import Harness
from support.models import fake, table

duly = Duly()

PRICE = {"prompt": 10, "completion": 20, "currency": "CNY", "as_of": "2026-11-01"}
PROMPT = Prompt.of("---\nid: section\nversion: 2\n---\n@user\nSection {{n}} of {{task}}\n")


@duly.task("summary", max_retries=3)
async def summary(ctx: Context, sections: int, again: bool = False) -> list[str]:
    said = [PROMPT.render(n=n, task=ctx.task_id) for n in range(sections)]
    answers = [await ctx.llm.chat("section", one) for one in said]
    if again and ctx.attempt == 1:
        raise Retry(after=0)
    return [one.prompt for one in answers]


@duly.task("apart", isolate=True, max_retries=3)
async def apart(ctx: Context, sections: int) -> list[str]:
    return [(await ctx.llm.chat("section", f"Section {n}")).text for n in range(sections)]


@duly.task("findings")
async def findings(ctx: Context) -> int:
    return int((await ctx.llm.chat("find", "Find it", schema=int)).value)


async def rows(harness: Harness, by: str = "") -> list[dict[str, Any]]:
    """The report."""
    found = await usage.usage(harness.app.database, usage.search(by, {}))
    return list(found["rows"])


def budget(**words: Any) -> dict[str, Any]:
    """Settings of the table with this budget."""
    return {"llm": {"budget": [words]}}


async def test_each_answer_is_in_the_ledger_once(tmp_path: Path) -> None:
    """With its owner, model, cost and the prompt that was asked; a retried run adds nothing."""
    async with fake() as server:
        settings = table(server, prices={"scripted-1": PRICE})
        async with testing.harness(duly, tmp_path, llm=settings) as harness:
            task = await harness.submit("summary", {"sections": 3, "again": True}, owner="ann")
            await harness.run_until_idle()
            await harness.advance(1)
            assert await harness.assert_completed(task.id) == [PROMPT.name] * 3
            (row,) = await rows(harness, "owner,model,prompt")
    assert (row["owner"], row["model"], row["prompt"]) == ("ann", "scripted-1", PROMPT.name)
    assert row["cached_tokens"] is None  # the server does not say
    book = server.book
    assert (row["calls"], row["prompt_tokens"], row["completion_tokens"]) == (
        3,
        book.prompt_tokens,
        book.completion_tokens,
    )
    spent = book.prompt_tokens * 10 + book.completion_tokens * 20
    assert (row["cost"], row["currency"]) == (pytest.approx(spent / 1e6), "CNY")
    assert book.billed == 3


async def killed_once(folder: Path, *, sections: int) -> tuple[int, int, int]:
    """Calls in the ledger, those of them that nobody kept, and calls on the bill of a task in a process."""
    async with fake() as server, testing.harness(duly, folder, llm=table(server)) as harness:
        task = await harness.submit("apart", {"sections": sections})
        await harness.run_until_idle()
        await harness.advance(60)
        await harness.assert_completed(task.id)
        (row,) = await rows(harness)
    return row["calls"], row["discarded"], server.book.billed


async def test_an_isolated_handler_pays_into_the_same_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is killed right after an answer was recorded: five steps, five entries."""
    monkeypatch.setenv(VARIABLE, f"chat.recorded=kill@3?{tmp_path / 'once'}")
    assert await killed_once(tmp_path, sections=5) == (5, 0, 5)


async def test_an_answer_that_its_process_did_not_live_to_record_is_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed right after it has heard it: the money is spent, and the next attempt asks again."""
    monkeypatch.setenv(VARIABLE, f"chat.answered=kill@2?{tmp_path / 'once'}")
    assert await killed_once(tmp_path, sections=3) == (4, 1, 4)


async def test_answers_of_no_use_are_entered_too(tmp_path: Path) -> None:
    """The first is a step, and was told of; the second was paid for and is none."""
    script = {"answer": [{"texts": ["I cannot say."]}]}
    async with fake(**script) as server, testing.harness(duly, tmp_path, llm=table(server)) as harness:
        task = await harness.submit("findings")
        await harness.run_until_idle()
        await harness.assert_failed(task.id, "invalid_answer")
        (row,) = await rows(harness)
    assert (row["calls"], row["discarded"], server.book.billed) == (2, 1, 2)


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ({"of": "task", "tokens": 1}, [1, 1]),
        ({"of": "owner", "tokens": 1}, [1, 0]),
        ({"of": "tenant", "cost": 0.000001, "currency": "CNY"}, [1, 0]),
        ({"of": "owner", "name": "bob", "tokens": 1}, [3, 3]),
    ],
    ids=["task", "owner", "tenant", "another's"],
)
async def test_a_used_up_budget_ends_the_task(
    tmp_path: Path, words: dict[str, Any], calls: list[int]
) -> None:
    """Before the next call, without a retry; it says what was used of what, in two languages."""
    async with fake() as server:
        settings = table(server, prices={"scripted-1": PRICE}, **budget(**words))
        async with testing.harness(duly, tmp_path, llm=settings) as harness:
            made = [await asked(harness, server, str(words["of"])) for _ in calls]
    assert made == calls


async def asked(harness: Harness, server: FakeServer, of: str) -> int:
    """How many of three calls a task could make; if not all, it says which budget is used up."""
    before = server.book.number
    task = await harness.submit("summary", {"sections": 3}, owner="ann", tenant="acme")
    await harness.run_until_idle()
    made = server.book.number - before
    if made == 3:
        await harness.assert_completed(task.id)
        return made
    ended = await harness.assert_failed(task.id, "budget_exceeded")
    assert ended.retry_count == 0
    told = await why(harness.app.database, task.id, now_ms=harness.app.clock.now_ms())
    assert f"{of} " in told.summary
    assert "模型调用预算已用完" in told.reasons[0].text_zh
    return made


async def test_a_budget_of_a_day_is_full_again_the_next(tmp_path: Path) -> None:
    """Of the UTC day."""
    async with fake() as server:
        settings = table(server, **budget(of="owner", tokens=1, per="day"))
        async with testing.harness(duly, tmp_path, llm=settings) as harness:
            first = await harness.submit("summary", {"sections": 1}, owner="ann")
            await harness.run_until_idle()
            second = await harness.submit("summary", {"sections": 1}, owner="ann")
            await harness.run_until_idle()
            await harness.advance(86_400)
            third = await harness.submit("summary", {"sections": 1}, owner="ann")
            await harness.run_until_idle()
            await harness.assert_completed(first.id)
            await harness.assert_failed(second.id, "budget_exceeded")
            await harness.assert_completed(third.id)


async def test_rules_cost_nothing(tmp_path: Path) -> None:
    """A provider of kind offline is asked of no budget, and enters nothing."""
    offline = {"providers": {"rules": {"kind": "offline"}}, "budget": [{"of": "owner", "tokens": 0}]}
    async with testing.harness(duly, tmp_path, llm=offline) as harness:
        task = await harness.submit("summary", {"sections": 1})
        await harness.run_until_idle()
        await harness.assert_failed(task.id, "offline")
        assert await rows(harness) == []
