"""Huey on SQLite: WAL, synchronous=FULL said outright, results stored, 4 threads (waits: 1,000)."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from importlib.metadata import version
from pathlib import Path

import marks
from huey import SqliteHuey
from system import System

QUEUE = "bench"

huey = SqliteHuey(QUEUE, filename=str(Path(os.environ["BENCH_FOLDER"]) / "huey.db"), fsync=True)


@huey.task()
def noop(x: float) -> float:
    """Does nothing, and has a result that is kept."""
    marks.ran()
    return x


@huey.task()
def latency(x: float) -> int:
    """Marks how long after `x` it began."""
    marks.picked_up(x)
    return 1


@huey.task()
def wait(x: float) -> int:
    """Waits for a second."""
    del x
    marks.waits()
    time.sleep(1.0)
    return 1


TASKS = {"noop": noop, "latency": latency, "wait": wait}


class Huey(System):
    """Its client blocks; its consumer is `huey_consumer` as documented."""

    name = "huey"
    settings = (
        f"huey {version('huey')}, SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL, results stored, "
        "worker type thread, log at its default (info) to a file"
    )
    blocking = True
    bulk = False
    drain_concurrency = 4
    drain_share = 0.5

    async def setup(self) -> None:
        huey.storage.close()
        for path in self.folder.glob("huey.db*"):
            path.unlink()
        huey.storage.initialize_schema()

    def put(self, kind: str, argument: float) -> None:
        TASKS[kind](argument)

    async def finished(self) -> int:
        connection = sqlite3.connect(self.folder / "huey.db", timeout=30)
        try:
            row = connection.execute("SELECT count(*) FROM kv WHERE queue = ?", [QUEUE]).fetchone()
            return int(row[0])
        finally:
            connection.close()

    def worker(self, concurrency: int) -> list[str]:
        consumer = str(Path(sys.executable).with_name("huey_consumer"))
        return [consumer, "peers.huey_peer.huey", "-k", "thread", "-w", str(concurrency), "-n"]


def system(name: str) -> System:
    """The one system of this module."""
    del name
    return Huey()
