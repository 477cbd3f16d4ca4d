"""Duly as a measured system, through its public surface: the database's URL alone makes the difference."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from handlers import duly
from system import System

from duly.config import load

#: Duly's own SQLite, where the platform has it: two libraries on one file lose each other's locks.
SQLITE = "pysqlite3.dbapi2" if importlib.util.find_spec("pysqlite3") else "sqlite3"
DATABASE = os.environ.get("BENCH_DULY_DATABASE", "bench_duly")
FINISHED = "SELECT count(*) FROM task WHERE status = 'completed'"


class DulySystem(System):
    """Client in this process, worker as `duly worker` starts it: a supervising parent and one child."""

    #: A claim and its finish have a price of their own, however many tasks share it: more at once pay.
    drain_concurrency = int(os.environ.get("BENCH_DULY_CONCURRENCY", "512"))

    def __init__(self) -> None:
        super().__init__()
        self.url = ""

    async def open(self) -> Any:
        """The client's parts; for the metrics that only Duly has."""
        return await duly.open(load({"database_url": self.url, "log_level": "warning"}, environ={}))

    async def submit(self, kind: str, argument: float) -> None:
        await duly.submit(kind, {"x": argument})

    async def submit_bulk(self, count: int) -> None:
        await self._many("noop", count)

    async def fill(self, kind: str, count: int) -> None:
        await self._many(kind, count)

    async def _many(self, kind: str, count: int) -> None:
        """Calls of a thousand, at once: the database works for one while the next is made."""
        sizes = [min(1000, count - start) for start in range(0, count, 1000)]
        await asyncio.gather(*(duly.submit_many([(kind, {"x": 0.0})] * size) for size in sizes))

    def rest(self) -> None:
        """Brings the database to rest."""

    async def settle(self) -> None:
        """The client is gone: what is measured is the worker."""
        await duly.close()
        self.rest()

    def worker(self, concurrency: int) -> list[str]:
        command = str(Path(sys.executable).with_name("duly"))
        return [command, "worker", "--app", "handlers:duly", "--concurrency", str(concurrency)]

    def environment(self) -> dict[str, str]:
        return {"DULY_DATABASE_URL": self.url}

    async def close(self) -> None:
        await duly.close()


class OnSqlite(DulySystem):
    """On one file."""

    name = "duly-sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._path = self.folder / "duly.db"
        self._driver = importlib.import_module(SQLITE)
        self.url = f"sqlite:///{self._path}"
        self.settings = (
            f"SQLite {self._driver.sqlite_version}, WAL, synchronous=FULL, results stored, supervised "
            f"worker, concurrency {self.drain_concurrency}, log at its default (info) to a file"
        )

    async def setup(self) -> None:
        await duly.close()
        for path in self.folder.glob("duly.db*"):
            path.unlink()
        await self.open()

    async def finished(self) -> int:
        connection = self._driver.connect(str(self._path), timeout=30)
        try:
            return int(connection.execute(FINISHED).fetchone()[0])
        finally:
            connection.close()


class OnPostgres(DulySystem):
    """On a database of its own."""

    drain_concurrency = int(os.environ.get("BENCH_DULY_CONCURRENCY", "1000"))
    name = "duly-postgres"
    database = DATABASE

    def __init__(self) -> None:
        super().__init__()
        import postgres

        self._postgres = postgres
        self._questions: Any = None
        self.url = postgres.url_of(self.database)
        self.settings = (
            "psycopg, synchronous_commit=on, results stored, supervised "
            f"worker, concurrency {self.drain_concurrency}, log at its default (info) to a file"
        )

    async def setup(self) -> None:
        await self._leave()
        self._postgres.create(self.database)
        self._questions = self._postgres.Database(self.database)
        await self.open()

    def rest(self) -> None:
        self._questions.settle()

    async def finished(self) -> int:
        return int(self._questions.number(FINISHED))

    async def transactions(self) -> int:
        return int(self._questions.transactions())

    async def _leave(self) -> None:
        await duly.close()
        if self._questions is not None:
            self._questions.close()
            self._questions = None

    async def close(self) -> None:
        await self._leave()
        self._postgres.drop(self.database)


class OnMariadb(DulySystem):
    """On a database of its own; of the server's settings the buffer pool is ours while we measure."""

    name = "duly-mariadb"

    def __init__(self) -> None:
        super().__init__()
        import mariadb

        self._mariadb = mariadb
        self.url = mariadb.url_of(DATABASE)
        self._pool: int | None = None
        pool = f"buffer pool of {mariadb.POOL_BYTES >> 20} MiB, given back afterwards"
        self.settings = f"PyMySQL, {pool}, concurrency {self.drain_concurrency}"

    async def setup(self) -> None:
        await duly.close()
        if self._pool is None:
            self._pool = self._mariadb.pool()
        self._mariadb.create(DATABASE)
        await self.open()

    def rest(self) -> None:
        self._mariadb.settle()

    async def finished(self) -> int:
        return int(self._mariadb.number(DATABASE, FINISHED))

    async def close(self) -> None:
        await duly.close()
        self._mariadb.drop(DATABASE)
        if self._pool is not None:
            self._mariadb.pool(self._pool)


def system(name: str) -> System:
    """The system of that name."""
    return {one.name: one for one in (OnSqlite, OnPostgres, OnMariadb)}[name]()
