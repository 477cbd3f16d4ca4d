"""A fake model server in this process, and desks and settings that ask it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, field_validator

from duly.clock import SystemClock
from duly.llm import providers
from duly.llm.desk import Desk
from duly.llm.fake.script import Script
from duly.llm.fake.server import FakeServer
from duly.model.chat import ChatRequest

QUICK = {"backoff": 0, "cooldown": 0.05}


@contextlib.asynccontextmanager
async def fake(*faults: dict[str, Any], **script: Any) -> AsyncIterator[FakeServer]:
    """A server whose calls meet these faults."""
    server = FakeServer(Script.model_validate({"fault": list(faults), **script}))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def table(server: FakeServer, **more: Any) -> dict[str, Any]:
    """Settings with one provider, called `main`; `more` is of the provider, or (as `llm`) of the table."""
    of_table = more.pop("llm", {})
    provider = {"base_url": server.url, "model": "scripted-1", **more}
    return {**QUICK, **of_table, "providers": {"main": provider}}


class Heard:
    """An emitter that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, /, **fields: Any) -> None:
        self.events.append((name, fields))

    def of(self, name: str) -> list[dict[str, Any]]:
        """What was said under this name."""
        return [fields for said, fields in self.events if said == name]


@contextlib.asynccontextmanager
async def desk(settings: dict[str, Any], heard: Heard | None = None) -> AsyncIterator[Desk]:
    """A desk over these settings."""
    found, some = providers.read(settings)
    one = Desk(
        found, some, emit=heard or Heard(), clock=SystemClock(), environ={"KEY": "sk-secret-0123456789"}
    )
    try:
        yield one
    finally:
        await one.close()


def question(text: str = "How many bids are there?", **more: Any) -> ChatRequest:
    """A request that asks this."""
    more.setdefault("seconds", 10)
    return ChatRequest(messages=[{"role": "user", "content": text}], **more)


async def quiet(text: str) -> None:
    """Hears an answer grow, and keeps nothing."""


class Share(BaseModel):
    """Per cent, read as a fraction."""

    share: float

    @field_validator("share")
    @classmethod
    def _fraction(cls, share: float) -> float:
        return share / 100
