"""A model call is part of its attempt, wherever the handler runs: it has the attempt's time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.execute.means import Means
from duly.execute.runner import Runner
from duly.model.chat import ChatAnswer, ChatRequest, Told
from support.cluster import until
from support.world import World

duly = Duly()


@duly.task("asks")
async def asks(ctx: Context) -> str:
    await ctx.llm.chat("first", "A question")
    return (await ctx.llm.chat("second", "Another")).text


@duly.task("asks.in.a.thread")
def asks_in_a_thread(ctx: BlockingContext) -> str:
    ctx.llm.chat("first", "A question")
    return ctx.llm.chat("second", "Another").text


@duly.task("asks.apart", isolate=True)
def asks_apart(ctx: BlockingContext) -> str:
    ctx.llm.chat("first", "A question")
    return ctx.llm.chat("second", "Another").text


KINDS = pytest.mark.parametrize("kind", ["asks", "asks.in.a.thread", "asks.apart"])


class Model:
    """Notes what it is asked, and answers when it is told."""

    def __init__(self) -> None:
        self.asked: list[ChatRequest] = []
        self.gate = asyncio.Event()

    async def __call__(self, request: ChatRequest, told: Told) -> ChatAnswer:
        self.asked.append(request)
        await self.gate.wait()
        return ChatAnswer(text="so it is", finish_reason="stop", provider="main", model="m-1")


class Team:
    """A runner over a real store, and the model that its handlers ask."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = Model()
        self.replaced = 0
        self.runner = Runner(
            world.database,
            duly.registry,
            emit=world.emitted,
            slots={"loop": 2, "thread": 2, "process": 2},
            stuck=5,
            freed=lambda: None,
            replace=self._replace,
            means=Means(models=self.model),
        )

    def _replace(self) -> None:
        self.replaced += 1

    async def start(self, task_type: str, **options: Any) -> str:
        """A task whose handler waits for its first answer."""
        id_ = await self.world.submit(task_type=task_type, **options)
        self.runner.start([await self.world.claim(task_type=task_type)])
        await until(lambda: self.model.asked)
        return id_


@pytest.fixture
async def team(world: World) -> AsyncIterator[Team]:
    await world.session()
    one = Team(world)
    yield one
    one.model.gate.set()
    await one.runner.drain(0)


@KINDS
async def test_a_call_has_what_is_left_of_its_attempt(team: Team, kind: str) -> None:
    """Not the whole of its timeout anew: whatever it asks last, it ends with the attempt."""
    loop = asyncio.get_running_loop()
    id_ = await team.start(kind, timeout_ms=60_000)
    first = loop.time()
    await until(lambda: loop.time() - first > 0.1)
    team.model.gate.set()
    await until(lambda: not team.runner.busy)
    assert (await team.world.task(id_)).status == "completed"
    [one, two] = [request.seconds for request in team.model.asked]
    assert two <= one - 0.1
    assert one <= 60
