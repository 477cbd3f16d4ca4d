"""The model engine: what a model says counts where its quote is there, and each call is paid for once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly import Fail, testing
from duly.documents import Document, from_text, read, split
from duly.llm.fake.answers import prompt_of
from duly.llm.fake.script import Script
from duly.llm.fake.server import FakeServer
from duly.model.chat import ModelPaused
from duly.testing import Harness
from duly_apps.tender import duly, model
from duly_apps.tender.offline.engine import OfflineAnalyser
from duly_apps.tender.parts import AT_ONCE_ENV, bound, each
from duly_apps.tender.samples import sample
from support import tender_script
from support.models import fake, table

NAME = "smart-campus-zh.pdf"


@pytest.fixture(scope="module")
def document() -> Document:
    return read(sample(NAME).read_bytes(), NAME)


@pytest.fixture
async def server(document: Document, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeServer]:
    """A model that says what the rules found, of small parts."""
    monkeypatch.setenv(model.ENGINE_ENV, "model")
    monkeypatch.setattr(model, "PART", 2000)
    async with fake(answer=await tender_script.answers(document)) as one:
        yield one


@pytest.fixture
async def harness(tmp_path: Path, server: FakeServer) -> AsyncIterator[Harness]:
    async with testing.harness(duly, tmp_path, llm=table(server)) as one:
        yield one


def quotes(result: dict[str, Any]) -> list[dict[str, Any]]:
    """All that was found."""
    return [item for tab in result["tabs"] for item in tab["items"] if item["value"] is not None]


async def analysed(harness: Harness, document: Document) -> dict[str, Any]:
    """The result of the analysis of its text."""
    task = await harness.submit("bidding_analysis", {"text": document.text})
    await harness.run_until_idle()
    return dict(await harness.assert_completed(task.id))


async def test_each_finding_is_held_against_the_text(
    harness: Harness, server: FakeServer, document: Document
) -> None:
    """Its quote is at its place; what the model made up is dropped and counted, a part at a time."""
    result = await analysed(harness, document)
    text = from_text(document.text).text
    found = quotes(result)
    assert len(found) > 20
    assert all(item["quote"] == text[item["start"] : item["end"]] for item in found)
    assert all(item["paragraph"] is not None for item in found)
    assert not [item for item in found if item["value"] == tender_script.MADE_UP["value"]]
    parts = len(split(from_text(document.text), 2000))
    assert server.book.billed == len(model.KEYS) * parts + 1
    assert result["dropped"] >= len(model.KEYS) * parts
    assert (result["engine"], result["models"]) == ("model", ["main/scripted-1"])
    assert result["prompts"] == [model.SECTION.name, model.SUMMARY.name]
    assert str(result["dropped"]) in result["limits"][0]


async def test_the_result_has_the_shape_of_the_offline_one(harness: Harness, document: Document) -> None:
    """The same tabs, the same fields of an item, and null for what was not found."""
    result = await analysed(harness, document)
    rules = OfflineAnalyser()
    for tab in result["tabs"]:
        other = await rules.section(tab["key"], from_text(document.text))
        assert (tab["title"], tab["items"][0].keys()) == (other["title"], other["items"][0].keys())
        assert {item["key"] for item in other["items"] if item["value"] is None} <= {
            item["key"] for item in tab["items"]
        }


async def test_a_killed_analysis_goes_on_behind_its_last_call(
    server: FakeServer, tmp_path: Path, document: Document
) -> None:
    """The first worker goes in the middle; the second pays only for what was not recorded."""
    calls = len(model.KEYS) * len(split(from_text(document.text), 2000)) + 1
    async with testing.harness(duly, tmp_path, llm=table(server)) as first:
        task = await first.submit("bidding_analysis", {"text": document.text})
        await first.worker.start()
        while server.book.number < calls // 2:
            await first.worker.claim()
            await first.app.database.read(lambda *_: None)
    async with testing.harness(duly, tmp_path, llm=table(server)) as second:
        await second.advance(60)
        await second.assert_completed(task.id)
        prompts = [line["prompt"] for line in server.book.requests]
    assert len(set(prompts)) == calls
    assert calls <= server.book.billed <= calls + bound()


@pytest.mark.parametrize("at_once", [1, 3])
async def test_so_many_parts_are_asked_about_at_once(
    harness: Harness, server: FakeServer, document: Document, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """As the environment says, and no more; what is found is the same."""
    monkeypatch.setenv(AT_ONCE_ENV, str(at_once))
    server.script = server.script.model_copy(update={"latency": 0.02})
    found = quotes(await analysed(harness, document))
    assert server.book.most_at_once == at_once
    assert len(found) > 20


async def test_after_an_error_no_part_is_begun() -> None:
    """What is under way ends first, for it is paid; then the error stands alone, as a single call's would."""
    begun, failed, ended = [], asyncio.Event(), []

    async def ask(number: int, part: str) -> str:
        begun.append(part)
        if number == 2:
            failed.set()
            raise ModelPaused("later")
        await failed.wait()
        ended.append(part)
        return part

    with pytest.raises(ModelPaused, match="later"):
        await each(ask, list("abcdefgh"))
    assert (begun, sorted(ended)) == (list("abcd"), list("acd"))


