"""The split by a model: what it says counts where its quote is there, and its sums are not asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tender_walks import REQUIREMENTS

from duly import testing
from duly.documents import from_text
from duly_apps.tender import duly, model
from duly_apps.tender.workload.engine import OfflineSplitter
from duly_apps.tender.workload.model import WORK
from support.models import fake, table

Json = dict[str, Any]
MADE_UP = {
    "title": "Gold plating",
    "kind": "other",
    "low": 1,
    "high": 2,
    "quote": "nobody has asked for this",
}


async def by_rules(text: str) -> list[Json]:
    """What the rules find, as a model would say it, with days of its own."""
    found = await OfflineSplitter().items(from_text(text))
    return [
        {"title": item["title"], "module": item["module"], "kind": item["kind"], "low": 3, "high": 7.2}
        | {"quote": item["quote"], "assumptions": ["one language"]}
        for item in found
    ]


async def splitted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, *answers: list[Json]
) -> tuple[Any, int]:
    """The task, and how many calls were billed; the n-th answer is to the n-th call."""
    monkeypatch.setenv(model.ENGINE_ENV, "model")
    texts = [json.dumps({"items": items}, ensure_ascii=False) for items in answers]
    async with (
        fake(answer=[{"when": "Part 1 of", "texts": texts}]) as server,
        testing.harness(duly, folder, llm=table(server)) as harness,
    ):
        task = await harness.submit("workload_split", {"text": text})
        await harness.run_until_idle()
        return await harness.app.client.get(task.id), server.book.billed


async def test_each_item_is_held_against_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes stand where they are said to; what was made up is dropped; the days are the model's."""
    said = await by_rules(REQUIREMENTS)
    task, billed = await splitted(tmp_path, monkeypatch, REQUIREMENTS, [*said, MADE_UP, said[0]])
    result, source = task.result, from_text(REQUIREMENTS)
    assert (task.status, billed) == ("completed", 1)
    assert [item["title"] for item in result["items"]] == [one["title"] for one in said]
    assert all(source.quote(item["start"], item["end"]) == item["quote"] for item in result["items"])
    guessed = [item for item in result["items"] if item["basis"] == "model"]
    assert len(guessed) == len(said) - 1  # of one the document gives the effort
    assert {(item["estimate"]["low"], item["estimate"]["high"]) for item in guessed} == {(3, 7)}
    assert (result["engine"], result["dropped"]) == ("model", 1)
    assert (result["models"], result["prompts"]) == (["main/scripted-1"], [WORK.name])
    assert result["totals"]["low"] == sum(item["estimate"]["low"] for item in result["items"])
    assert any(item["depends_on"] for item in result["items"])


async def test_the_documents_effort_beats_a_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a kind that nobody knows is another function."""
    text = "Effort of the legacy data migration: 10-15 person-days, must be finished in May"
    said = {"title": "Migration", "kind": "wizardry", "low": 1, "high": 2, "quote": text}
    task, _ = await splitted(tmp_path, monkeypatch, text, [said])
    [item] = task.result["items"]
    assert (item["basis"], item["estimate"], item["kind"]) == ("stated", {"low": 10, "high": 15}, "other")


async def test_an_answer_that_is_no_split_is_asked_for_once_more(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range the wrong way round is told to the model; twice is the end."""
    said = await by_rules(REQUIREMENTS)
    wrong = [{**said[0], "low": 9, "high": 1}]
    task, billed = await splitted(tmp_path_factory.mktemp("a"), monkeypatch, REQUIREMENTS, wrong, said)
    assert (task.status, billed, len(task.result["items"])) == ("completed", 2, len(said))
    task, billed = await splitted(tmp_path_factory.mktemp("b"), monkeypatch, REQUIREMENTS, wrong, wrong)
    assert (task.status, task.error_code, billed) == ("failed", "invalid_answer", 2)


async def test_a_wrong_engine_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that name the variable."""
    monkeypatch.setenv(model.ENGINE_ENV, "oracle")
    async with testing.harness(duly, tmp_path) as harness:
        task = await harness.submit("workload_split", {"text": REQUIREMENTS})
        await harness.run_until_idle()
        assert model.ENGINE_ENV in str((await harness.assert_failed(task.id, "unknown_engine")).error)
