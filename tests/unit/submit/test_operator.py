"""An operator's bulk actions over a real store: in batches, up to a limit, with the usual states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.store import lists, migrate
from duly.store.database import Database
from duly.store.lists import Filter
from duly.submit import operator
from duly.submit.operator import Operator
from support.stores import Store, sqlite_store


class Desk:
    """An operator, his store, and what he said."""

    def __init__(self, store: Store) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.store = store
        self.operator = Operator(store.database, emit=lambda name, /, **told: self.said.append((name, told)))

    def stand(self, **wanted: Any) -> int:
        """How many tasks fit."""
        return len(self.store.read(lists.chosen, Filter(**wanted), limit=1000))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Its batches are of three."""
    monkeypatch.setattr(operator, "BATCH", 3)
    path = tmp_path / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    one = Desk(sqlite_store(path))
    yield one
    one.store.database.close()


async def test_all_batches_are_done(desk: Desk) -> None:
    """More than one batch holds, each task once; the log says how many."""
    for _ in range(7):
        desk.store.submit()
    tally = await desk.operator.move(Filter(queue="default"), to="slow", limit=100)
    assert (tally.count, tally.more, desk.stand(queue="slow")) == (7, False, 7)
    assert desk.said == [("tasks.moved", {"count": 7, "queue": "default", "task_type": None})]


async def test_the_limit_is_of_the_whole(desk: Desk) -> None:
    """Not of a batch; what it leaves is told."""
    for _ in range(7):
        desk.store.submit()
    tally = await desk.operator.purge("default", limit=4)
    assert (tally.count, tally.more, desk.stand(status=Status.PENDING)) == (4, True, 3)


async def test_what_is_done_already_does_not_use_up_the_limit(desk: Desk) -> None:
    """Moving goes on behind those that are there, so that asking again is going on."""
    for _ in range(5):
        desk.store.submit()
    first = await desk.operator.move(Filter(task_type="demo"), priority=9, limit=3)
    second = await desk.operator.move(Filter(task_type="demo"), priority=9, limit=3)
    assert (first.count, first.more, second.count, second.more) == (3, True, 2, False)


async def test_a_purge_takes_suspended_tasks_only_by_name(desk: Desk) -> None:
    """They have done work already."""
    id_ = desk.store.ended(Status.WAITING)
    assert (await desk.operator.purge("default", limit=9)).count == 0
    assert (await desk.operator.purge("default", (Status.WAITING,), limit=9)).count == 1
    assert desk.store.status(id_) is Status.CANCELLED


async def test_cancelled_tasks_are_retried_only_by_name(desk: Desk) -> None:
    """Somebody did not want them."""
    id_ = desk.store.ended(Status.CANCELLED)
    assert (await desk.operator.retry(Filter(task_type="demo"), limit=9)).count == 0
    assert (await desk.operator.retry(Filter(status=Status.CANCELLED), limit=9)).count == 1
    assert desk.store.status(id_) is Status.PENDING


async def test_a_pause_and_a_resume_are_told_once(desk: Desk) -> None:
    """The log says who and why; an open queue that is opened is no news."""
    desk.store.submit()
    await desk.operator.pause("default", by="ann", reason="the model is down")
    await desk.operator.resume("default")
    await desk.operator.resume("default")
    assert [name for name, _ in desk.said] == ["queue.paused", "queue.resumed"]


async def test_where_to_must_be_said_before_anything_is_read(desk: Desk) -> None:
    """Even if no task fits."""
    with pytest.raises(InvalidInput, match="say where to"):
        await desk.operator.move(Filter(queue="none"), limit=1)
