"""Handlers that ask a model whose answers nobody knows beforehand: `make e2e-llm` gives them a real one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from duly import Context, Duly
from duly.model.chat import ModelFailed

duly = Duly("interview")

#: Long enough for a sentence, short enough that some of them are cut off.
SHORT = 32
FACTS = "Name one animal. Answer with JSON: its name, and how many legs it has."


class Animal(BaseModel):
    """What is asked for as JSON."""

    name: str = Field(max_length=40)
    legs: int = Field(ge=0, le=1000)


@duly.task("interview", timeout=600)
async def interview(ctx: Context, questions: list[str]) -> list[dict[str, Any]]:
    """Each question is a step: its answer, why it ended, and its tokens."""
    answers = []
    for number, question in enumerate(questions):
        chat = await ctx.llm.chat("answer", question, key=str(number), max_tokens=SHORT, temperature=0.7)
        answers.append({"text": chat.text, "finish_reason": chat.finish_reason, "usage": chat.usage})
    return answers


@duly.task("facts", timeout=600)
async def facts(ctx: Context, max_tokens: int) -> dict[str, Any]:
    """An answer with a shape, or why there is none: a few tokens are too few for it."""
    try:
        chat = await ctx.llm.chat("animal", FACTS, schema=Animal, max_tokens=max_tokens)
    except ModelFailed as error:
        return {"value": None, "code": error.code}
    return {"value": chat.value.model_dump(), "repaired": chat.repaired}


@duly.task("story", timeout=600)
async def story(ctx: Context) -> str:
    """One long text, which is streamed while it grows."""
    return (await ctx.llm.chat("story", "Tell me a story about a small boat.", max_tokens=160)).text
