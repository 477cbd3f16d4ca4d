"""A soak from its first process to its verdict: load, faults, drain, books.

API and workers run with the times of production. The load is small on purpose, a handful of tasks per worker:
what is measured is how soon the tasks of a killed process run again, not how many fit into one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from duly.clock import SystemClock
from duly.config import Settings
from duly.model.errors import DulyError
from duly.model.state import TERMINAL
from duly.runtime import credentials
from duly.store import lists, schema
from duly.store.database import Database
from support.cluster import until
from support.disk import seeded
from support.receiver import Receiver
from support.soak_books import Verdict, judge, kept
from support.soak_crowd import Crowd
from support.soak_ledger import Ledger
from support.soak_recovery import recoveries
from support.soak_servers import DATABASES, HERE, File, Host, Server, free_port
from support.soak_storm import Storm
from support.soak_units import Fleet, Unit

SUPPORT = Path(__file__).parent
WORKERS = 4
#: Tasks open at once. A worker takes at most six, so that each of the four has some.
WIDTH = 14
LANES = {"DULY_CONCURRENCY": "4", "DULY_THREADS": "2"}
START_SECONDS = 240
#: A lease, a sweep, the longest rest of a supervisor, and time to work.
DRAIN_SECONDS = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run; `broken` names what is broken on purpose (`support.soak_breakage`)."""

    database: str
    seconds: float
    seed: int
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it."""

    verdict: Verdict
    kills: Counter[str]
    restarts: int
    pauses: int
    refused: int
    #: Seconds by kind of kill: with the clock standing still while the database was away, and without.
    recoveries: dict[str, list[float]]
    raw: dict[str, list[float]]
    outage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the processes of a run are; `urls` has the database's as a unit sees it, if that is another."""

    server: File | Server
    api: Host = HERE
    workers: Sequence[Host] = (HERE,) * WORKERS
    urls: Mapping[str, str] = field(default_factory=dict)


