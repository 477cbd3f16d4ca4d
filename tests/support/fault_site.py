"""An API, some workers and clients on a database of any kind: under load, while a fault case does its harm.

Processes, clients and books are those of the soak; the harm is the case's own. A service manager starts again
what ends, and whatever is left is put away in the end.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Set
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from duly.model.errors import DulyError
from duly.store import lists
from duly.store.database import Database
from support.cluster import until
from support.disk import seeded
from support.fault_case import Case
from support.fault_trial import ground
from support.receiver import Receiver
from support.soak import settled
from support.soak_books import Kept, judge, kept
from support.soak_crowd import Crowd
from support.soak_ledger import Ledger
from support.soak_servers import DATABASES, File, NotInstalled, Server, free_port
from support.soak_units import Fleet, Unit
from support.tmpfs import small_disk

HERE = Path(__file__).parent
KINDS = ("sqlite", "postgres", "mariadb")
START_SECONDS = 150.0
#: The protocol at less than half of its times, so that a case takes a minute or two, on a busy host too.
QUICK = {"lease": 12.0, "renew": 2.0, "sweep": 1.5, "poll": 0.5, "stuck": 2.0}
MEDIA_TYPE = "application/problem+json"
#: What the API may say when it cannot accept: status, media type, whether there is a Retry-After.
SHED = {(503, MEDIA_TYPE, True), (507, MEDIA_TYPE, True)}


class Site:
    """All processes of one case in `folder`; its database lies in `place`."""

    def __init__(
        self,
        folder: Path,
        place: Path,
        kind: str,
        receiver: Receiver,
        *,
        workers: int = 2,
        width: int = 8,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.place = place
        self.kind = kind
        self._receiver = receiver
        self.server: File | Server = DATABASES[kind](place)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ours = {"database_url": self.server.url, "app": "soak_app:duly", "auth": "loopback", "threads": "4"}
        ours |= {"webhook_private": "true", "log_format": "json", "concurrency": "8"} | settings
        self.settings = ours
        environment = {f"DULY_{name.upper()}": str(value) for name, value in ours.items()}
        api = Unit("api", ["serve", "--no-worker", "--port", str(self.port)], folder, environment)
        names = [f"worker-{number}" for number in range(workers)]
        self.fleet = Fleet(api, [Unit(name, ["worker"], folder, environment) for name in names])
        self.workers = self.fleet.workers
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.crowd = Crowd(self.url, receiver.url, seeded(kind), width, {})
        self.database = Database(self.server.url)
        self._own = 0

    @property
    def lease(self) -> float:
        """Of its workers, in seconds."""
        return float(self.settings.get("lease", 30))

    async def living(self) -> list[dict[str, Any]]:
        """The rows of the sessions that nobody has ended; none while the database is away."""
        with suppress(DulyError, sa.exc.DBAPIError, OSError):
            if not self.database.is_open:
                self.database.open()
            return list(await self.database.read(lists.living_workers))
        return []

    async def manned(self) -> bool:
        """Whether each worker's ordinary child has a session."""
        pids = {row["pid"] for row in await self.living()}
        return all(pids.intersection(unit.children(apart=False)) for unit in self.workers)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Clients at work; they have their last answers when it ends."""
        over = asyncio.Event()
        clients = asyncio.create_task(self.crowd.run(over.is_set))
        try:
            yield
        finally:
            over.set()
            await clients

    async def elapse(self, seconds: float) -> None:
        """Lets clients and workers go on for a while."""
        until_ = time.monotonic() + seconds
        await until(lambda: time.monotonic() >= until_, seconds + 5, every=0.05)

    async def accepts(self, seconds: float = 60) -> float:
        """Waits until the clients have another task accepted; how long that took."""
        begun, before = time.monotonic(), self._accepted()
        await until(lambda: self._accepted() > before, seconds, every=0.05)
        return round(time.monotonic() - begun, 2)

    def _accepted(self) -> int:
        return sum(one.f == "submit" and one.task is not None for one in self.crowd.history)

    async def works(self, unit: Unit, seconds: float = 60) -> float:
        """Waits until a worker has begun another attempt; how long that took."""
        begun = time.monotonic()

        def at_work() -> bool:
            self.ledger.read()
            ours = unit.children(apart=False)
            return any(
                line.pid in ours and line.what == "start" and line.at > begun for line in self.ledger.lines
            )

        await until(at_work, seconds, every=0.05)
        return round(time.monotonic() - begun, 2)

    async def status(self, path: str, patience: float = 5.0) -> int:
        """The status of one GET on a connection of its own; 0: no answer."""
        try:
            async with httpx2.AsyncClient(base_url=self.url, timeout=patience, trust_env=False) as http:
                return (await http.get(path)).status_code
        except httpx2.TransportError:
            return 0

    async def submit(self, task_type: str, input_: dict[str, Any]) -> str:
        """The id of a task that is in the books like the clients' own."""
        self._own += 1
        body = {"task_type": task_type, "input": input_, "deliver": []}
        async with httpx2.AsyncClient(base_url=self.url, timeout=15, trust_env=False) as http:
            id_ = await self.crowd.submit(http, f"case/{self._own}", f"case-{self._own}", body)
        assert id_ is not None, f"{task_type} was not accepted"
        return id_

    def lives(self, *units: Unit) -> int:
        """How many ordinary children these units, or all, have started."""
        return len(self.said("child.started", *units))

    def logged(self, unit: Unit) -> list[dict[str, Any]]:
        """What a unit has logged so far, as events."""
        found = []
        for text in unit.log.read_text("utf-8", "replace").splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                found += [line] if isinstance(line, dict) else []
        return found

    def said(self, event: str, *units: Unit) -> list[dict[str, Any]]:
        """The lines of one event, of these units or of all."""
        return [
            line
            for unit in units or self.fleet.units
            for line in self.logged(unit)
            if line.get("event") == event
        ]

    async def close_books(
        self, case: Case, *, drain: float = 90, given_up: int = 0, but: Set[str] = frozenset()
    ) -> Kept:
        """Lets all work end, ends the processes, and tells the case everything that is not as promised.

        `but` names the soak's promises that this harm may break.
        """
        begun = time.monotonic()
        with suppress(AssertionError):  # what has not ended by then is counted as lost
            await until(self._quiet, drain, every=0.2)
        drained = time.monotonic() - begun
        codes = await self.fleet.stop()
        found = await asyncio.to_thread(kept, self.database)
        self.ledger.read()
        history = [*self.crowd.history, *self.ledger.operations()]
        marks, items = self.ledger.marks(), self.ledger.marks("item")
        verdict = judge(found, history, marks, self._receiver.requests, items)
        for promise, wrong in verdict.wrong.items():
            case.wrong(promise, () if promise in but else wrong)
        case.wrong("refusals", self.crowd.refusals)
        case.wrong("sheds as a problem with Retry-After", set(self.crowd.shed) - SHED)
        case.holds("exits", set(codes) <= {0, -signal.SIGTERM}, f"exit codes {codes}")
        case.holds("given up", verdict.given_up == given_up, f"{verdict.given_up}, not {given_up}")
        case.figure(accepted=verdict.acknowledged, unknown=verdict.unknown, drained_s=round(drained, 1))
        case.figure(lost=len(verdict.wrong["lost"]), twice=len(verdict.wrong["recorded twice"]))
        return found

    async def _quiet(self) -> bool:
        with suppress(DulyError, sa.exc.DBAPIError, OSError):
            return await asyncio.to_thread(settled, self.database)
        return False


