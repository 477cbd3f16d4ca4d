"""The pen of an attempt: gathers what may be gathered, and falls silent once the task is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from duly.execute import journal as pen_module
from duly.execute.journal import GATHER_CHARACTERS, GATHER_SECONDS, Journal
from duly.model.chat import ChatAnswer, Paid
from duly.model.errors import LeaseLost, NotReady
from duly.model.events import EventType
from duly.model.task import Claimed, Step
from duly.store import blobs, children, items, ledger, submissions
from duly.store import journal as verbs
from support.cluster import until
from support.world import Emitted

CLAIMED = Claimed(
    id="t",
    attempt=1,
    task_type="demo",
    queue="default",
    tenant="",
    owner="",
    input="{}",
    timeout_ms=1000,
    deadline_at=None,
    retry_count=0,
    max_retries=3,
    metadata={},
)
STEP = Step(name="s", n=1, digest="d", value="1", attempt=1, duration_ms=1)


class Paper:
    """A database that notes what is written, and answers as told."""

    def __init__(self) -> None:
        self.written: list[tuple[Callable[..., Any], Any]] = []
        self.owned = True
        self.refusals = 0
        self.gate: asyncio.Event | None = None
        self.answers: dict[Callable[..., Any], Any] = {}
        self.refused: Callable[..., Any] | None = None

    async def write(self, verb: Callable[..., Any], item: Any) -> bool:
        if self.gate is not None:
            await self.gate.wait()
        if self.refusals > 0:
            self.refusals -= 1
            raise NotReady("locked")
        if verb is self.refused:
            raise ValueError("no text")
        self.written.append((verb, item))
        return self.owned

    async def write_many(self, verb: Callable[..., Any], items: Sequence[Any]) -> list[bool]:
        return [await self.write(verb, item) for item in items]

    async def read(self, query: Callable[..., Any], *args: Any, **more: Any) -> Any:
        if self.refusals > 0:
            self.refusals -= 1
            raise NotReady("locked")
        return self.answers[query]

    def items(self, verb: Callable[..., Any]) -> Sequence[Any]:
        return [item for one, item in self.written if one is verb]


class Slow(Paper):
    """One that has taken what it was told, long before it answers."""

    async def write(self, verb: Callable[..., Any], item: Any) -> bool:
        self.written.append((verb, item))
        assert self.gate is not None
        await self.gate.wait()
        return True


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def lost() -> list[str]:
    return []


@pytest.fixture
def pen(paper: Paper, lost: list[str]) -> Journal:
    return Journal(paper, CLAIMED, emit=Emitted(), lost=lambda: lost.append("lost"))  # type: ignore[arg-type]


async def test_the_first_line_is_written_at_once(pen: Journal, paper: Paper) -> None:
    """A handler that says one thing and then thinks for an hour is heard."""
    await pen.line(EventType.LOG, {"message": "hello"})
    assert [item.events for item in paper.items(verbs.append)] == [((EventType.LOG, {"message": "hello"}),)]


async def test_lines_within_a_quarter_second_are_written_together(pen: Journal, paper: Paper) -> None:
    """A chatty handler costs four writes a second, and the last line needs no further call to be written."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(10):
        await pen.line(EventType.LOG, {"n": number})
    assert len(paper.written) == 1
    await until(lambda: len(paper.written) == 2, 2)
    assert loop.time() - begun >= GATHER_SECONDS - 0.05
    assert len(paper.items(verbs.append)[1].events) == 9


async def test_only_the_latest_progress_is_written(pen: Journal, paper: Paper) -> None:
    """Progress between two writes is overtaken by the newer one."""
    for percent in range(100):
        await pen.progress(percent / 100, f"{percent} %")
    await pen.close()
    assert [item.progress for item in paper.items(verbs.append)] == [0.0, 0.99]


async def test_two_kilobytes_of_text_are_written_without_waiting(pen: Journal, paper: Paper) -> None:
    """Streamed output never piles up beyond 2 KB before it is written."""
    await pen.text("a")
    await pen.text("b" * (GATHER_CHARACTERS - 1))
    assert len(paper.written) == 1
    await pen.text("c")
    assert [len(item.text) for item in paper.items(verbs.stream)] == [1, GATHER_CHARACTERS]
    assert [item.part for item in paper.items(verbs.stream)] == [0, 1]