@pytest.mark.parametrize("wrong", ["0", "65", "many", "-1", ""])
def test_a_wrong_number_at_once_is_said(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """In words that name the variable."""
    monkeypatch.setenv(AT_ONCE_ENV, wrong)
    with pytest.raises(Fail, match=AT_ONCE_ENV):
        bound()


async def test_a_summary_is_written_from_so_much(harness: Harness, server: FakeServer) -> None:
    """Of a long list the first, each cut: or no model could read what many parts have brought."""
    quotes = [f"供应商须具备资质证书第{n}号" for n in range(40)]
    facts = [{"key": "requirement", "value": one + "甲" * 400, "quote": one} for one in quotes]
    answer = {"when": "Section: qualification\n", "texts": [json.dumps({"facts": facts})]}
    server.script = Script.model_validate({"answer": [answer]})
    task = await harness.submit("bidding_analysis", {"text": "\n".join(quotes)})
    await harness.run_until_idle()
    items = (await harness.assert_completed(task.id))["tabs"][3]["items"]
    assert len([item for item in items if item["key"] == "requirement"]) == 40
    told = [{"section": "qualification", "key": "requirement", "value": one["value"][:200]} for one in facts]
    said = model.SUMMARY.render(language="Chinese", facts=json.dumps(told[:8], ensure_ascii=False))
    prompt = hashlib.sha256(prompt_of({"messages": said}).encode()).hexdigest()
    assert server.book.requests[-1]["prompt"] == prompt[:16]


@pytest.mark.parametrize(
    ("quote", "text", "expected"),
    [
        ("预算金额：380万元", "一、预算金额：\n380万元。", (2, 13)),
        ("the ceiling price", "It is the  ceiling\nprice.", (6, 24)),
        ("the floor price", "It is the ceiling price.", None),
        ("a.c.e", "abcde", None),
        ("的 的", "的的", None),
        ("   ", "text", None),
    ],
    ids=["line end", "spaces", "absent", "pattern", "short", "empty"],
)
def test_a_quote_is_there_or_not(quote: str, text: str, expected: tuple[int, int] | None) -> None:
    """Spaces do not matter, everything else does."""
    assert model.place(quote, text) == expected


async def test_a_wrong_engine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that name the variable."""
    monkeypatch.setenv(model.ENGINE_ENV, "oracle")
    async with testing.harness(duly, tmp_path) as harness:
        task = await harness.submit("bidding_analysis", {"text": "预算金额：380万元"})
        await harness.run_until_idle()
        assert model.ENGINE_ENV in str((await harness.assert_failed(task.id, "unknown_engine")).error)


@pytest.mark.parametrize(("variable", "value"), [(model.MODEL_ENV, "other"), (model.ENGINE_ENV, "offline")])
async def test_another_model_ends_what_has_begun(
    harness: Harness, document: Document, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """What was recorded is another engine's; submitted again, it is done by the new one."""

    async def broken(*_: Any) -> str:
        monkeypatch.setenv(variable, value)
        raise RuntimeError("the worker's environment was changed")

    with monkeypatch.context() as once:
        once.setattr(model.ModelAnalyser, "summary", broken)
        task = await harness.submit("bidding_analysis", {"text": document.text}, max_retries=1)
        await harness.run_until_idle()
        await harness.advance(3600)
    await harness.assert_failed(task.id, "replay_mismatch")
    monkeypatch.setenv(model.ENGINE_ENV, "offline")
    assert (await analysed(harness, document))["engine"] == "offline"
