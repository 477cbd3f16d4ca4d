#!/usr/bin/env python3
"""Two supervised workers on one file, a stream of tasks, kill -9 at random; then the books are checked.

`chaos_hand.py --child-kills 30 --supervisor-kills 5` prints one JSON line and exits 1 when a task was lost,
recorded twice, or when recovery took too long. `--silent 600` runs handlers that say nothing for so long.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from duly.store import lists
from support.cluster import (  # type: ignore[import-not-found]
    Cluster,
    WorkerProcess,
    alive,
    children,
    cluster,
    quarantine,
    sudden_death,
    until,
)

#: The times of production, not the scaled ones of the tests.
USUAL: dict[str, Any] = {"lease": 30, "renew": 10, "sweep": 5, "poll": 1, "drain": 25, "stuck": 5}
#: Seconds until the last of a killed process's tasks runs again; a lease more when its supervisor dies too.
CHILD_LIMIT = 5.0
SUPERVISOR_LIMIT = 40.0
#: The same for tasks that lost a process before: they run apart, behind those of other kills (decision 0010).
APART_LIMIT = 100.0
IN_FLIGHT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill -9: when, of whom, and which attempts died with it."""

    whole: bool
    at: float
    attempts: dict[str, int]


@dataclass(slots=True)
class Storm:
    """The load, the kills, and what they left in the ledger."""

    workers: Cluster
    die: random.Random
    cap: float
    accepted: list[str] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    drains: list[int] = field(default_factory=list)
    pair: list[WorkerProcess] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    over: bool = False

    @property
    def late(self) -> bool:
        """Whether the time for kills is up; what follows needs a minute."""
        return time.monotonic() - self.begun > self.cap - 60

    async def submit(self) -> None:
        """Keeps some forty tasks of one to four seconds alive."""
        open_: set[str] = set()
        while not self.over:
            for _ in range(max(0, min(5, IN_FLIGHT - len(open_)))):
                n = self.die.randint(3, 10)
                id_ = await self.workers.submit("steps", {"n": n, "pause": self.die.uniform(0.1, 0.4)})
                self.accepted.append(id_)
                open_.add(id_)
            await asyncio.sleep(0.2)
            found = await self.workers.app.database.read(lists.statuses, list(open_))
            open_ = {id_ for id_ in open_ if not found[id_].terminal}

    async def child_of(self, worker: WorkerProcess) -> int:
        """The worker's ordinary child, once it holds a living session."""

        async def look() -> int | None:
            rows = await self.workers.app.database.read(lists.living_workers)
            living = {row["pid"] for row in rows}
            found = (pid for pid in children(worker.pid) if pid in living and alive(pid))
            return next((pid for pid in found if not quarantine(pid)), None)

        return int(await until(look, 60, every=0.1))

    async def kill_child(self, worker: WorkerProcess) -> None:
        """kill -9 of a child that works."""
        pid = await self.child_of(worker)
        await until(lambda: self.running(pid), 60, every=0.1)
        sudden_death(pid)
        self._note_kill(pid, whole=False)

    async def kill_whole(self, worker: WorkerProcess) -> None:
        """kill -9 of a supervisor; its child must be gone within a second."""
        pid = await self.child_of(worker)
        await until(lambda: self.running(pid), 60, every=0.1)
        worker.kill()
        self._note_kill(pid, whole=True)
        await until(lambda: not alive(pid), 1)

    def _note_kill(self, pid: int, *, whole: bool) -> None:
        at = time.monotonic()
        self.kills.append(Kill(whole=whole, at=at, attempts=self.running(pid)))

    def running(self, pid: int) -> dict[str, int]:
        """Task to attempt, of all that began in a process and did not end there."""
        begun: dict[str, int] = {}
        for line in self.workers.ledger():
            if line["pid"] == pid and line["what"] == "start":
                begun[line["task"]] = line["attempt"]
            elif line["pid"] == pid and line["what"] == "end":
                begun.pop(line["task"], None)
        return begun

    async def run(self, child_kills: int, supervisor_kills: int) -> None:
        """Kills children; after each third of one supervisor, replaces that too: by force or by SIGTERM."""
        self.pair = [self.workers.start(f"worker-{number}") for number in range(2)]
        deaths = [0, 0]
        while self._killed(whole=False) < child_kills and not self.late:
            victim = self.die.randrange(2)
            await self.child_of(self.pair[1 - victim])
            await asyncio.sleep(self.die.uniform(0.5, 2.5))
            await self.kill_child(self.pair[victim])
            deaths[victim] += 1
            if deaths[victim] % 3 == 0:
                await self.replace(victim, by_force=self._killed(whole=True) < supervisor_kills)
        while self._killed(whole=True) < supervisor_kills and not self.late:
            await self.replace(self.die.randrange(2), by_force=True)

    async def replace(self, number: int, *, by_force: bool) -> None:
        """A new supervisor in the place of an old one, as systemd would start it."""
        old = self.pair[number]
        if by_force:
            await self.kill_whole(old)
        else:
            await self.child_of(old)
            old.terminate()
            self.drains.append(await old.ended(60))
        self.pair[number] = self.workers.start(f"worker-{number}")

    def _killed(self, *, whole: bool) -> int:
        return sum(1 for kill in self.kills if kill.whole == whole)

    async def settle(self) -> None:
        """Lets all that was accepted end, then stops the workers."""
        self.over = True

        async def done() -> bool:
            found = await self.workers.app.database.read(lists.statuses, self.accepted)
            return all(status.terminal for status in found.values())

        with contextlib.suppress(AssertionError):  # what has not ended by then is counted as lost
            await until(done, 90, every=0.5)
        for worker in self.pair:
            worker.terminate()
        self.drains += [await worker.ended(60) for worker in self.pair]


