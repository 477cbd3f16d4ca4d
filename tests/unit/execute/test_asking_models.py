"""A model call is part of its attempt, wherever the handler runs: it has the attempt's time, and ends at its
stop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from duly import BlockingContext, Context, Duly
from duly.execute.means import Means
from duly.execute.runner import Runner
from duly.model.chat import ChatAnswer, ChatRequest, Told
from duly.model.errors import NotReady
from duly.store import ledger, lists, submissions
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


@duly.task("asks.on")
def asks_on(ctx: BlockingContext) -> str:
    try:
        ctx.llm.chat("first", "A question")
    except BaseException as error:  # noqa: BLE001 - a handler may
        told.append(type(error))
        return ctx.llm.chat("second", "Another").text
    return ""


told: list[type[BaseException]] = []
KINDS = pytest.mark.parametrize("kind", ["asks", "asks.in.a.thread", "asks.apart"])


class Model:
    """Notes what it is asked, and answers when it is told."""

    def __init__(self) -> None:
        self.asked: list[ChatRequest] = []
        self.gate = asyncio.Event()
        self.ended: list[str] = []
        #: What is done right before an answer.
        self.last: Callable[[], None] = lambda: None

    async def __call__(self, request: ChatRequest, told: Told) -> ChatAnswer:
        self.asked.append(request)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended.append(request.step)
            raise
        self.last()
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
    told.clear()
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


@KINDS
async def test_a_cancel_ends_the_call_under_way(team: Team, kind: str) -> None:
    """Nobody pays for an answer that nobody reads."""
    id_ = await team.start(kind)
    await team.world.database.write(submissions.cancel, id_)
    await team.runner.look_for_cancels()
    await until(lambda: not team.runner.busy)
    assert (await team.world.task(id_)).status == "cancelled"
    assert [request.step for request in team.model.asked] == team.model.ended == ["first"]


@KINDS
async def test_a_timeout_ends_the_call_under_way(team: Team, kind: str) -> None:
    """So its worker is not taken for stuck, and stays."""
    id_ = await team.start(kind)
    [attempt] = team.runner._attempts
    attempt.strike()
    await until(lambda: not team.runner.busy)
    task = await team.world.task(id_)
    assert (task.status, task.error_code) == ("retry", "timeout")
    assert team.model.ended == ["first"]
    assert "attempt.ignores_stop" not in team.world.emitted.names()
    assert team.replaced == 0


async def test_after_a_stop_no_model_is_asked(team: Team) -> None:
    """A plain handler that goes on is told again. What it is told is no `Exception`, as in a coroutine."""
    id_ = await team.start("asks.on")
    await team.world.database.write(submissions.cancel, id_)
    await team.runner.look_for_cancels()
    await until(lambda: not team.runner.busy)
    assert (await team.world.task(id_)).status == "cancelled"
    assert told == [asyncio.CancelledError]
    assert len(team.model.asked) == 1


@KINDS
@pytest.mark.parametrize("stop", ["cancel", "lose"])
async def test_an_answer_that_comes_with_the_stop_is_entered(team: Team, kind: str, stop: str) -> None:
    """The money is spent, though the handler does not hear of it any more, or others have the task."""
    id_ = await team.start(kind)
    [attempt] = team.runner._attempts
    team.model.last = getattr(attempt, stop)
    team.model.gate.set()
    await until(lambda: not team.runner.busy)
    entries = await team.world.database.read(lists.rows_of, "ledger", id_)
    assert [(row["step"], row["kept"]) for row in entries] == [("first", 0)]


async def stopped_with_a_bill(
    team: Team, stop: str, refusals: Iterator[Exception], patch: pytest.MonkeyPatch
) -> str:
    """The id of a task whose attempt was stopped when its answer came, and is over; the database had so much
    against the bill."""
    write = team.world.database.write

    async def refuse(verb: Any, item: Any, **more: Any) -> Any:
        if verb is ledger.enter and (error := next(refusals, None)) is not None:
            raise error
        return await write(verb, item, **more)

    id_ = await team.start("asks")
    [attempt] = team.runner._attempts
    team.model.last = getattr(attempt, stop)
    patch.setattr(team.world.database, "write", refuse)
    team.model.gate.set()
    await until(lambda: not team.runner.busy)
    return id_


async def test_the_bill_of_a_lost_attempt_waits_for_the_database(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease is often lost because it was away. It is entered once, and the attempt is over only then."""
    monkeypatch.setattr("duly.execute.questions.RETRY_SECONDS", 0)
    refusals = iter([NotReady("away")] * 3)
    id_ = await stopped_with_a_bill(team, "lose", refusals, monkeypatch)
    assert list(refusals) == []
    assert len(await team.world.database.read(lists.rows_of, "ledger", id_)) == 1


async def test_a_bill_that_is_refused_for_good_costs_no_outcome(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said in the log."""
    id_ = await stopped_with_a_bill(team, "cancel", itertools.repeat(ValueError("no row")), monkeypatch)
    assert (await team.world.task(id_)).status == "cancelled"
    assert "journal.refused" in team.world.emitted.names()
