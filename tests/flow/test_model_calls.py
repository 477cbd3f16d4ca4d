"""The tutorial, part 9: a handler asks a model. Each answer is paid for once, whatever happens afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from duly import BlockingContext, Context, Duly, Retry, Status, testing
from duly.failpoints import VARIABLE
from duly.llm import shared
from duly.llm.fake.script import Script
from duly.llm.fake.server import FakeServer
from duly.observe.why import why
from duly.store import gates
from duly.testing import Harness
from support.models import fake, table

duly = Duly()


class Finding(BaseModel):
    """What a section of a tender says."""

    title: str
    page: int


@duly.task("summary", max_retries=3)
async def summary(ctx: Context, sections: int, again: bool = False) -> list[Any]:
    answers = [await ctx.llm.chat("section", f"Section {n}") for n in range(sections)]
    if again and ctx.attempt == 1:
        raise Retry(after=0)
    return [[one.text, one.usage, one.provider, one.finish_reason] for one in answers]


@duly.task("findings")
async def findings(ctx: Context) -> dict[str, Any]:
    chat = await ctx.llm.chat("find", "Find it", schema=Finding)
    assert isinstance(chat.value, Finding)
    return {**chat.value.model_dump(), "repaired": chat.repaired}


@duly.task("nothing.to.ask")
async def nothing_to_ask(ctx: Context) -> str:
    return "done"


@duly.task("in.a.thread")
def in_a_thread(ctx: BlockingContext) -> str:
    return ctx.llm.chat("ask", "Hello").text


@duly.task("apart", isolate=True, max_retries=3)
def apart(ctx: BlockingContext, sections: int) -> list[str]:
    return [ctx.llm.chat("section", f"Section {n}", key=str(n)).text for n in range(sections)]


@duly.task("by.rules")
async def by_rules(ctx: Context, known: bool) -> Any:
    chat = await ctx.llm.chat("find", "Find it", offline=(lambda: {"found": 2}) if known else None)
    return [chat.value, chat.provider]


@duly.task("changed.question")
async def changed_question(ctx: Context) -> None:
    await ctx.llm.chat("ask", f"Attempt {ctx.attempt}")
    raise Retry(after=0)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with fake() as one:
        yield one


@pytest.fixture
async def harness(tmp_path: Path, server: FakeServer) -> AsyncIterator[Harness]:
    async with testing.harness(duly, tmp_path, llm=table(server)) as one:
        yield one


async def test_an_answer_is_a_remembered_step(harness: Harness, server: FakeServer) -> None:
    """A later attempt gets the recorded answers, with usage and provider, and nobody pays again."""
    task = await harness.submit("summary", {"sections": 3, "again": True})
    await harness.run_until_idle()
    steps = [(step.name, step.n, step.value) for step in await harness.steps(task.id)]
    await harness.advance(1)
    result = await harness.assert_completed(task.id)
    assert server.book.billed == 3
    assert [(step.name, step.n, step.value) for step in await harness.steps(task.id)] == steps
    text, usage, provider, finish = result[0]
    assert text.startswith("Scripted answer")
    assert usage["completion_tokens"] > 0
    assert (provider, finish) == ("main", "stop")


async def test_what_was_used_stands_in_the_timeline(harness: Harness) -> None:
    """A line for each call: step, provider, model, tokens; a cost that is not known is null."""
    task = await harness.submit("summary", {"sections": 1})
    await harness.run_until_idle()
    (line,) = [event.data for event in await harness.events(task.id) if event.type == "usage"]
    assert (line["step"], line["provider"], line["model"], line["cost"]) == (
        "section",
        "main",
        "scripted-1",
        None,
    )
    assert line["prompt_tokens"] > 0


@pytest.mark.parametrize("place", ["chat.recorded=kill@3", "chat.recorded=kill@1"])
async def test_a_kill_pays_nothing_twice(
    harness: Harness, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    """The process dies after an answer was recorded; the bill has each call once."""
    monkeypatch.setenv(VARIABLE, f"{place}?{tmp_path / 'once'}")
    task = await harness.submit("apart", {"sections": 5})
    await harness.run_until_idle()
    await harness.advance(60)
    assert len(await harness.assert_completed(task.id)) == 5
    assert (await harness.task(task.id)).attempt == 2
    assert server.book.billed == 5
    assert set(server.book.by_prompt.values()) == {1}


async def test_another_worker_pays_nothing_twice(tmp_path: Path) -> None:
    """A worker stops in the middle of a call; the next one goes on behind what was recorded."""
    async with fake({"kind": "hang", "calls": [3], "seconds": 60}) as server:
        async with testing.harness(duly, tmp_path, llm=table(server)) as first:
            task = await first.submit("summary", {"sections": 5})
            await first.worker.start()
            while server.book.number < 3:
                await first.worker.claim()
                await first.app.database.read(lambda *_: None)
        async with testing.harness(duly, tmp_path, llm=table(server)) as second:
            await second.advance(60)
            assert len(await second.assert_completed(task.id)) == 5
        assert (server.book.billed, server.book.number) == (5, 6)


async def test_a_schema_gives_a_value(harness: Harness, server: FakeServer) -> None:
    """The answer is read, checked and recorded as JSON."""
    task = await harness.submit("findings")
    await harness.run_until_idle()
    assert set(await harness.assert_completed(task.id)) == {"title", "page", "repaired"}
    assert server.book.billed == 1


@pytest.mark.parametrize(
    ("texts", "billed", "code"),
    [
        (['{"title": "a"}', '{"title": "a", "page": 2}'], 2, None),
        (['{"title": "a", "page": 2'], 1, None),
        (['{"title": "a"}'], 2, "invalid_answer"),
        (["I cannot say."], 2, "invalid_answer"),
    ],
)
async def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    tmp_path: Path, texts: list[str], billed: int, code: str | None
) -> None:
    """With what was wrong; the second time it is final, and costs no retry of the task."""
    script = {"answer": [{"texts": texts}]}
    async with fake(**script) as server, testing.harness(duly, tmp_path, llm=table(server)) as harness:
        task = await harness.submit("findings")
        await harness.run_until_idle()
        if code is None:
            assert (await harness.assert_completed(task.id))["page"] == 2
        else:
            assert (await harness.assert_failed(task.id, code)).retry_count == 0
        assert server.book.billed == billed


async def test_the_requests_of_a_call_have_a_bound(tmp_path: Path) -> None:
    """tries × (max_retries + 2): the last try of the first question is answered, and what does not fit is
    asked for with tries of its own, in that attempt and in each further one."""
    errors = {"kind": "error", "calls": [1, 2, 3, 5, 6, 7, 8, 9, 10]}
    async with (
        fake(errors, answer=[{"texts": ['{"title": "a"}']}]) as server,
        testing.harness(duly, tmp_path, llm=table(server, llm={"tries": 2, "failures": 99})) as harness,
    ):
        task = await harness.submit("findings", max_retries=2)
        for _ in range(5):
            await harness.advance(60)
        assert (await harness.assert_failed(task.id, "internal_error")).retry_count == 2
        assert server.book.number == 2 * (2 + 2)


async def test_an_app_of_bailian_is_asked_once_more_with_the_question(tmp_path: Path) -> None:
    """Such an app takes one text: the second one has the question, the schema and what was wrong."""
    texts = ['{"title": "a"}', '{"title": "a", "page": 2}']
    async with (
        fake(answer=[{"when": "Find it", "texts": texts}]) as server,
        testing.harness(duly, tmp_path, llm=table(server, kind="bailian_app")) as harness,
    ):
        task = await harness.submit("findings")
        await harness.run_until_idle()
        assert (await harness.assert_completed(task.id))["page"] == 2
        assert server.book.billed == 2


async def test_a_cut_off_answer_is_not_completed(tmp_path: Path) -> None:
    """finish_reason length: no repair, no second question with the same room."""
    async with (
        fake({"kind": "length"}) as server,
        testing.harness(duly, tmp_path, llm=table(server)) as harness,
    ):
        task = await harness.submit("findings")
        await harness.run_until_idle()
        await harness.assert_failed(task.id, "answer_cut")
        assert server.book.billed == 1


async def test_a_storm_of_429_charges_nobody(tmp_path: Path) -> None:
    """Each waits, says for what in its timeline, and has no retry less."""
    storm = {"kind": "rate_limit", "retry_after": 30}
    async with fake(storm) as server, testing.harness(duly, tmp_path, llm=table(server)) as harness:
        tasks = [await harness.submit("summary", {"sections": 1}) for _ in range(4)]
        await harness.run_until_idle()
        told = [event for event in await harness.events(tasks[-1].id) if event.type == "waiting"]
        assert "paused" in told[0].data["reason"]
        for task in tasks:
            assert (await harness.assert_status(task.id, Status.WAITING)).retry_count == 0
        assert server.book.number <= len(tasks)


async def test_why_names_the_gate(tmp_path: Path) -> None:
    """The provider, what it said, and until when it is left alone; to whoever is paused after it, too."""
    storm = {"kind": "rate_limit", "retry_after": 30}
    async with fake(storm) as server, testing.harness(duly, tmp_path, llm=table(server)) as harness:
        tasks = [await harness.submit("summary", {"sections": 1}) for _ in range(6)]
        await harness.run_until_idle()
        until = "2027-01-15 08:00:30 UTC"
        for task in tasks:
            said = await why(harness.app.database, task.id, now_ms=harness.clock.now_ms())
            assert said.reasons[0].code == "gate_closed"
            assert said.summary.startswith(f"The model provider main is closed until {until}, for 30 s more")
            assert "模型服务 main 已暂停到" in said.reasons[0].text_zh


async def test_a_gate_that_is_opened_by_hand_wakes_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They need not sleep to the end of a pause that is over, though it was known; nobody is charged."""
    monkeypatch.setattr(shared, "FRESH_SECONDS", 60)
    storm = {"kind": "rate_limit", "retry_after": 3000}
    async with fake(storm) as server, testing.harness(duly, tmp_path, llm=table(server)) as harness:
        tasks = [await harness.submit("summary", {"sections": 2}) for _ in range(5)]
        await harness.run_until_idle()
        for task in tasks:
            assert (await harness.assert_status(task.id, Status.WAITING)).retry_count == 0
        server.script = Script()
        await harness.app.gates.open("main")
        await harness.run_until_idle()
        for task in tasks:
            await harness.assert_completed(task.id)
        assert server.book.billed == 10


