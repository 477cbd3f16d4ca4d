"""The database that settings name, looked at before it is opened: what is missing is one line."""

from __future__ import annotations

from duly.cli.shell import Refusal
from duly.config import Settings
from duly.store.database import Database


def database_at(settings: Settings, *, existing: bool = False) -> Database:
    """The database, not opened.

    Raises:
        Refusal: there is no file where there should be one.
        NotReady: no folder for a file, an unsuitable database, or one that cannot be reached now.
    """
    database = Database(settings.database_url, listen_url=settings.database_listen_url or None)
    if existing and not database.driver.exists():
        raise Refusal(
            f"there is no database {database.place}; `duly serve` makes one, --database-url names another"
        )
    database.examine()
    return database
