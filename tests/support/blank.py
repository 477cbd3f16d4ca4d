"""A new SQLite file is a copy of one that was migrated once: the migrations take longer than most tests."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from duly.store import migrate
from duly.store.database import Database

#: A variable with the path of a file that was migrated already.
GIVEN = "DULY_TEST_BLANK_GIVEN"

_ensure = migrate.ensure


def ensure(database: Database) -> None:
    """Does what `migrate.ensure` does; a SQLite file that is not there is copied first.

    Raises:
        SchemaOutdated: the file stands at another revision.
    """
    if database.driver.dialect == "sqlite" and not database.driver.exists():
        shutil.copy(migrated(), database.driver.path)
    _ensure(database)


@functools.cache
def migrated() -> Path:
    """A file with the newest schema and without a row, to be copied."""
    if given := os.environ.get(GIVEN):
        return Path(given)
    folder = Path(tempfile.mkdtemp(prefix="duly-blank-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "duly.db"
    _ensure(Database(f"sqlite:///{path}"))
    return path
