"""What a measured system offers: Duly and each peer implement it in a module of their own."""

from __future__ import annotations

import os
from pathlib import Path


class System:
    """One task queue with its database. Kinds of tasks: noop, latency (argument: when), wait (one second).

    A system whose client blocks implements `put` and sets `blocking`; an async one overrides `submit`.
    """

    #: As it stands in the results.
    name: str
    #: Versions, durability and whatever else is needed to judge the figures.
    settings: str
    #: Handlers at once in the drain, in the latency runs, and for 1,000 waiting tasks.
    drain_concurrency: int = 100
    wait_concurrency: int = 1000
    blocking: bool = False
    #: A documented way to submit many at once exists.
    bulk: bool = True
    #: The name of its PostgreSQL database; None on SQLite.
    database: str | None = None
    #: The share of a drain's backlog that it gets: the slow ones would take minutes.
    drain_share: float = 1.0

    def __init__(self) -> None:
        self.folder = Path(os.environ["BENCH_FOLDER"])

    async def setup(self) -> None:
        """An empty database, and a client."""
        raise NotImplementedError

    def put(self, kind: str, argument: float) -> None:
        """Submits one task and returns when it is durable, for clients that block."""
        raise NotImplementedError

    async def submit(self, kind: str, argument: float) -> None:
        """Submits one task and returns when it is durable."""
        self.put(kind, argument)

    async def submit_bulk(self, count: int) -> None:
        """Submits no-ops in the way that the system documents as the fastest; durable."""
        raise NotImplementedError

    async def fill(self, kind: str, count: int) -> None:
        """Makes a backlog, in any way."""
        if self.bulk and kind == "noop":
            await self.submit_bulk(count)
            return
        for _ in range(count):
            await self.submit(kind, 0.0)

    async def settle(self) -> None:
        """Brings the database to rest before a worker starts."""

    async def finished(self) -> int:
        """How many tasks have their end (and their result, if the system keeps any) in the database."""
        raise NotImplementedError

    async def transactions(self) -> int | None:
        """The database's transactions so far; None where nobody counts them."""
        return None

    def worker(self, concurrency: int) -> list[str]:
        """The command of one worker process."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables of the worker, beside those of this process."""
        return {}

    async def close(self) -> None:
        """Closes the client and drops the database."""
