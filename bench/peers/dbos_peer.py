"""DBOS on SQLite or PostgreSQL: queued async workflows, results stored, queue polled once a second."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import marks
from dbos import DBOS, DBOSClient
from peers.on_postgres import OnPostgres
from psycopg import sql
from system import System

QUEUE = "bench"
FILLERS = 4


def launch(url: str) -> None:
    """Starts DBOS in this process; makes its tables when they are missing."""
    config: Any = {
        "name": "bench",
        "system_database_url": url,
        "log_level": "ERROR",
        "run_admin_server": False,
        "application_version": "1",
        "executor_id": "bench",
    }
    DBOS(config=config)
    DBOS.launch()


@DBOS.workflow(name="noop")
async def noop(x: float) -> float:
    """Does nothing, and has a result that is kept."""
    marks.ran()
    return x


@DBOS.workflow(name="latency")
async def latency(x: float) -> int:
    """Marks how long after `x` it began."""
    marks.picked_up(x)
    return 1


@DBOS.workflow(name="wait")
async def wait(x: float) -> int:
    """Waits for a second."""
    del x
    marks.waits()
    await asyncio.sleep(1.0)
    return 1


def install(url: str) -> None:
    """Makes the tables, in a process of its own."""
    subprocess.run([sys.executable, "-m", "peers.dbos_peer", "init", url], check=True, capture_output=True)


class Dbos(System):
    """Its client blocks. It has no documented way to enqueue many at once."""

    blocking = True
    bulk = False
    drain_share = 0.3
    url: str

    def __init__(self) -> None:
        super().__init__()
        self._client: DBOSClient | None = None

    async def begin(self) -> None:
        """Makes the tables in a process of its own, as a deployment does, and opens a client."""
        install(self.url)
        self._client = DBOSClient(system_database_url=self.url)

    async def leave(self) -> None:
        """Closes the client."""
        if self._client is not None:
            self._client.destroy()
            self._client = None

    def put(self, kind: str, argument: float) -> None:
        if self._client is None:
            raise RuntimeError("set up first")
        options: Any = {"queue_name": QUEUE, "workflow_name": kind, "app_version": "1"}
        self._client.enqueue(options, argument)

    async def fill(self, kind: str, count: int) -> None:
        with ThreadPoolExecutor(1 if self.database is None else FILLERS) as threads:
            list(threads.map(lambda _: self.put(kind, 0.0), range(count)))

    def worker(self, concurrency: int) -> list[str]:
        del concurrency  # unlimited is its default
        return [sys.executable, "-m", "peers.dbos_peer", "work", self.url]


class DbosOnSqlite(Dbos):
    """DBOS leaves SQLite at its defaults: rollback journal, synchronous=FULL."""

    name = "dbos-sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._path = self.folder / "dbos.db"
        self.url = f"sqlite:///{self._path}"
        self.settings = (
            f"dbos {version('dbos')}, SQLite {sqlite3.sqlite_version}, rollback journal, synchronous=FULL "
            "(its defaults), results stored, queue polled every second (its default), no limit on concurrency"
        )

    async def setup(self) -> None:
        await self.leave()
        for path in self.folder.glob("dbos.db*"):
            path.unlink()
        await self.begin()

    async def finished(self) -> int:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            query = "SELECT count(*) FROM workflow_status WHERE status = 'SUCCESS'"
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()

    async def close(self) -> None:
        await self.leave()


class DbosOnPostgres(Dbos, OnPostgres):
    """On a database of its own."""

    name = "dbos-postgres"
    database = "bench_dbos"
    settings = (
        f"dbos {version('dbos')}, synchronous_commit=on, results stored, queue polled every second "
        "(its default), no limit on concurrency"
    )

    async def finished(self) -> int:
        return self.questions.number(
            sql.SQL("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")
        )


def system(name: str) -> System:
    """The system of that name."""
    return {one.name: one for one in (DbosOnSqlite, DbosOnPostgres)}[name]()


def main(what: str, url: str) -> None:
    """`init` makes the tables; `work` is a worker process."""
    launch(url)
    if what == "init":
        DBOS.destroy()
        return
    DBOS.register_queue(QUEUE)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