async def test_a_process_that_asks_no_model_has_no_gates(harness: Harness, server: FakeServer) -> None:
    """It reads nothing and writes nothing, though providers are configured."""
    task = await harness.submit("nothing.to.ask")
    await harness.run_until_idle()
    await harness.assert_completed(task.id)
    assert await harness.app.database.read(gates.listed) == []
    assert harness.app.models.idle


async def test_plain_handlers_ask_too(harness: Harness) -> None:
    """In a thread, with the same words."""
    task = await harness.submit("in.a.thread")
    await harness.run_until_idle()
    assert (await harness.assert_completed(task.id)).startswith("Scripted answer")


async def test_rules_answer_where_no_model_is(tmp_path: Path) -> None:
    """A provider of kind offline: the call's own rules, or a clear no; never invented text."""
    offline = {"providers": {"rules": {"kind": "offline"}}}
    async with testing.harness(duly, tmp_path, llm=offline) as harness:
        good, bad = [await harness.submit("by.rules", {"known": known}) for known in (True, False)]
        await harness.run_until_idle()
        assert await harness.assert_completed(good.id) == [{"found": 2}, "rules"]
        await harness.assert_failed(bad.id, "offline")


async def test_without_providers_the_call_says_so(tmp_path: Path) -> None:
    """And what to add where."""
    async with testing.harness(duly, tmp_path) as harness:
        task = await harness.submit("in.a.thread")
        await harness.run_until_idle()
        assert "duly.toml" in str((await harness.assert_failed(task.id, "no_provider")).error)


async def test_another_question_is_no_replay(harness: Harness) -> None:
    """The digest of a call has its messages."""
    task = await harness.submit("changed.question")
    await harness.run_until_idle()
    await harness.advance(1)
    await harness.assert_failed(task.id, "replay_mismatch")