class Soak:
    """One run in `folder`, which must be empty; on this host unless a site says otherwise."""

    lanes: ClassVar[dict[str, str]] = LANES

    def __init__(self, plan: Plan, folder: Path, receiver: Receiver, site: Site | None = None) -> None:
        self.folder = folder
        self._plan = plan
        self.receiver = receiver
        self.site = site or Site(server=DATABASES[plan.database](folder))
        self.server = self.site.server
        self.url = f"http://{self.site.api.address}:{free_port()}"
        self.fleet = self._make_fleet()
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.storm = Storm(self.fleet, self.server, self.ledger, seeded(plan.seed), self._manned)
        token_file = str(folder / "duly.token")
        token = credentials.ensure(Settings(database_url=self.server.url, token_file=token_file)).token
        self.headers = {"Authorization": f"Bearer {token}"}
        self.crowd = Crowd(self.url, receiver.url, seeded(plan.seed + 1), WIDTH, self.headers)
        self.database = Database(self.server.url)
        self._pids: set[int] = set()

    def _make_fleet(self) -> Fleet:
        port = self.url.rpartition(":")[2]
        workers = [self._unit(f"worker-{n}", ["worker"], at) for n, at in enumerate(self.site.workers)]
        return Fleet(self._unit("api", ["serve", "--no-worker", "--port", port], self.site.api), workers)

    def _unit(self, name: str, words: list[str], host: Host) -> Unit:
        settings = {"database_url": self.site.urls.get(name, self.server.url), "app": "soak_app:duly"}
        settings |= {"token_file": str(self.folder / "duly.token"), "host": host.address}
        settings |= {"webhook_private": "true", "log_format": "json", "log_level": "info"}
        environment = {f"DULY_{name.upper()}": value for name, value in settings.items()} | self.lanes
        broken = {"SOAK_BREAK": ",".join(self._plan.broken)}
        return Unit(name, words, self.folder, environment | broken, host.enter)

    async def run(self) -> Report:
        """All of it."""
        for name in ("soak_app.py", "soak_breakage.py"):
            shutil.copy(SUPPORT / name, self.folder)
        try:
            await self.server.start()
            async with self._kept_running():
                await self._weather()
                await self._drain()
                codes = await self.fleet.stop()
            return await asyncio.to_thread(self._close_books, codes)
        finally:
            self.fleet.put_away()
            try:
                self.database.close()
            finally:
                await self.server.stop()

    @asynccontextmanager
    async def _kept_running(self) -> AsyncIterator[None]:
        keeper = asyncio.create_task(self.fleet.keep())
        try:
            await until(self._complete, START_SECONDS, every=0.2)
            yield
        finally:
            self.fleet.closing = True
            await keeper

    async def _complete(self) -> bool:
        """Whether every worker has a living session."""
        return len(await self._manned()) == len(self.site.workers)

    async def _manned(self) -> set[int]:
        """The process ids that have one; the last known ones while the database is away."""
        with suppress(DulyError, sa.exc.DBAPIError):  # no table yet, or no server
            if not self.database.is_open:
                self.database.open()
            self._pids = {row["pid"] for row in await self.database.read(lists.living_workers)}
        return self._pids

    async def _weather(self) -> None:
        """Load and faults at once."""
        ends_at = time.monotonic() + self._plan.seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self.crowd.run(lambda: time.monotonic() >= ends_at))
            group.create_task(self.storm.run(ends_at))

    async def _drain(self) -> None:
        """Until all tasks have ended and all answers are sent; what has not by then is counted as lost."""
        with suppress(AssertionError):
            await until(self._quiet, DRAIN_SECONDS, every=0.5)

    async def _quiet(self) -> bool:
        with suppress(DulyError, sa.exc.DBAPIError):
            return await asyncio.to_thread(settled, self.database)
        return False

    def _close_books(self, codes: list[int]) -> Report:
        self.ledger.read()
        found = kept(self.database)
        history = [*self.crowd.history, *self.ledger.operations()]
        self._write_down(history)
        effects, items = self.ledger.marks(), self.ledger.marks("item")
        verdict = judge(found, history, effects, self.receiver.requests, items)
        storm, lines = self.storm, self.ledger.lines
        verdict.wrong["refusals"] = self.crowd.refusals
        # A command that is not a supervisor yet ends as any program does.
        wrong = set(codes) - {0, -signal.SIGTERM}
        verdict.wrong["exits"] = [f"exit codes after SIGTERM: {codes}"] if wrong else []
        verdict.wrong["answers owed"] = [
            f"{id_}: no delivery" for id_ in self.crowd.owed - {row.task_id for row in found.deliveries}
        ]
        return Report(
            verdict=verdict,
            kills=Counter(kill.what for kill in storm.kills),
            restarts=self.server.restarts,
            pauses=storm.pauses,
            refused=sum(map(refused, self.folder.glob("worker-*.log"))),
            recoveries=recoveries(found, lines, storm.kills, storm.outages),
            raw=recoveries(found, lines, storm.kills),
            outage=sum(till - since for since, till in storm.outages),
        )

    def _write_down(self, history: list[Any]) -> None:
        kills = [asdict(kill) for kill in self.storm.kills]
        for name, lines in (("history", [one.line() for one in history]), ("kills", kills)):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (self.folder / f"{name}.jsonl").write_text(text)


def settled(database: Database) -> bool:
    """Whether nothing is open any more; a send that failed is made due now, not in five minutes."""
    task, delivery = schema.task.c, schema.delivery.c
    now = SystemClock().now_ms()
    later = sa.and_(delivery.status == "pending", delivery.due_at > now)
    with database.engine().connect() as connection:
        connection.execute(sa.update(schema.delivery).where(later).values(due_at=now))
        living = sa.select(sa.func.count()).where(task.status.not_in([*TERMINAL]))
        unsent = sa.select(sa.func.count()).where(delivery.status.not_in(["delivered", "dead"]))
        return not connection.execute(living).scalar() and not connection.execute(unsent).scalar()


def refused(log: Path) -> int:
    """How often a worker was told that a task is no longer its own."""
    return log.read_text("utf-8", "replace").count("attempt.lease_lost")


async def soak(plan: Plan, folder: Path, said: Callable[[str], object] = print) -> Report:
    """Runs a plan in an empty folder, which a server's account must be able to pass through."""
    async with Receiver() as receiver:
        report = await Soak(plan, folder, receiver).run()
    for promise, wrong in report.verdict.wrong.items():
        for line in wrong:
            said(f"{promise}: {line}")
    return report
