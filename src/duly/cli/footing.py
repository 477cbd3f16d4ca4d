"""The database file that settings name, looked at before it is opened: what is missing is one line."""

from __future__ import annotations

from duly.cli.shell import Refusal
from duly.store.database import Database


def database_at(url: str, *, existing: bool = False) -> Database:
    """The database, not opened.

    Raises:
        Refusal: there is no folder for it, or no file where there should be one.
    """
    database = Database(url)
    if existing and not database.path.exists():
        raise Refusal(
            f"there is no database {database.path}; `duly serve` makes one, --database-url names another"
        )
    if not database.path.parent.is_dir():
        raise Refusal(f"there is no folder {database.path.parent} for the database")
    return database