@asynccontextmanager
async def site(
    kind: str, *, disk: int = 0, prepare: Callable[[Site], object] = lambda _: None, **words: Any
) -> AsyncIterator[Site]:
    """A site whose processes run; `prepare` is called before they begin.

    `disk`: its database lies on a disk of its own, of so many megabytes.
    """
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        folder = stack.enter_context(_folder())
        place = stack.enter_context(small_disk(folder, disk)) if disk else folder
        one = await stack.enter_async_context(_put_away(Site(folder, place, kind, receiver, **words)))
        prepare(one)
        await stack.enter_async_context(_begun(one))
        yield one


@contextmanager
def _folder() -> Iterator[Path]:
    """One with the app in it, that a server's account can pass through."""
    with ground() as folder:
        for app in ("soak_app.py", "soak_breakage.py"):
            shutil.copy(HERE / app, folder)
        yield folder


@asynccontextmanager
async def _put_away(one: Site) -> AsyncIterator[Site]:
    """With its server started, and with nothing of it left afterwards."""
    try:
        await one.server.start()
    except NotInstalled as error:
        pytest.skip(str(error))
    try:
        yield one
    finally:
        one.fleet.put_away()
        try:
            one.database.close()
        finally:
            await one.server.stop()


@asynccontextmanager
async def _begun(one: Site) -> AsyncIterator[None]:
    """Starts all processes and keeps them running until the fleet closes."""
    keeper = asyncio.create_task(one.fleet.keep())
    try:
        await until(one.manned, START_SECONDS, every=0.1)
        yield
    finally:
        one.fleet.closing = True
        await keeper


def lost(found: Kept) -> list[str]:
    """The attempts whose session ended under them."""
    return [f"{row.task_id}/{row.attempt}" for row in found.attempts if row.outcome == "lost"]
