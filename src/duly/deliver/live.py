"""Follows one task: its stored timeline first, then each line as it commits, with streamed output between.

A `Watch` tells when there is something new, for all followers of the process. A socket or an SSE route
renders it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from duly.deliver.beat import pause
from duly.deliver.watch import Watch
from duly.model.errors import TaskNotFound
from duly.model.events import Event
from duly.model.state import Status
from duly.store import lists
from duly.store.database import Database
from duly.store.transaction import Transaction

PAGE = 500
PARTIAL = "partial"
PING = "ping"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower has read: the last line, and the last part of streamed output (attempt, part)."""

    seq: int = 0
    part: tuple[int, int] = (0, -1)

    def __str__(self) -> str:
        return str(self.seq) if self.part[1] < 0 else f"{self.seq}.{self.part[0]}.{self.part[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A timeline line (`seq` ascends, without a gap but before a `compacted` one), or without one:
    `partial` with data {attempt, part, text}, and `ping` when nothing happened for a while. `place`: from
    where a follower resumes who has it and all before it."""

    type: str
    place: Place
    seq: int | None = None
    at: int | None = None
    data: dict[str, Any]


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
    database: Database,
    task_id: str,
    *,
    after: Place = Place(),
    ping: float = 15.0,
    watch: Watch | None = None,
) -> AsyncGenerator[LiveEvent, None]:
    """Yields every timeline line behind `after` once, in order; ends when the task has ended.

    Streamed output is yielded in order of its parts while its attempt runs; when the attempt ends the
    store drops it, for the result holds it all. A follower that comes back gets what it does not have.

    Args:
        database: an open database.
        task_id: the task.
        after: what the caller has seen.
        ping: seconds of silence after which a `ping` is yielded.
        watch: the process's; without it the follower has one of its own.

    Raises:
        TaskNotFound: there is no such task.
    """
    loop, place = asyncio.get_running_loop(), after
    spoke = loop.time()
    with (watch or Watch(database)).task(task_id) as news:
        view = await database.read(_look, task_id, place)
        if view is None:
            raise TaskNotFound(f"there is no task {task_id}")
        while view is not None:
            for line in _lines(view, place):
                yield line
                spoke, place = loop.time(), line.place
            if view.status.terminal and not view.more:
                return
            if loop.time() - spoke >= ping:
                yield LiveEvent(type=PING, place=place, data={})
                spoke = loop.time()
            if not view.more:
                await pause(news, max(0.0, spoke + ping - loop.time()))
            news.clear()
            view = await database.read(_look, task_id, place)


def _look(tx: Transaction, id_: str, place: Place) -> _View | None:
    status = lists.statuses(tx, [id_]).get(id_)
    if status is None:
        return None
    events = lists.events(tx, id_, place.seq, PAGE)
    parts = lists.partial(tx, id_, place.part) if len(events) < PAGE else []
    return _View(status, events, parts)


def _lines(view: _View, place: Place) -> list[LiveEvent]:
    """What the view adds to the place: lines first, for parts are of the attempt that the last one began."""
    lines = []
    for one in view.events:
        place = Place(one.seq, place.part)
        lines.append(LiveEvent(type=one.type, place=place, seq=one.seq, at=one.at, data=one.data))
    for attempt, part, text in view.parts:
        place = Place(place.seq, (attempt, part))
        data = {"attempt": attempt, "part": part, "text": text}
        lines.append(LiveEvent(type=PARTIAL, place=place, data=data))
    return lines
