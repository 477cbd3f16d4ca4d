"""The feed over positions that are times: what commits late is told, once, and no cursor jumps over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from duly.deliver.feed import Feed, FeedEvent
from duly.model.errors import NotReady
from duly.model.events import Event
from duly.store import feed, lists
from duly.store.feed import Line, Scope


class Database:
    """What looks find, by hand: the lines that have committed, and the horizon."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.committed: list[Line] = []
        self.horizon = 100
        self.away = False
        self.looks = 0
        self._listener: Callable[[bool], object] = lambda _: None
        patch.setattr(feed, "kind", lambda tx: "t")
        patch.setattr(feed, "horizon", lambda tx: self.horizon)
        patch.setattr(feed, "standing", lambda tx, scope: ([], True))
        patch.setattr(feed, "lines", self._lines)
        patch.setattr(lists, "events", self._events)

    def subscribe(self, listener: Callable[[bool], object]) -> Callable[[], None]:
        """One follower's beat listens."""
        self._listener = listener
        return lambda: None

    async def read(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a query of ours."""
        if self.away:
            raise NotReady("away")
        return query(SimpleNamespace(dialect="postgres"), *args, **kwargs)

    def commit(self, *lines: Line, horizon: int) -> None:
        """Lines appear, and nothing before `horizon` is under way any more."""
        self.committed += lines
        self.horizon = horizon
        self._listener(True)

    def _lines(self, tx: Any, scopes: Any, since: int, *, after: Any = None, limit: int) -> list[Line]:
        self.looks += 1
        found = sorted(one for one in self.committed if one.position >= since)
        return [one for one in found if after is None or one[:3] > after][:limit]

    def _events(self, tx: Any, id_: str, after: int, limit: int) -> list[Event]:
        known = [Event(task_id=id_, seq=n, at=0, type="log", data={}) for n in range(after + 1, 99)]
        return known[:limit]


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty one."""
    return Database(monkeypatch)


def line(at: int, task: str, seq: int = 1) -> Line:
    """A line of Ann's."""
    return Line(at, task, seq, at, "log", {}, "", "ann", None)


async def told(following: AsyncGenerator[FeedEvent]) -> FeedEvent:
    """The next event, which comes soon."""
    async with asyncio.timeout(5):
        return await anext(following)


def brief(event: FeedEvent) -> tuple[str, int, str]:
    """What matters of an event."""
    return event.task_id, event.seq, event.cursor


async def test_a_line_that_commits_late_is_told_and_no_cursor_is_behind_it(database: Database) -> None:
    """While its transaction is under way the others' cursors stay before it; then it comes, and they once."""
    following = Feed(database).follow(Scope(owner="ann"))  # type: ignore[arg-type]
    assert (await told(following)).type == "reset"
    database.commit(line(120, "quick"), horizon=110)
    assert brief(await told(following)) == ("quick", 1, "t110")
    database.commit(line(115, "late"), line(130, "next"), horizon=140)
    assert [brief(await told(following)) for _ in range(2)] == [("late", 1, "t115"), ("next", 1, "t130")]
    await following.aclose()


async def test_a_missing_line_of_a_task_is_fetched_before_the_next_one(database: Database) -> None:
    """Numbers have no gaps, so that one shows what was overtaken."""
    following = Feed(database).follow(Scope(owner="ann"))  # type: ignore[arg-type]
    await told(following)
    database.commit(line(120, "a", 1), line(121, "a", 4), horizon=130)
    assert [(await told(following)).seq for _ in range(4)] == [1, 2, 3, 4]
    await following.aclose()


async def test_a_clock_that_goes_back_hides_nothing(database: Database) -> None:
    """Lines of the new time are before the old horizon."""
    following = Feed(database).follow(Scope(owner="ann"))  # type: ignore[arg-type]
    await told(following)
    database.commit(line(60, "a"), horizon=70)
    assert (await told(following)).task_id == "a"
    await following.aclose()


async def test_a_database_that_is_away_is_asked_again(database: Database) -> None:
    """Its followers stay."""
    following = Feed(database).follow(Scope(owner="ann"))  # type: ignore[arg-type]
    await told(following)
    database.away = True
    database.commit(line(120, "a"), horizon=130)
    database.away = False
    assert (await told(following)).task_id == "a"
    await following.aclose()


async def test_what_a_look_breaks_with_reaches_each_follower(database: Database) -> None:
    """Nobody waits for a feed that is broken."""
    following = Feed(database).follow(Scope(owner="ann"))  # type: ignore[arg-type]
    await told(following)
    database.horizon = "broken"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        await told(following)


async def test_one_look_serves_all_and_none_is_taken_for_nobody(database: Database) -> None:
    """Whatever the number of followers; the last one who leaves ends it."""
    one = Feed(database)  # type: ignore[arg-type]
    several = [one.follow(Scope(owner="ann")) for _ in range(50)]
    for following in several:
        await told(following)
    before = database.looks
    database.commit(line(120, "a"), horizon=130)
    for following in several:
        assert (await told(following)).task_id == "a"
    assert database.looks - before <= 3
    for following in several:
        await following.aclose()
    assert one._beat._task is None
