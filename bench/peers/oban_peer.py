"""Oban for Python on PostgreSQL: psycopg pool of ten, NOTIFY on, uvloop where its environment has it."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from typing import Any

import marks
import uvloop
from oban import Oban, worker
from oban.schema import install
from peers.on_postgres import OnPostgres
from psycopg import sql
from system import System

BATCH = 1000
COUNT = sql.SQL("SELECT count(*) FROM oban_jobs WHERE state = 'completed'")


@worker(queue="default")
class Noop:
    """Does nothing; Oban keeps no results."""

    async def process(self, job: Any) -> None:
        del job
        marks.ran()


@worker(queue="default")
class Latency:
    """Marks how long after `x` it began."""

    async def process(self, job: Any) -> None:
        marks.picked_up(job.args["x"])


@worker(queue="default")
class Wait:
    """Waits for a second."""

    async def process(self, job: Any) -> None:
        del job
        marks.waits()
        await asyncio.sleep(1.0)


WORKERS: dict[str, Any] = {"noop": Noop, "latency": Latency, "wait": Wait}


class ObanSystem(OnPostgres):
    """Open-source Oban; a job's last state is kept for a day, its result never."""

    database = "bench_oban"

    def __init__(self, name: str, concurrency: int) -> None:
        super().__init__()
        self.name = name
        self.drain_concurrency = concurrency
        self._pool: Any = None
        self._oban: Any = None
        self.settings = (
            f"oban {version('oban')}, psycopg, synchronous_commit=on, no results, uvloop, "
            f"queue limit {concurrency}"
        )

    async def begin(self) -> None:
        self._pool = await Oban.create_pool(self.url, min_size=1, max_size=10)
        await install(self._pool)
        self._oban = Oban(pool=self._pool)

    async def leave(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def submit(self, kind: str, argument: float) -> None:
        await self._oban.enqueue(WORKERS[kind].new({"x": argument}))

    async def submit_bulk(self, count: int) -> None:
        for start in range(0, count, BATCH):
            jobs = [Noop.new({"x": 0.0}) for _ in range(min(BATCH, count - start))]  # type: ignore[attr-defined]
            await self._oban.enqueue_many(jobs)

    async def finished(self) -> int:
        return self.questions.number(COUNT)

    def worker(self, concurrency: int) -> list[str]:
        return [sys.executable, "-m", "peers.oban_peer", self.url, str(concurrency)]


def system(name: str) -> System:
    """`oban` runs 100 jobs at once, `oban-1000` as many as its name says."""
    return ObanSystem(name, 1000 if name == "oban-1000" else 100)


async def work(url: str, concurrency: int) -> None:
    """A worker process."""
    pool = await Oban.create_pool(url, min_size=1, max_size=10)
    async with Oban(pool=pool, queues={"default": concurrency}):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], int(sys.argv[2])))
