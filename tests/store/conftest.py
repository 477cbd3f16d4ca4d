"""One suite for every database: `store` is a real, open one, on each backend in turn.

A backend is a way to make an empty store. A test about one of them says so: `@pytest.mark.only("wal")`.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duly.store import sqlite
from duly.store.database import Database
from support import blank, invariants, servers
from support.races import LANES
from support.stores import Store, opened_store, sqlite_store

Backend = Callable[[Path, Path, pytest.MonkeyPatch], Store]


def write_ahead(empty: Path, folder: Path, patch: pytest.MonkeyPatch) -> Store:
    """SQLite as it should be: WAL, FULL."""
    return sqlite_store(Path(shutil.copy(empty, folder / "duly.db")))


def rollback_journal(empty: Path, folder: Path, patch: pytest.MonkeyPatch) -> Store:
    """SQLite on an engine that may lose commits in WAL mode: DELETE, EXTRA."""
    patch.setattr(sqlite, "examine", functools.partial(sqlite.examine, version=(3, 45, 1)))
    return sqlite_store(Path(shutil.copy(empty, folder / "duly.db")))


def server(kind: str) -> Backend:
    """A database of this run on a server, without a row."""

    def emptied(empty: Path, folder: Path, patch: pytest.MonkeyPatch) -> Store:
        url = servers.database_url(kind)
        servers.clear(url)
        return opened_store(url)

    return emptied


BACKENDS: dict[str, Backend] = {
    "wal": write_ahead,
    "rollback": rollback_journal,
    "postgres": server("postgres"),
    "mariadb": server("mariadb"),
}
PARAMETERS = [
    pytest.param(name, marks=pytest.mark.services if name in servers.KINDS else ()) for name in BACKENDS
]


@pytest.fixture(scope="session", name="blank")
def _empty() -> Path:
    """An empty database file with the newest schema, to be copied."""
    return blank.migrated()


@pytest.fixture(params=PARAMETERS)
def store(
    request: pytest.FixtureRequest, blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """An open store without a row; `@pytest.mark.writer`: one whose verbs all run on the writer."""
    one = BACKENDS[request.param](blank, tmp_path, monkeypatch)
    yield one if request.node.get_closest_marker("writer") is None else Store(one.database, one.clock)
    one.database.close()
    if request.param in servers.KINDS:
        invariants.check_by(servers.standing(one.database.url))


@pytest.fixture(autouse=True)
def _invariants(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does, the invariants hold afterwards."""
    yield
    invariants.check_folder(tmp_path)


@pytest.fixture
def others(store: Store) -> Iterator[list[Store]]:
    """Other processes' stores on the same database: two for each lane of a race."""
    stores = [Store(Database(store.database.url, clock=store.clock), store.clock) for _ in range(2 * LANES)]
    for one in stores:
        one.database.open()
    yield stores
    for one in stores:
        one.database.close()
