"""Follows one task: its stored timeline first, then each line as it commits, with streamed output between.

Hints of commits make it quick; looking every second makes it sure. A socket or an SSE route renders it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

from duly.model.errors import TaskNotFound
from duly.model.events import Event
from duly.model.state import Status
from duly.store import lists
from duly.store.database import Database
from duly.store.transaction import Transaction

POLL_SECONDS = 1.0
#: Commits come in bursts; one look per this long is soon enough for a person.
GATHER_SECONDS = 0.02
PAGE = 500
PARTIAL = "partial"
PING = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A timeline line (`seq` ascends, without a gap but before a `compacted` one), or without a seq:
    `partial` with data {attempt, part, text}, and `ping` when nothing happened for a while."""

    type: str
    seq: int | None = None
    at: int | None = None
    data: dict[str, Any]


@dataclass(slots=True)
class _Place:
    """How far a follower has read."""

    seq: int
    part: tuple[int, int] = (0, -1)


@dataclass(frozen=True, slots=True)
class _View:
    """One consistent look at a task; parts only when the timeline has been read to its end."""

    status: Status
    events: list[Event]
    parts: list[tuple[int, int, str]]

    @property
    def more(self) -> bool:
        return len(self.events) == PAGE


async def follow(
    database: Database, task_id: str, *, after: int = 0, ping: float = 15.0
) -> AsyncGenerator[LiveEvent, None]:
    """Yields every timeline line after number `after` once, in order; ends when the task has ended.

    Streamed output is yielded in order of its parts while its attempt runs; when the attempt ends the
    store drops it, for the result holds it all. A follower that comes back gets it from its beginning.

    Args:
        database: an open database.
        task_id: the task.
        after: the last line the caller has seen; 0 for none.
        ping: seconds of silence after which a `ping` is yielded.

    Raises:
        TaskNotFound: there is no such task.
    """
    loop, place = asyncio.get_running_loop(), _Place(after)
    spoke = loop.time()
    with _hints(database) as hint:
        view = await database.read(_look, task_id, place)
        if view is None:
            raise TaskNotFound(f"there is no task {task_id}")
        while view is not None:
            for line in _lines(view, place):
                yield line
                spoke = loop.time()
            if view.status.terminal and not view.more:
                return
            if loop.time() - spoke >= ping:
                yield LiveEvent(type=PING, data={})
                spoke = loop.time()
            if not view.more:
                await _pause(hint, min(POLL_SECONDS, max(0.0, spoke + ping - loop.time())))
            hint.clear()
            view = await database.read(_look, task_id, place)


def _look(tx: Transaction, id_: str, place: _Place) -> _View | None:
    status = lists.statuses(tx, [id_]).get(id_)
    if status is None:
        return None
    events = lists.events(tx, id_, place.seq, PAGE)
    parts = lists.partial(tx, id_, place.part) if len(events) < PAGE else []
    return _View(status, events, parts)


def _lines(view: _View, place: _Place) -> list[LiveEvent]:
    """What the view adds, moving the place: lines first, for parts are of the attempt that the last began."""
    lines = [LiveEvent(type=one.type, seq=one.seq, at=one.at, data=one.data) for one in view.events]
    for attempt, part, text in view.parts:
        lines.append(LiveEvent(type=PARTIAL, data={"attempt": attempt, "part": part, "text": text}))
    place.seq = view.events[-1].seq if view.events else place.seq
    place.part = view.parts[-1][:2] if view.parts else place.part
    return lines


async def _pause(hint: asyncio.Event, seconds: float) -> None:
    """Until a commit, for at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await hint.wait()
    except TimeoutError:
        return
    await asyncio.sleep(GATHER_SECONDS)


@contextlib.contextmanager
def _hints(database: Database) -> Iterator[asyncio.Event]:
    """An event that is set after commits, of this process and of others."""
    hint, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake(_foreign: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody follows any more
            loop.call_soon_threadsafe(hint.set)

    forget = database.subscribe(wake)
    try:
        yield hint
    finally:
        forget()
