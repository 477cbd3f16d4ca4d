"""The view `tasks`: what people's SQL reads, on each database, as the README writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import duly_apps.tender as app
from duly.clock import SystemClock
from duly.model.state import Status
from duly.store import migrate
from duly.store.database import Database
from duly.store.views import COLUMNS
from support import servers
from support.stores import Store, opened_store, sqlite_store

README = Path(app.__file__).with_name("README.md").read_text("utf-8")
#: What the three statements are over, in their order.
RATE, MEAN, RETRIES = range(3)
DATABASES = [
    "sqlite",
    *(pytest.param(kind, marks=pytest.mark.services) for kind in servers.KINDS),
]


def statements(kind: str) -> list[str]:
    """The README's, for this database."""
    return re.findall(rf"```sql {kind}\n(.*?);\n```", README, re.DOTALL)


@pytest.fixture(params=DATABASES)
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store of that kind, at today's time: the statements ask for the last day."""
    if kind == "sqlite":
        path = tmp_path / "duly.db"
        migrate.ensure(Database(f"sqlite:///{path}"))
        one = sqlite_store(path)
    else:
        url = servers.database_url(kind)
        servers.clear(url)
        one = opened_store(url)
    one.clock.advance((SystemClock().now_ms() - one.clock.now_ms()) / 1000 - 60)
    yield one
    one.database.close()


@pytest.fixture
def own(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store whose schema the test may change: on a server, in a database of its own."""
    if kind == "sqlite":
        path = tmp_path / "duly.db"
        migrate.ensure(Database(f"sqlite:///{path}"))
        one = sqlite_store(path)
    else:
        name = re.sub(r"\W+", "_", request.node.name.lower())[-30:]
        one = opened_store(servers.made_url(kind, name))
    yield one
    one.database.close()


def asked(store: Store, statement: str) -> list[tuple[Any, ...]]:
    """Its rows, as a person's own connection gets them."""
    with store.database.engine().connect() as connection:
        answer = connection.execute(sa.text(statement))
        return [tuple(row) for row in answer] if answer.returns_rows else []


def test_the_three_statements_run(kind: str, store: Store) -> None:
    """Success of the last day, mean duration by type, retries: as written, with the right numbers."""
    slow = store.running()
    store.clock.advance(4)
    store.finish(slow)
    again = store.running()
    store.finish(again, Status.RETRY)
    for status in (Status.COMPLETED, Status.FAILED):
        store.ended(status)
    rate, mean, retries = (asked(store, one) for one in statements(kind))
    assert float(rate[0][0]) == 50.0
    [(task_type, average)] = mean
    seconds = average.total_seconds() if kind == "postgres" else float(average)
    assert (task_type, 1.9 < seconds < 2.2) == ("demo", True)
    assert retries == [(0, 3), (1, 1)]


def test_the_view_has_these_columns(store: Store) -> None:
    """And a task's own values in them."""
    id_ = store.ended(Status.COMPLETED, owner="alice", input='{"a": 1}')
    [row] = asked(store, f"SELECT {', '.join(COLUMNS)} FROM tasks")  # noqa: S608 - names of ours
    said = dict(zip(COLUMNS, row, strict=True))
    told = (said["id"], said["status"], said["user_id"], said["error"])
    assert told == (id_, "completed", "alice", None)
    assert said["payload"] in ({"a": 1}, '{"a": 1}')
    assert said["started_at"] is not None


@pytest.mark.parametrize("write", ["UPDATE tasks SET status = 'failed'", "DELETE FROM tasks"])
def test_nobody_writes_through_it(store: Store, write: str) -> None:
    """It is there to be read."""
    id_ = store.ended(Status.COMPLETED)
    with pytest.raises(sa.exc.DBAPIError):
        asked(store, write)
    assert store.status(id_) is Status.COMPLETED


def test_a_migration_down_takes_it_away(own: Store) -> None:
    """And up again makes it; nothing else depends on it."""
    migrate.downgrade(own.database, "0017")
    with pytest.raises(sa.exc.DBAPIError):
        asked(own, "SELECT count(*) FROM tasks")
    migrate.upgrade(own.database)
    assert asked(own, "SELECT count(*) FROM tasks") == [(0,)]


@pytest.mark.parametrize("what", ["TABLE tasks (a INTEGER)", "VIEW tasks AS SELECT 1 AS a"])
def test_what_somebody_else_calls_tasks_stays(own: Store, what: str) -> None:
    """Up and down, a table or a view; the schema is Duly's newest all the same."""
    migrate.downgrade(own.database, "0017")
    asked(own, f"CREATE {what}")
    migrate.upgrade(own.database)
    migrate.ensure(own.database)
    assert migrate.differences(own.database) == [] or what.startswith("TABLE")
    migrate.downgrade(own.database, "0017")
    asked(own, "SELECT a FROM tasks")
