"""The lines `llm_request` and `llm_response`, field by field as the tender system's document writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from duly.clock import SystemClock
from duly.llm import providers
from duly.llm.desk import Desk
from duly.model.chat import ModelAway
from duly.observe.logs import Log
from support.models import fake, question, quiet, table

#: The document's own three lines, and what ours have besides.
REQUEST = {
    "event": "llm_request",
    "provider": "dashscope",
    "model": "qwen3-max",
    "prompt_tokens": 1234,
    "timestamp": "2025-10-21T10:30:00Z",
}
ANSWERED = {
    "event": "llm_response",
    "provider": "dashscope",
    "model": "qwen3-max",
    "duration_ms": 2345.67,
    "success": True,
    "response_tokens": 567,
}
FAILED = {
    "event": "llm_response",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "duration_ms": 90123.45,
    "success": False,
    "error": "Timeout after 90s",
}
OURS = {"ts", "level", "task_id"}
SECRET = "sk-secret-0123456789"
WORDS = "the ceiling price is 4711 yuan"


async def told(folder: Path, *faults: dict[str, Any], llm: dict[str, Any] | None = None) -> list[Any]:
    """The log's lines of one call, as JSON."""
    log = Log("json", "info", str(folder / "log"))
    async with fake(*faults) as server:
        settings = table(
            server, model="qwen3-max", timeout=0.2, key_env="KEY", llm={"tries": 1, **(llm or {})}
        )
        settings["providers"] = {"dashscope": settings["providers"]["main"]}
        found, some = providers.read(settings)
        desk = Desk(found, some, emit=log.emit, clock=SystemClock(), environ={"KEY": SECRET})
        try:
            await desk(question(WORDS, task_id="t-1"), quiet)
        except ModelAway:
            pass
        finally:
            await desk.close()
            log.close()
    return [json.loads(line) for line in (folder / "log").read_text("utf-8").splitlines()]


def kinds(line: dict[str, Any]) -> dict[str, type]:
    """Each field's type."""
    return {name: type(value) for name, value in line.items()}


async def test_an_answered_request_is_two_lines(tmp_path: Path) -> None:
    """The document's fields with its types, the task's id, and our time and level; nothing else."""
    asked, answered = await told(tmp_path)
    for line, document in ((asked, REQUEST), (answered, ANSWERED)):
        assert kinds({name: line[name] for name in document}) == kinds(document)
        assert line.keys() - document.keys() == OURS
        assert (line["event"], line["task_id"]) == (document["event"], "t-1")
        assert (line["provider"], line["model"]) == ("dashscope", "qwen3-max")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", asked["timestamp"])
    assert answered["duration_ms"] == round(answered["duration_ms"], 2)


async def test_a_timeout_is_told_as_the_document_does(tmp_path: Path) -> None:
    """success false, and the error in its words; our code for programs stands beside."""
    lines = await told(tmp_path, {"kind": "hang", "seconds": 5})
    (line,) = [line for line in lines if line["event"] == "llm_response"]
    assert kinds({name: line[name] for name in FAILED}) == kinds(FAILED)
    assert line.keys() - FAILED.keys() == {*OURS, "error_code"}
    assert (line["success"], line["error"], line["error_code"]) == (False, "Timeout after 0.2s", "timeout")


@pytest.mark.parametrize("texts", [False, True], ids=["not asked", "asked"])
async def test_texts_are_logged_only_when_that_is_asked_for(tmp_path: Path, texts: bool) -> None:
    """Neither prompt nor answer otherwise; the key never."""
    lines = await told(tmp_path, llm={"log_texts": texts})
    text = json.dumps(lines)
    assert (WORDS in text) is texts
    assert ("Scripted answer" in text) is texts
    assert SECRET not in text
