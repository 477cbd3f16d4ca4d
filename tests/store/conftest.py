"""One suite for every database: `store` is a real, open one, on each backend in turn.

A backend is a way to make an empty store in a folder; PostgreSQL and MariaDB become two more entries.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from duly.store import migrate, sqlite
from duly.store.database import Database
from support import invariants
from support.stores import Store, sqlite_store

Backend = Callable[[Path, Path, pytest.MonkeyPatch], Store]


def write_ahead(blank: Path, folder: Path, patch: pytest.MonkeyPatch) -> Store:
    """SQLite as it should be: WAL, FULL."""
    return sqlite_store(Path(shutil.copy(blank, folder / "duly.db")))


def rollback_journal(blank: Path, folder: Path, patch: pytest.MonkeyPatch) -> Store:
    """SQLite on an engine that may lose commits in WAL mode: DELETE, FULL."""
    patch.setattr(sqlite, "examine", functools.partial(sqlite.examine, version=(3, 45, 1)))
    return sqlite_store(Path(shutil.copy(blank, folder / "duly.db")))


BACKENDS: dict[str, Backend] = {"wal": write_ahead, "rollback": rollback_journal}


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=BACKENDS)
def store(
    request: pytest.FixtureRequest, blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """An open store without a row."""
    one = BACKENDS[request.param](blank, tmp_path, monkeypatch)
    yield one
    one.database.close()


@pytest.fixture(autouse=True)
def _invariants(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does, the invariants hold afterwards."""
    yield
    invariants.check_folder(tmp_path)
