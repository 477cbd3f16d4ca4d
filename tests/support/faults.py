"""A cluster on any database where a worker meets one fault at a named place, and what must hold after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duly.config import Settings
from duly.runtime.app import App
from duly.runtime.load import load_declared
from duly.store import lists
from support import invariants, servers
from support.cluster import Cluster, WorkerProcess, until
from support.receiver import Received, Receiver

STEPS = 3
#: How long work may take that others have to take over, in seconds.
PATIENCE = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens when a process passes a place for the n-th time: `kill`, `raise` or `hang`."""

    place: str
    n: int
    action: str

    def __str__(self) -> str:
        return f"{self.place}={self.action}@{self.n}"


class Ground(Cluster):
    """A cluster on the database of `kind`, with a webhook receiver to which every task owes its answer."""

    def __init__(self, folder: Path, kind: str, receiver: Receiver) -> None:
        super().__init__(folder, webhook_private=True)
        self.kind = kind
        self._receiver = receiver
        self._happened = folder / "happened"
        if kind in servers.KINDS:
            self._move(servers.database_url(kind))

    def _move(self, url: str) -> None:
        servers.clear(url)
        values = {
            **self.settings.model_dump(),
            "database_url": url,
            "token_file": str(self.folder / "duly.token"),
        }
        self.settings = Settings(**values)
        with contextlib.chdir(self.folder):
            declared = load_declared(self.settings)
        self.app = App(Settings(**{**values, "log_level": "error"}), declared)

    def begin(self, fault: Fault) -> WorkerProcess:
        """A worker that will meet the fault, once, whichever of its processes it is."""
        return self.start("first", DULY_FAILPOINTS=f"{fault}?{self._happened}")

    async def owed(self, count: int, *, rest: float = 0.0) -> list[str]:
        """So many accepted tasks with steps, each of which owes a webhook; suspended once if they rest."""
        deliver = [{"channel": "webhook", "url": self._receiver.url}]
        given = {"n": STEPS, "pause": 0.02, "rest": rest}
        return [await self.submit("steps", given, deliver=deliver) for _ in range(count)]

    async def struck(self, seconds: float = 20) -> int:
        """The process that has met the fault."""

        def pid() -> str:
            return self._happened.read_text() if self._happened.exists() else ""

        return int(await until(pid, seconds))

    async def paused(self, first: WorkerProcess, stopped: int, ids: list[str]) -> bool:
        """The first worker's host stands still for longer than a lease; whether a second did all the work.

        Afterwards the first goes on where it stood, and is asked to end.
        """
        os.kill(first.pid, signal.SIGSTOP)
        try:
            self.start("second")
            # On SQLite a process that stands still may hold the one write lock: then all wait for it.
            patience = 2 * self.settings.lease if self.kind == "sqlite" else PATIENCE
            taken_over = await self._done_within(ids, patience)
        finally:
            os.kill(first.pid, signal.SIGCONT)
            os.kill(stopped, signal.SIGCONT)
        first.terminate()
        await first.ended()
        return taken_over

    async def _done_within(self, ids: list[str], seconds: float) -> bool:
        try:
            await self.done(ids, seconds)
        except AssertionError:
            return False
        return True

    async def done(self, ids: list[str], seconds: float = PATIENCE) -> None:
        """Returns when all have ended and nothing is owed any more."""

        async def settled() -> bool:
            owed = [row["status"] for id_ in ids for row in await self.deliveries(id_)]
            return {(await self.task(id_)).status.terminal for id_ in ids} == {True} and set(owed) == {
                "delivered"
            }

        try:
            await until(settled, seconds, every=0.1)
        except AssertionError:
            logs = "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))
            raise AssertionError(f"not done within {seconds} s:\n{logs}") from None

    async def deliveries(self, id_: str) -> list[dict[str, Any]]:
        """The delivery rows of a task."""
        return await self.app.database.read(lists.rows_of, "delivery", id_)

    def received(self, id_: str) -> list[Received]:
        """The webhooks that told of a task."""
        return [one for one in self._receiver.requests if one.json["data"]["id"] == id_]

    async def complaints(self, ids: list[str]) -> list[str]:
        """All that is not as promised, in words."""
        found = []
        for id_ in ids:
            found += await self._complaints(id_)
        await asyncio.to_thread(invariants.check, self.app.database)
        return found

    async def _complaints(self, id_: str) -> list[str]:
        task, events = await self.task(id_), await self.events(id_)
        recorded = {one.data["n"] - 1: one.data["attempt"] for one in events if one.type == "step"}
        again = [
            line["n"] for line in self.ledger("step", id_) if line["attempt"] > recorded.get(line["n"], 10**6)
        ]
        told = self.received(id_)
        wrong = {
            f"it is {task.status}": task.status != "completed" or task.result != STEPS,
            f"its steps are {sorted(recorded)}": sorted(recorded) != list(range(STEPS)),
            f"recorded steps {again} ran again": bool(again),
            f"{len(told)} webhooks with {len({one.headers['webhook-id'] for one in told})} ids": not told
            or len({one.headers["webhook-id"] for one in told}) != 1,
            "its webhooks differ": len({one.body for one in told}) > 1,
        }
        return [f"{id_}: {words}" for words, is_so in wrong.items() if is_so]


@contextlib.asynccontextmanager
async def ground(folder: Path, kind: str) -> AsyncIterator[Ground]:
    """A ground without workers; whatever was started on it is ended afterwards."""
    async with Receiver() as receiver:
        one = Ground(folder, kind, receiver)
        await one.app.start()
        try:
            yield one
        finally:
            one.close()
            await one.app.stop()
