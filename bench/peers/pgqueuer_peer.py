"""PgQueuer on PostgreSQL: asyncpg, uvloop, batches of 100; an ended job is deleted and leaves a log row."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
import marks
import uvloop
from peers.on_postgres import OnPostgres
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from psycopg import sql
from system import System

DATABASE = "bench_pgqueuer"
BATCH = 100
CHUNK = 1000
COUNT = sql.SQL(
    "SELECT coalesce((SELECT sum(count) FROM pgqueuer_statistics WHERE status = 'successful'), 0)"
    " + (SELECT count(*) FROM pgqueuer_log WHERE status = 'successful' AND NOT aggregated)"
)


def install(url: str) -> None:
    """Makes the tables, as documented."""
    command = [str(Path(sys.executable).with_name("pgq")), "install"]
    subprocess.run(command, env={**os.environ, "PGDSN": url}, check=True, capture_output=True)


class PgQueuerSystem(OnPostgres):
    """Keeps no results, and no jobs that have ended."""

    name = "pgqueuer"
    database = DATABASE
    settings = (
        f"pgqueuer {version('pgqueuer')}, asyncpg, synchronous_commit=on, no results (jobs deleted, log line "
        f"written), uvloop, batch size {BATCH}, durability as by default"
    )

    def __init__(self) -> None:
        super().__init__()
        self._connection: Any = None
        self._queries: Any = None

    async def begin(self) -> None:
        install(self.url)
        self._connection = await asyncpg.connect(self.url)
        self._queries = Queries(AsyncpgDriver(self._connection))

    async def leave(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def submit(self, kind: str, argument: float) -> None:
        await self._queries.enqueue(kind, str(argument).encode())

    async def submit_bulk(self, count: int) -> None:
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            await self._queries.enqueue(["noop"] * size, [b"0.0"] * size, [0] * size)

    async def finished(self) -> int:
        return self.questions.number(COUNT)

    def worker(self, concurrency: int) -> list[str]:
        return [sys.executable, "-m", "peers.pgqueuer_peer", self.url, str(concurrency)]


def system(name: str) -> System:
    """The one system of this module."""
    del name
    return PgQueuerSystem()


async def work(url: str, concurrency: int) -> None:
    """A worker process: what `pgq run` does, whose log level its release 1.6.0 cannot read."""
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @queue.entrypoint("noop")
    async def noop(job: Any) -> None:
        del job
        marks.ran()

    @queue.entrypoint("latency")
    async def latency(job: Any) -> None:
        marks.picked_up(float(job.payload.decode()))

    @queue.entrypoint("wait")
    async def wait(job: Any) -> None:
        del job
        marks.waits()
        await asyncio.sleep(1.0)

    most = max(concurrency, 2 * BATCH)
    await queue.run(dequeue_timeout=timedelta(seconds=30), batch_size=BATCH, max_concurrent_tasks=most)


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], int(sys.argv[2])))