@dataclass(slots=True)
class Books:
    """What the database and the ledger say afterwards."""

    lost: int = 0
    recorded_twice: int = 0
    steps_twice: int = 0
    deaths: dict[str, list[int]] = field(default_factory=dict)

    async def check(self, storm: Storm) -> None:
        """Every accepted task ended once; no step ran in a later attempt than the one that recorded it."""
        ran: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for line in storm.workers.ledger("step"):
            ran[line["task"]].append((line["n"], line["attempt"]))
        for id_ in storm.accepted:
            events = await storm.workers.events(id_)
            ends = Counter(
                event.type for event in events if event.type in ("completed", "failed", "cancelled")
            )
            self.lost += ends["completed"] == 0
            self.recorded_twice += ends.total() > 1
            lost = (event.data for event in events if event.type == "lost")
            self.deaths[id_] = [data["attempt"] for data in lost if "held" in data]
            recorded = {
                event.data["n"] - 1: event.data["attempt"] for event in events if event.type == "step"
            }
            self.steps_twice += sum(attempt > recorded[n] for n, attempt in ran[id_] if n in recorded)
            self.steps_twice += len(ran[id_]) - len(set(ran[id_]))


def recoveries(storm: Storm, books: Books, *, whole: bool, again: bool = False) -> list[float]:
    """For each kill the seconds until the last of its tasks ran again; `again`: of those killed before."""
    starts: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in storm.workers.ledger("start"):
        starts[line["task"]].append((line["attempt"], line["at"]))
    found = []
    for kill in storm.kills:
        waits = [
            min(at for attempt, at in starts[task] if attempt > died) - kill.at
            for task, died in kill.attempts.items()
            if any(attempt > died for attempt, _ in starts[task])
            and any(attempt < died for attempt in books.deaths[task]) == again
        ]
        if waits and kill.whole == whole:
            found.append(round(max(waits), 2))
    return found


async def storm(arguments: argparse.Namespace) -> int:
    """The whole exercise; answers the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder), log_level="warning", **USUAL) as workers:
            die = random.Random(arguments.seed)  # noqa: S311 - chooses victims, hides nothing
            one = Storm(workers, die, arguments.minutes_cap * 60)
            load = asyncio.create_task(one.submit())
            await one.run(arguments.child_kills, arguments.supervisor_kills)
            one.over = True
            await load
            await one.settle()
            books = Books()
            await books.check(one)
            return report(one, books)


def report(one: Storm, books: Books) -> int:
    """Prints the one line; answers the exit code."""
    child, whole = recoveries(one, books, whole=False), recoveries(one, books, whole=True)
    apart = [wait for kind in (False, True) for wait in recoveries(one, books, whole=kind, again=True)]
    line = {
        "accepted": len(one.accepted),
        "child_kills": sum(not kill.whole for kill in one.kills),
        "supervisor_kills": sum(kill.whole for kill in one.kills),
        "drains": one.drains,
        "lost": books.lost,
        "recorded_twice": books.recorded_twice,
        "steps_run_twice_after_record": books.steps_twice,
        "recovery_child_p50_s": round(median(child), 2) if child else None,
        "recovery_child_max_s": max(child, default=None),
        "recovery_supervisor_max_s": max(whole, default=None),
        "recovery_apart_max_s": max(apart, default=None),
        "seconds": round(time.monotonic() - one.begun),
    }
    print(json.dumps(line))
    wrong = books.lost or books.recorded_twice or books.steps_twice or any(one.drains)
    slow = max(child, default=0) > CHILD_LIMIT or max(whole, default=0) > SUPERVISOR_LIMIT
    slow = slow or max(apart, default=0) > APART_LIMIT
    return 1 if wrong or slow else 0


async def silence(seconds: float) -> int:
    """Handlers that say nothing for much longer than a lease, each of which must run exactly once."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder), log_level="warning", **USUAL) as workers:
            worker = workers.start()
            kinds = {"silent.loop": seconds, "silent.thread": seconds, "silent.gil": min(20.0, seconds)}
            ids = {kind: await workers.submit(kind, {"seconds": took}) for kind, took in kinds.items()}
            tasks = {kind: await workers.end(id_, seconds + 120) for kind, id_ in ids.items()}
            runs = {kind: len(workers.ledger("start", id_)) for kind, id_ in ids.items()}
            worker.terminate()
            code = await worker.ended(60)
    ends = {kind: str(task.status) for kind, task in tasks.items()}
    line = {"silent_s": kinds, "runs": runs, "status": ends, "seconds": round(time.monotonic() - begun)}
    print(json.dumps({**line, "exit_code": code}))
    well = set(runs.values()) == {1} and set(ends.values()) == {"completed"} and code == 0
    return 0 if well else 1


def main() -> int:
    """Reads the command line and runs one of the two exercises."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--child-kills", type=int, default=30)
    parser.add_argument("--supervisor-kills", type=int, default=5)
    parser.add_argument("--minutes-cap", type=float, default=8)
    parser.add_argument("--silent", type=float, default=0, help="seconds; runs only the silent handlers")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    return asyncio.run(silence(arguments.silent) if arguments.silent else storm(arguments))


if __name__ == "__main__":
    sys.exit(main())
