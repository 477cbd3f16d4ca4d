"""Follows many tasks: of an owner, of a batch, or all. One look serves all followers of a process.

Every line is yielded at least once, those of a task in their order without a gap; a reader who resumes drops
what it has by (task, seq). The cursor is a position that all earlier ones were yielded before: decision 0036.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from duly.deliver.beat import Beat
from duly.model.events import Event
from duly.model.state import TERMINAL
from duly.store import feed, lists
from duly.store.database import Database
from duly.store.feed import Line, Scope
from duly.store.transaction import Transaction

RESET, END = "reset", "end"
#: Lines that wait for one follower; one that is so far behind is ended, and may resume.
QUEUE = 1000
PAGE = 1000
#: Further back than this a reader gets the snapshot instead: lines, and milliseconds.
REPLAY_LINES = 10_000
REPLAY_MS = 3_600_000
#: Scopes that one statement asks for; with more of them it asks for all lines.
SCOPES = 100
#: How far before the horizon a look begins after the clock, or the count of rows, went back.
AGAIN = 10_000
_REMEMBERED = 20_000
_CURSOR = re.compile(r"r([0-9]{1,16})\.([0-9]{1,16})|t([0-9]{1,16})")


class TooSlow(Exception):
    """The follower does not keep up; it may resume after its cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """A line of a task, `reset` with data {reason, tasks, complete}, or `end` of a batch."""

    type: str
    cursor: str
    task_id: str = ""
    seq: int = 0
    at: int | None = None
    data: dict[str, Any]


@dataclass(slots=True, eq=False)
class _Follower:
    scope: Scope
    lines: deque[tuple[Line, str]] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    def take(self, line: Line, cursor: str) -> None:
        if len(self.lines) >= QUEUE:
            self.fail(TooSlow())
        elif self.error is None:
            self.lines.append((line, cursor))
            self.news.set()

    async def next(self) -> tuple[Line, str]:
        while not self.lines:
            if self.error is not None:
                raise self.error
            self.news.clear()
            await self.news.wait()
        return self.lines.popleft()

    def fail(self, error: Exception) -> None:
        self.lines.clear()
        self.error = error
        self.news.set()