async def test_a_slow_write_gathers_what_comes_meanwhile(
    pen: Journal, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the database takes, nobody who says something waits for it, and few writes follow."""
    monkeypatch.setattr(pen_module, "GATHER_SECONDS", 0.0)  # any write takes longer than that
    gate = paper.gate = asyncio.Event()
    first = asyncio.create_task(pen.text("0"))
    await until(pen._flushing.locked)
    async with asyncio.timeout(5):
        for number in range(1, 100):
            await pen.text(f" {number}")
    gate.set()
    await first
    await until(lambda: len(paper.written) == 2)
    assert "".join(item.text for item in paper.items(verbs.stream)) == " ".join(map(str, range(100)))
    await pen.close()
    assert pen.idle


async def test_closing_writes_what_is_left(pen: Journal, paper: Paper) -> None:
    """Nothing that was said before the end is missing at the end."""
    await pen.text("a")
    await pen.text("b")
    await pen.line(EventType.LOG, {})
    await pen.close()
    assert "".join(item.text for item in paper.items(verbs.stream)) == "ab"
    assert len(paper.items(verbs.append)) == 1


async def test_a_refused_write_is_said_once_and_is_the_last(
    pen: Journal, paper: Paper, lost: list[str]
) -> None:
    """Once another attempt owns the task, this one writes nothing more: no line, no text, no step."""
    paper.owned = False
    with pytest.raises(LeaseLost):
        await pen.line(EventType.LOG, {})
    count = len(paper.written)
    for write in (
        pen.text("x" * 5000),
        pen.progress(0.5, None),
        pen.record(STEP),
        pen.line(EventType.LOG, {}),
    ):
        with pytest.raises(LeaseLost):
            await write
    await pen.close()
    assert len(paper.written) == count
    assert lost == ["lost"]


async def test_a_step_outlives_a_busy_database(
    pen: Journal, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step was paid for: it is written again until the database takes it."""
    monkeypatch.setattr("duly.execute.journal.RETRY_SECONDS", 0.001)
    paper.refusals = 3
    await pen.record(STEP)
    assert len(paper.items(verbs.record_steps)) == 1


async def test_a_handler_that_was_stopped_waits_for_no_database(pen: Journal, paper: Paper) -> None:
    """Its worker would be taken for stuck."""
    pen.stop()
    paper.refusals = 1
    with pytest.raises(NotReady):
        await pen.record(STEP)
    assert paper.written == []


async def test_lines_outlive_a_busy_database(pen: Journal, paper: Paper) -> None:
    """Lines that could not be written wait for the next write, in order, once each."""
    paper.refusals = 1
    await pen.line(EventType.LOG, {"n": 1})
    await pen.line(EventType.LOG, {"n": 2})
    await pen.close()
    assert [data["n"] for item in paper.items(verbs.append) for _, data in item.events] == [1, 2]


@pytest.mark.parametrize("kind", ["line", "progress", "text"])
async def test_what_is_being_written_when_the_handler_is_cancelled_is_written_once(kind: str) -> None:
    """The database does not forget what it was told; what comes later follows it, as a part of its own."""
    paper = Slow()
    paper.gate = asyncio.Event()
    pen = Journal(paper, CLAIMED, emit=Emitted(), lost=lambda: None)  # type: ignore[arg-type]
    say: dict[str, Callable[[str], Coroutine[Any, Any, None]]] = {
        "line": lambda word: pen.line(EventType.LOG, {"message": word}),
        "progress": lambda word: pen.progress(0.5, word),
        "text": pen.text,
    }
    handler = asyncio.create_task(say[kind]("first"))
    await until(lambda: bool(paper.written))
    handler.cancel()
    await asyncio.gather(handler, return_exceptions=True)
    assert not pen.idle  # the outcome waits for it
    paper.gate.set()
    await say[kind]("later")
    await pen.close()
    events = [data["message"] for item in paper.items(verbs.append) for _, data in item.events]
    parts = [(item.part, item.text) for item in paper.items(verbs.stream)]
    assert (events or parts) == (["first", "later"] if kind != "text" else [(0, "first"), (1, "later")])


async def test_an_outcome_follows_the_step_that_is_being_written() -> None:
    """In a group of writes it would overtake it, and the step would be made again."""
    paper = Slow()
    paper.gate = asyncio.Event()
    pen = Journal(paper, CLAIMED, emit=Emitted(), lost=lambda: None)  # type: ignore[arg-type]
    handler = asyncio.create_task(pen.record(STEP))
    await until(lambda: bool(paper.written))
    handler.cancel()
    await asyncio.gather(handler, return_exceptions=True)
    assert not pen.idle
    closing = asyncio.create_task(pen.close())
    await asyncio.sleep(0)
    assert not closing.done()
    paper.gate.set()
    await closing
    assert len(paper.items(verbs.record_steps)) == 1
    assert pen.idle


@pytest.mark.parametrize("kind", ["progress", "text"])
async def test_what_was_not_taken_stands_before_what_came_meanwhile(
    pen: Journal, paper: Paper, kind: str
) -> None:
    """The parts are counted without it; of two progresses the newer one is told."""
    gate = paper.gate = asyncio.Event()
    paper.refusals = 1
    say: Any = {"progress": lambda word: pen.progress(0.5, word), "text": pen.text}[kind]
    first = asyncio.create_task(say("first "))
    await until(pen._flushing.locked)
    await say("later")
    gate.set()
    await first
    await pen.close()
    told = [item.message for item in paper.items(verbs.append)]
    parts = [(item.part, item.text) for item in paper.items(verbs.stream)]
    assert (told or parts) == (["later"] if kind == "progress" else [(0, "first later")])


async def test_what_could_not_be_written_needs_no_next_word(
    pen: Journal, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who says one thing while the database is busy, and then thinks for an hour, is heard too."""
    monkeypatch.setattr(pen_module, "RETRY_SECONDS", 0.001)
    paper.refusals = 3
    await pen.text("hello")
    await until(lambda: bool(paper.written), 2)
    assert [item.text for item in paper.items(verbs.stream)] == ["hello"]


async def test_nothing_is_written_after_the_end(
    pen: Journal, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database would not take then is given up: the outcome says more."""
    paper.refusals = 2
    await pen.text("hello")
    monkeypatch.setattr(pen_module, "RETRY_SECONDS", 0.0)
    await pen.close()
    for _ in range(10):  # turns of the loop, in which a timer of no time would go off
        await asyncio.sleep(0)
    assert paper.written == []


@pytest.mark.parametrize("refused", [verbs.stream, verbs.append])
async def test_what_is_refused_for_good_is_given_up(
    paper: Paper, lost: list[str], refused: Callable[..., Any]
) -> None:
    """And said in the log; the handler goes on, what is fine is written, and the attempt comes to its end."""
    emitted = Emitted()
    pen = Journal(paper, CLAIMED, emit=emitted, lost=lambda: lost.append("lost"))  # type: ignore[arg-type]
    paper.refused = refused
    for _ in range(2):
        await pen.text("a" * GATHER_CHARACTERS)
        await pen.progress(0.5, "half")
    await pen.close()
    assert pen.idle
    assert paper.items(verbs.append if refused is verbs.stream else verbs.stream)
    assert {fields["verb"] for name, fields in emitted.lines if name == "journal.refused"} == {
        refused.__name__
    }
    paper.refused = None
    await pen.text("a" * GATHER_CHARACTERS)
    assert len(paper.items(verbs.stream)[-1].text) == GATHER_CHARACTERS
    assert lost == []


@pytest.mark.parametrize("what", ["ends", "tally", "items", "blob"])
async def test_a_busy_database_costs_a_reader_time_and_not_its_attempt(
    pen: Journal, paper: Paper, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Who asks what became of children or items, or for an upload, while the database restarts, waits for it;
    so do the cancels of those who are no longer wanted."""
    monkeypatch.setattr(pen_module, "RETRY_SECONDS", 0)
    alive = {"id": "c", "status": "running", "error_code": None, "error": None}
    paper.answers = {children.outcomes: [alive], items.items: [], blobs.get: b"bytes"}
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "ends": lambda: pen.ends(STEP, ("c",), True),
        "tally": lambda: pen.tally(STEP, ("c",)),
        "items": lambda: pen.items("numbers", -1),
        "blob": lambda: pen.blob("sha"),
    }
    for refusals in (1, 2, 3):
        paper.refusals = refusals
        assert await asked[what]() is not None
        assert paper.refusals == 0
    assert paper.items(submissions.cancel) == (["c"] * 3 if what == "ends" else [])


async def test_what_a_lost_attempt_owes_is_entered_once(pen: Journal, paper: Paper) -> None:
    """Its step is refused by the fence, so its answer stays owed; the ledger asks for no fence."""
    answer = ChatAnswer(text="so", finish_reason="stop", provider="main", model="m-1")
    paid = Paid(step="ask", n=1, prompt="p", answer=answer)
    pen._owed["ask", 1] = paid
    pen._mark_lost()
    with pytest.raises(LeaseLost):
        await pen.record(STEP, paid)
    assert pen.owes
    for _ in range(2):
        await pen.settle()
    assert [(item.step, item.kept) for item in paper.items(ledger.enter)] == [("ask", False)]
    assert not pen.owes
