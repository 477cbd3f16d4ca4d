"""Real worker processes on one file: started as in production, watched through their logs and a ledger.

Nothing here sleeps for time to pass: every wait looks again and again for a fact, and has an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from duly.config import Settings
from duly.model.events import Event
from duly.model.task import Task
from duly.runtime.app import App
from duly.runtime.handover import Handover
from duly.runtime.load import load_declared
from duly.store import claims, lists, sqlite
from duly.submit.admit import Options
from support import invariants
from support.patience import PATIENCE

HERE = Path(__file__).parent
NUMBERS = itertools.count(1)

#: The protocol at a tenth of its times, so that a test of it takes seconds.
SCALED: dict[str, Any] = {
    "lease": 3.0,
    "renew": 0.5,
    "sweep": 0.5,
    "poll": 0.2,
    "drain": 2.0,
    "stuck": 1.0,
}


async def until(look: Callable[[], Any], seconds: float = PATIENCE, every: float = 0.02) -> Any:
    """What `look` answers, as soon as that is true; `look` may be async. Fails after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await _answer(look)):  # noqa: ASYNC110 - rows and files have no event
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not true within {seconds} s: {inspect.getsource(look).strip()}") from None
    return found


async def _answer(look: Callable[[], Any]) -> Any:
    found = look()
    return await found if inspect.isawaitable(found) else found


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """The living and the unburied children of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def quarantine(pid: int) -> bool:
    """Whether a supervisor's child is the one that runs suspects; or is gone, as that one goes by itself."""
    try:
        return b'"quarantine": true' in Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def descriptors(pid: int) -> int:
    """How many files a process holds open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class LoggedProcess:
    """A process of ours, and what it and its children logged."""

    def __init__(self, folder: Path, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        self.pid = self._process.pid

    def said(self, event: str) -> list[dict[str, Any]]:
        """The logged lines of one event so far."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [line for text in lines if (line := _parsed(text)).get("event") == event]

    async def says(self, event: str, times: int = 1, seconds: float = 20) -> list[dict[str, Any]]:
        """Waits until an event has been logged so many times."""
        try:
            await until(lambda: len(self.said(event)) >= times, seconds)
        except AssertionError:
            raise AssertionError(f"{event} was not said {times} times:\n{self.log.read_text()}") from None
        return self.said(event)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait(10)

    def terminate(self) -> None:
        """Asks it to stop, as systemd or Docker would."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self, seconds: float = 20) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self._process.poll() is not None, seconds)
        return int(self._process.returncode)

    def put_away(self) -> None:
        """Ends it whatever it does; its child dies with it."""
        if self._process.poll() is None:
            self.kill()


class WorkerProcess(LoggedProcess):
    """One supervised worker: the supervising process, its child, and what both logged."""

    def __init__(self, cluster: Cluster, name: str, *, once: bool, **variables: str) -> None:
        handover = Handover(mode="worker", settings=cluster.settings.model_dump(), once=once)
        command = [sys.executable, "-m", "duly.runtime.supervisor"]
        super().__init__(cluster.folder, name, command, {**handover.environment(), **variables})

    @property
    def child(self) -> int:
        """The process id of the newest child."""
        return int(self.said("child.started")[-1]["pid"])

    async def strike(self) -> None:
        """kill -9 of the child that works, not of the one that runs suspects; waits until there is one."""

        def found() -> int | None:
            pids = [int(line["pid"]) for line in self.said("child.started")]
            return next((pid for pid in reversed(pids) if alive(pid) and not quarantine(pid)), None)

        pid = await until(found, 30)
        sudden_death(pid)
        await until(lambda: not alive(pid))


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


class Cluster:
    """One database, the chaos app, any number of workers on it, and a client in this process."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.path = folder / "duly.db"
        shutil.copy(HERE / "chaos_app.py", folder)
        place = {"database_url": f"sqlite:///{self.path}", "app": "chaos_app:duly"}
        values = {**SCALED, "log_format": "json", **place, **settings}
        self.settings = Settings(**values)
        with contextlib.chdir(folder):
            declared = load_declared(self.settings)
        self.app = App(Settings(**{**values, "log_level": "error"}), declared)
        self._workers: list[LoggedProcess] = []

    def start(self, name: str = "worker", *, once: bool = False, **variables: str) -> WorkerProcess:
        """Starts a supervised worker; `variables` are added to its environment."""
        worker = WorkerProcess(self, name, once=once, **variables)
        self._workers.append(worker)
        return worker

    def start_celery(self, name: str = "celery", *, slots: int = 20, **variables: str) -> LoggedProcess:
        """Starts a Celery worker of the bridge, as its users do."""
        command = [sys.executable, "-m", "celery", "-A", "duly.runtime.celery_bridge", "worker"]
        unique = f"{name}-{os.getpid()}-{next(NUMBERS)}"  # a node's name is its address in the broker
        command += ["-P", "threads", "-c", str(slots), "-n", f"{unique}@%h"]
        command += ["--without-gossip", "--without-mingle"]
        ours = {f"DULY_{key.upper()}": str(value) for key, value in self.settings.model_dump().items()}
        others = {key: value for key, value in os.environ.items() if not key.startswith("DULY_")}
        worker = LoggedProcess(self.folder, name, command, {**others, **ours, **variables})
        self._workers.append(worker)
        return worker

    async def sound(self) -> None:
        """Fails with whatever invariant does not hold of what is in the database now."""
        await asyncio.to_thread(invariants.check, self.app.database)

    async def submit(self, task_type: str, input_: Any = None, **options: Any) -> str:
        """The id of an accepted task."""
        task = await self.app.client.submit(task_type, input_ or {}, Options(**options))
        return task.id

    async def submit_many(self, count: int, task_type: str, input_: Any) -> list[str]:
        """The ids of so many alike, accepted together."""
        return await self.app.client.submit_many([(task_type, input_, Options())] * count)

    async def stats(self) -> dict[str, int]:
        """How many tasks stand in each status, of those statuses that have any."""
        counted = await self.app.database.read(lists.stats, lists.Filter())
        return {status: count for status, count in counted.items() if count}

    async def task(self, id_: str) -> Task:
        """The task as it stands."""
        return await self.app.client.get(id_)

    async def end(self, id_: str, seconds: float = 30) -> Task:
        """The task once it has ended."""
        task = await self.app.client.wait(id_, seconds)
        if not task.status.terminal:
            logs = "\n".join(worker.log.read_text() for worker in self._workers)
            raise AssertionError(f"{id_} is still {task.status} after {seconds} s:\n{logs}")
        return task

    async def events(self, id_: str) -> list[Event]:
        """Its timeline."""
        return await self.app.database.read(lists.events, id_)

    async def attempts(self, id_: str) -> list[dict[str, Any]]:
        """Its attempts."""
        return await self.app.database.read(lists.rows_of, "attempt", id_)

    async def end_session(self, session: str) -> None:
        """Ends a worker's session and gives its tasks back, as another process does when a lease is over."""
        await self.app.database.write(claims.rescue, {session: None})

    def ledger(self, what: str | None = None, task: str | None = None) -> list[dict[str, Any]]:
        """What handlers noted, in order; of one kind and one task, if named."""
        path = self.folder / "ledger.jsonl"
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # the last one may be half there: it is being written
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if what in (None, line["what"]) and task in (None, line["task"])]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the database's write lock, as a foreign program would."""
        connection = sqlite.connect(self.path, "WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    @property
    def processes(self) -> list[LoggedProcess]:
        """All workers that were started."""
        return list(self._workers)

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.put_away()


@contextlib.asynccontextmanager
async def cluster(folder: Path, **settings: Any) -> AsyncIterator[Cluster]:
    """A cluster without workers; whatever was started in it is ended afterwards."""
    one = Cluster(folder, **settings)
    await one.app.start()
    try:
        yield one
    finally:
        one.close()
        await one.app.stop()


def sudden_death(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)