class Feed:
    """The lines of one process's followers of many tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[_Follower] = set()
        self._beat = Beat(database, self._look, self._failed)
        self._since: int | None = None
        self._window: set[tuple[str, int]] = set()

    async def follow(self, scope: Scope, after: str = "") -> AsyncGenerator[FeedEvent]:
        """What stands now (`reset`) or, after a cursor, what it has missed; then each line as it commits.

        A batch ends, with `end`, once it and its members have.

        Raises:
            TooSlow: more than QUEUE lines waited for the caller.
        """
        follower, seen = _Follower(scope), _Seen(scope.batch)
        await self._join(follower)
        try:
            async for event in self._begin(scope, after, seen):
                yield event
            while not await self._over(scope, seen):
                line, cursor = await follower.next()
                for one in await self._unseen(line, seen):
                    yield _event(one, cursor)
            yield FeedEvent(type=END, cursor=END, task_id=scope.batch or "", data={})
        finally:
            self._leave(follower)

    async def _join(self, follower: _Follower) -> None:
        """Before anything is read for it: whatever commits from here on reaches it."""
        self._followers.add(follower)
        if self._since is None:
            since = await self._database.read(feed.horizon)
            self._since = since if self._since is None else self._since
        if follower in self._followers:
            self._beat.start()

    def _leave(self, follower: _Follower) -> None:
        self._followers.discard(follower)
        if not self._followers:
            self._beat.stop()
            self._since = None
            self._window.clear()

    async def _begin(self, scope: Scope, after: str, seen: _Seen) -> AsyncGenerator[FeedEvent]:
        horizon = await self._database.read(feed.horizon)
        here, since = await self._database.read(_resumable, after, horizon)
        if since is None:
            tasks, complete = await self._database.read(feed.standing, scope)
            for one in tasks:
                seen.note(one.task_id, one.seq)
            seen.stands([one.task_id for one in tasks])
            reason = "too_old" if after else "start"
            data = {"reason": reason, "complete": complete, "tasks": [one._asdict() for one in tasks]}
            yield FeedEvent(type=RESET, cursor=here, data=data)
            return
        seen.ask = seen.over = True
        place: tuple[int, str, int] | None = None
        while True:
            page = await self._database.read(feed.lines, [scope], since, after=place, limit=PAGE)
            for line in page:
                for told in await self._unseen(line, seen):
                    yield _event(told, _cursor(here[0], line, horizon))
            if len(page) < PAGE:
                return
            place = page[-1][:3]

    async def _unseen(self, line: Line, seen: _Seen) -> list[Event | Line]:
        """The line, and those of its task that are missing before it; none if it was yielded."""
        known = seen.lines.get(line.task_id)
        if known is not None and line.seq <= known:
            return []
        missing: list[Event | Line] = []
        if known is not None and line.seq > known + 1:
            missing += await self._database.read(
                lists.events, line.task_id, known, limit=line.seq - known - 1
            )
        seen.note(line.task_id, line.seq)
        if line.type in TERMINAL:
            seen.over = seen.over or line.task_id == seen.batch
            seen.ask = seen.over
        return [*missing, line]

    async def _over(self, scope: Scope, seen: _Seen) -> bool:
        """Whether nothing of a batch lives any more; asked when something ended after the batch had."""
        if scope.batch is None or not seen.ask:
            return False
        tasks, _ = await self._database.read(feed.standing, scope)
        seen.stands([one.task_id for one in tasks])
        return not tasks

    async def _look(self) -> None:
        """Reads what has come since the last look, and gives it to those whom it concerns."""
        if self._since is None:
            return
        scopes = {one.scope for one in self._followers}
        asked = list(scopes) if len(scopes) <= SCOPES else [Scope()]
        horizon = await self._database.read(feed.horizon)
        since = self._since if horizon >= self._since else horizon - AGAIN
        window: set[tuple[str, int]] = set()
        place: tuple[int, str, int] | None = None
        while True:
            kind, page = await self._database.read(_page, asked, since, place)
            for line in page:
                key = (line.task_id, line.seq)
                if key not in self._window:
                    self._give(line, _cursor(kind, line, horizon))
                if line.position >= horizon:
                    window.add(key)
            if len(page) < PAGE:
                break
            place = page[-1][:3]
        self._since, self._window = horizon, window

    def _give(self, line: Line, cursor: str) -> None:
        for follower in self._followers:
            if follower.scope.holds(line):
                follower.take(line, cursor)

    def _failed(self, error: Exception) -> None:
        for follower in self._followers:
            follower.fail(error)


@dataclass(slots=True)
class _Seen:
    """The last line of each task that a follower was given; the oldest are forgotten.

    Of a batch: whether it is `over` itself, and whether to `ask` what lives of it.
    """

    batch: str | None
    lines: dict[str, int] = field(default_factory=dict)
    over: bool = False
    ask: bool = False

    def stands(self, living: list[str]) -> None:
        self.over, self.ask = self.batch not in living, not living

    def note(self, task_id: str, seq: int) -> None:
        self.lines.pop(task_id, None)
        self.lines[task_id] = seq
        if len(self.lines) > _REMEMBERED:
            del self.lines[next(iter(self.lines))]


def _resumable(tx: Transaction, after: str, horizon: int) -> tuple[str, int | None]:
    """The cursor of now; and from which position the given one goes on, if all behind it is there and not too
    much."""
    rows = feed.kind(tx) == "r"
    here = f"r{horizon - 1}.{feed.at(tx, horizon - 1)}" if rows else f"t{horizon}"
    match = _CURSOR.fullmatch(after)
    if match is None or (match[1] is not None) is not rows:
        return here, None
    since = int(match[1]) + 1 if rows else int(match[3])
    lost = feed.at(tx, since - 1) != int(match[2]) if rows else since < horizon - REPLAY_MS
    if since > horizon or lost or feed.behind(tx, since, REPLAY_LINES):
        return here, None
    return here, since


def _page(
    tx: Transaction, scopes: list[Scope], since: int, place: tuple[int, str, int] | None
) -> tuple[str, list[Line]]:
    return feed.kind(tx), feed.lines(tx, scopes, since, after=place, limit=PAGE)


def _cursor(kind: str, line: Line, horizon: int) -> str:
    """From where a reader who has this line resumes: rows are in the order of commits, times are not."""
    return f"r{line.position}.{line.at}" if kind == "r" else f"t{min(line.position, horizon)}"


def _event(line: Event | Line, cursor: str) -> FeedEvent:
    return FeedEvent(
        type=line.type, cursor=cursor, task_id=line.task_id, seq=line.seq, at=line.at, data=line.data
    )
