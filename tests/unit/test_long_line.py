"""What the loop's own connection does when each answer takes long, as over a line to another continent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest

from duly.store import errands, express, submissions
from duly.store.driver import Told
from duly.store.heads import Heads
from duly.store.transaction import Moment, Terms
from duly.store.writer import Call
from support.stores import submission
from support.world import Emitted, FakeClock


class Line:
    """One whose answers come when the test says so."""

    clock, hint = "the clock", "a hint"

    def __init__(self) -> None:
        self.said: list[str] = []
        self._open: deque[Told] = deque()

    def attach(self, _loop: asyncio.AbstractEventLoop, **_called: Any) -> None:
        pass

    @property
    def under_way(self) -> int:
        return len(self._open)

    def run(self, name: str, _parameters: Mapping[str, Any], told: Told, *, hint: bool = False) -> None:
        self.said.append(f"{name} and {self.hint}" if hint else name)
        self._open.append(told)

    def say(self, statement: str, told: Told) -> None:
        self.said.append(statement)
        self._open.append(told)

    def plans(self) -> list[str]:
        return ["plans"]

    def wait(self, _seconds: float) -> None:
        pass

    def close(self) -> None:
        self._open.clear()

    def answer(self, now: int) -> None:
        """The oldest statement's: the time, for whoever asked for it."""
        self._open.popleft()([(now,)])

    def lose(self) -> None:
        """The oldest statement fails."""
        self._open.popleft()(OSError("lost"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
async def way(line: Line, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> express.Express:
    """Drives the line; its pause between two hints is over at once."""
    monkeypatch.setattr(errands, "TELL_PAUSE", 0.0)
    heads = Heads()
    one = express.Express(
        asyncio.get_running_loop(),
        lambda: line,
        clock=clock,
        at=lambda now: Moment(now=now, terms=Terms(), heads=heads),
        pass_on=lambda _: None,
        committed=lambda _: None,
        heard=lambda: None,
        emit=Emitted(),
    )
    one.start()
    return one


async def tell(way: express.Express) -> None:
    """The writer has committed; all that follows from it at once is done."""
    way.tell()
    await idle()


async def idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_news_are_told_once(way: express.Express, line: Line, clock: FakeClock) -> None:
    """News that come while a hint is under way are told after it, and then no more."""
    await tell(way)
    await tell(way)
    assert line.said == [line.hint]
    line.answer(clock.ms)
    await idle()
    assert line.said == [line.hint] * 2
    line.answer(clock.ms)
    await idle()
    assert line.said == [line.hint] * 2


def hand_in(way: express.Express) -> None:
    """A submission by the loop's own way."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    assert way.take(Call(submissions.submit, [submission()], size=1, last=False, future=future, loop=loop))
    way.go()


async def test_news_without_end_hold_nothing_up(way: express.Express, line: Line, clock: FakeClock) -> None:
    """Whenever an answer is there, others have committed again; a submission still goes after the next."""
    await tell(way)
    hand_in(way)
    for _ in range(2):
        await tell(way)
        line.answer(clock.ms)
    assert line.said[:2] == [line.hint, line.clock]
    assert line.said[-1].startswith("submit_plain")


async def test_queues_without_end_hold_no_news_up(
    way: express.Express, line: Line, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever an answer is there, another queue is to be looked at: no look follows a look."""
    monkeypatch.setattr(Heads, "wanted", lambda *_: "a queue")
    hand_in(way)
    for _ in range(12):
        await tell(way)
        line.answer(clock.ms)
    assert line.said.count("plans") == 1
    assert line.said.count(line.hint) >= 3
    assert line.said.count("heads") >= 3


async def test_a_hint_that_was_lost_is_told(way: express.Express, line: Line, clock: FakeClock) -> None:
    """It fails with the statement that it came with, and it stood for the news of others."""
    hand_in(way)
    line.answer(clock.ms)
    assert line.said == [line.clock, f"submit_plain and {line.hint}"]
    line.lose()
    line.answer(clock.ms)  # what is next: where the queue begins
    await idle()
    assert line.said[-1] == line.hint
