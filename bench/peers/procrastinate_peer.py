"""Procrastinate on PostgreSQL: psycopg pool of ten, LISTEN on, finished jobs kept (its defaults)."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

import marks
import postgres
import procrastinate
from peers.on_postgres import OnPostgres
from psycopg import sql
from system import System

DATABASE = "bench_procrastinate"
BATCH = 1000
COUNT = sql.SQL("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=postgres.url_of(DATABASE), min_size=4, max_size=10)
)


@app.task(name="noop")
async def noop(x: float) -> float:
    """Does nothing; Procrastinate keeps no results."""
    marks.ran()
    return x


@app.task(name="latency")
async def latency(x: float) -> None:
    """Marks how long after `x` it began."""
    marks.picked_up(x)


@app.task(name="wait")
async def wait(x: float) -> None:
    """Waits for a second."""
    del x
    marks.waits()
    await asyncio.sleep(1.0)


TASKS = {"noop": noop, "latency": latency, "wait": wait}


class Procrastinate(OnPostgres):
    """Its worker is `procrastinate worker` as documented."""

    name = "procrastinate"
    database = DATABASE
    drain_share = 0.5
    settings = (
        f"procrastinate {version('procrastinate')}, psycopg pool 4 to 10, synchronous_commit=on, no results, "
        "LISTEN on, concurrency 100, log at its default to a file"
    )

    def __init__(self) -> None:
        super().__init__()
        self._open = False

    async def begin(self) -> None:
        await app.open_async()
        self._open = True
        await app.schema_manager.apply_schema_async()

    async def leave(self) -> None:
        if self._open:
            self._open = False
            await app.close_async()

    async def submit(self, kind: str, argument: float) -> None:
        await TASKS[kind].defer_async(x=argument)

    async def submit_bulk(self, count: int) -> None:
        for start in range(0, count, BATCH):
            await noop.batch_defer_async(*[{"x": 0.0}] * min(BATCH, count - start))

    async def finished(self) -> int:
        return self.questions.number(COUNT)

    def worker(self, concurrency: int) -> list[str]:
        command = str(Path(sys.executable).with_name("procrastinate"))
        return [command, "--app=peers.procrastinate_peer.app", "worker", "--concurrency", str(concurrency)]


def system(name: str) -> System:
    """The one system of this module."""
    del name
    return Procrastinate()
