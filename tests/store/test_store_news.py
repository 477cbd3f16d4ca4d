"""What other processes hear of a commit on PostgreSQL, and what is done beside the work there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from duly.model.errors import DulyError
from duly.store import errands, submissions
from duly.store.database import Database
from support import servers
from support.cluster import until
from support.lines import line_of, said
from support.stores import submission

pytestmark = [pytest.mark.services, pytest.mark.only("postgres")]


@pytest.fixture
def url() -> str:
    """An empty database on the server."""
    address = servers.database_url("postgres")
    servers.clear(address)
    return address


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database that was opened on this loop."""
    one = Database(url)
    one.open()
    yield one
    one.close()


def pause_is_over(database: Database) -> None:
    """The last hint was long ago."""
    way = database._dispatch._express
    assert way is not None
    way._errands.news.told_at = float("-inf")


@pytest.fixture
async def other(url: str, database: Database) -> AsyncIterator[Database]:
    """Another process's hold of the same database, as far as hints go."""
    one = Database(url)
    one.open()
    await until(lambda: not line_of(database).under_way and not line_of(one).under_way)
    yield one
    one.close()


async def test_another_process_hears_of_a_submit(database: Database, other: Database) -> None:
    """And of what the writer committed; who committed is not told of it."""
    heard, own = asyncio.Event(), []
    other.subscribe(lambda foreign: heard.set() if foreign else None)
    database.subscribe(own.append)
    for batch in ([submission()], [submission() for _ in range(64)], [submission() for _ in range(64)]):
        heard.clear()
        await database.write_many(submissions.submit, batch)
        async with asyncio.timeout(5):
            await heard.wait()
    assert True not in own


async def test_a_lone_commit_is_its_own_hint(database: Database, other: Database) -> None:
    """Another process hears of it without a statement, and a synced commit, that only tells."""
    heard, statements = asyncio.Event(), said(database)
    other.subscribe(lambda foreign: heard.set() if foreign else None)
    pause_is_over(database)
    await database.write(submissions.submit, submission())
    async with asyncio.timeout(5):
        await heard.wait()
    assert line_of(database).hint not in statements


async def test_a_hint_that_failed_with_its_statement_is_told(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood for what was committed before, too."""
    monkeypatch.setattr(errands, "TELL_PAUSE", 0.3)
    heard: list[bool] = []
    other.subscribe(heard.append)
    await database.write(submissions.submit, submission())
    await until(lambda: len(heard) >= 1)
    await database.write(submissions.submit, submission())  # within the pause: not told yet
    statements = said(database)
    pause_is_over(database)
    with pytest.raises(DulyError):
        await database.write(submissions.submit, submission(body_hash="h" * 100))
    await until(lambda: line_of(database).hint in statements)


async def test_a_hint_within_the_pause_is_told_after_it(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two commits in a row the second is news too."""
    monkeypatch.setattr(errands, "TELL_PAUSE", 0.3)
    heard: list[bool] = []
    other.subscribe(heard.append)
    await database.write(submissions.submit, submission())
    await until(lambda: len(heard) >= 1)
    await database.write(submissions.submit, submission())
    await until(lambda: len(heard) >= 2)


async def test_the_last_commit_is_told_at_the_end(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that submits and ends within the pause leaves no worker waiting for its poll."""
    monkeypatch.setattr(errands, "TELL_PAUSE", 60.0)
    other = Database(url)
    other.open()
    await other.write(submissions.submit, submission())
    heard = asyncio.Event()
    database.subscribe(lambda foreign: heard.set() if foreign else None)
    await other.write(submissions.submit, submission())
    other.close()
    async with asyncio.timeout(5):
        await heard.wait()


async def test_plans_are_made_beside_the_work(database: Database) -> None:
    """After a table has grown, the next statement need not wait for its plan."""
    statements = said(database)
    for _ in range(4):
        await database.write(submissions.submit, submission())
    await until(lambda: "EXPLAIN (COSTS OFF) EXECUTE submit_plain(NULL, NULL, NULL)" in statements)
    await until(lambda: not line_of(database).under_way)
    counted: list[Any] = []
    asked = "SELECT generic_plans FROM pg_prepared_statements WHERE name = 'submit_plain'"
    line_of(database).say(asked, counted.append)
    await until(lambda: bool(counted))
    assert counted[0][0][0] > 4  # each submit, and what was asked beside
