"""Room kept free on the disk of a SQLite file: on a full one nothing can be deleted, so nothing made free.

A file of a few megabytes beside the database. Pruning removes it when the disk is full, deletes with the room
that this makes, gives the freed pages back to the disk, and keeps the file anew (decision 0021).
"""

from __future__ import annotations

import contextlib
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

from duly.model.errors import NotReady
from duly.store.database import Database
from duly.store.sqlite import Sqlite

#: Pages that go back to the disk with one transaction, and how many such transactions at once.
PAGES = "PRAGMA incremental_vacuum(1000)"
STEPS = 16
#: Seconds that such a transaction waits for others: a pass comes every minute.
PATIENCE = 1.0


class Reserve:
    """The file `<database>.reserve` of `size` bytes; on a server, or with a size of 0, there is none."""

    def __init__(self, database: Database, size: int) -> None:
        self._driver = database.driver
        self.size = size if isinstance(self._driver, Sqlite) else 0
        self.path = Path(f"{self._driver.place}.reserve")

    @property
    def kept(self) -> bool:
        """Whether it is there, whole."""
        return self.path.exists() and self.path.stat().st_size >= self.size

    @property
    def free(self) -> int:
        """Bytes that are free on its disk."""
        return shutil.disk_usage(self.path.parent).free

    @property
    def short(self) -> bool:
        """Whether the disk has less left than the reserve itself."""
        return self.size > 0 and self.path.parent.is_dir() and self.free < self.size

    def helps(self, error: NotReady) -> bool:
        """Whether this error is that of a full disk, and there was a reserve, which is released now."""
        return self.size > 0 and "disk is full" in str(error) and self.release()

    def release(self) -> bool:
        """Makes its room free; whether there was any."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    def keep(self) -> bool:
        """Makes it where it is not, if the disk has room for two; whether it is there."""
        if not self.size:
            self.release()
            return False
        if self.kept:
            return True
        if self.free < 2 * self.size:
            self._shrink()
        return self.free >= 2 * self.size and self._make()

    def _make(self) -> bool:
        try:
            self.path.touch(0o600)
            with self.path.open("wb") as file:
                file.write(bytes(self.size))  # a hole would hold no room
        except OSError:
            self.release()
            return False
        return True

    def _shrink(self) -> None:
        """Gives the database's free pages back to the disk, as many as are needed."""
        with closing(self._driver.connect(patience=PATIENCE)) as connection:
            for _ in range(STEPS):
                before = _free_pages(connection)
                with contextlib.suppress(self._driver.module.Error):  # locked, or full: later, then
                    connection.execute(PAGES).fetchall()
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if self.free >= 2 * self.size or _free_pages(connection) in (0, before):
                    return


def _free_pages(connection: Any) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
