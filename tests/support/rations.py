"""The proof of limits: what they cost beside none, who starts behind a hot key, and 50 kills under many keys.

Both fields are real worker processes on an empty database each: one with the times of production, to measure,
and one at a tenth of them, to kill.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from duly.store import limit_care, pauses, schema
from duly.store.pauses import Pause
from duly.submit.admit import Options
from support import servers
from support.cluster import Cluster, WorkerProcess, cluster, until
from support.rooms import moments

#: `key_concurrency` of `brief.keyed` in the chaos app.
CAP = 2
KEYED, FREE, QUEUE = "brief.keyed", "brief", "default"
#: As in production: what a figure means.
USUAL = {"lease": 30.0, "renew": 10.0, "sweep": 5.0, "poll": 1.0}
#: How long a task runs where workers are killed and behind a hot key, in seconds.
BRIEF, LONG = 0.02, 1.0
PART = 1000
#: Each so many kills one takes the whole worker, supervisor and all: only the lease gives its tasks back.
HOST = 5
PATIENCE = 300
TASK, ATTEMPT, EVENT, LIMITS = schema.task.c, schema.attempt.c, schema.event.c, schema.limits.c

#: Keys for which somebody is blocked although there is more room than tasks that stand in line for it.
BESIDE_ROOM = sa.text("""
    SELECT l.name FROM limits l
    JOIN (SELECT DISTINCT blocked_on AS name FROM task WHERE status = 'blocked') b ON b.name = l.name
    LEFT JOIN (SELECT limit_key AS name, count(*) AS standing FROM task
      WHERE status = 'pending' GROUP BY limit_key) p ON p.name = l.name
    WHERE l.taken + coalesce(p.standing, 0) < l.cap""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of it all."""

    tasks: int = 20_000
    keys: int = 500
    workers: int = 4
    slots: int = 64
    kills: int = 50
    hot: int = 3_000
    #: How often a load with limits and one without are measured, in turns.
    rounds: int = 2


@dataclass(slots=True)
class Field:
    """Workers on one database, and questions to it."""

    cluster: Cluster
    workers: list[WorkerProcess]

    async def ask(self, query: sa.Executable) -> list[Any]:
        """Rows."""
        return await self.cluster.app.database.read(lambda tx: list(tx.core.execute(query).all()))

    async def unfinished(self) -> int:
        """How many tasks have not ended."""
        alive = TASK.status.in_(["pending", "blocked", "running"])
        return int((await self.ask(sa.select(sa.func.count()).where(alive)))[0][0])

    async def submit(self, count: int, task_type: str, keys: int, pause: float = 0.0) -> list[str]:
        """Ids of so many tasks, of these keys in turn."""
        client, ids = self.cluster.app.client, list[str]()
        for begin in range(0, count, PART):
            part = range(begin, min(begin + PART, count))
            tasks = [(task_type, {"key": n % keys, "pause": pause}, Options()) for n in part]
            ids += await client.submit_many(tasks)
        return ids

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """The queue is paused meanwhile: what is submitted starts together."""
        await self.cluster.app.database.write(pauses.pause, Pause(queue=QUEUE))
        yield
        await self.cluster.app.database.write(pauses.resume, QUEUE)

    async def over(self) -> None:
        """Until all have ended."""
        await until(self._over, PATIENCE, every=0.25)

    async def _over(self) -> bool:
        return await self.unfinished() == 0


@contextlib.asynccontextmanager
async def field_of(kind: str, folder: Path, size: Size, **settings: Any) -> AsyncIterator[Field]:
    """Started workers on an empty database of this kind."""
    if kind in servers.KINDS:
        settings["database_url"] = servers.fresh_url(kind, f"limits_{folder.name}")
    async with cluster(folder, concurrency=size.slots, **settings) as one:
        workers = [one.start(f"worker{n}") for n in range(size.workers)]
        for worker in workers:
            await worker.says("worker.started", seconds=PATIENCE)
        yield Field(one, workers)


async def prove(kind: str, folder: Path, size: Size, say: Callable[[str], None]) -> dict[str, Any]:
    """All figures of one database; what is wrong is said, and counted."""
    places = [folder / "calm", folder / "storm"]
    for place in places:
        place.mkdir()
    async with field_of(kind, places[0], size, **USUAL) as calm:
        figures = await _throughput(calm, size)
        wrong = [text async for text in _unsettled(calm)]
        figures |= {"hot_key_s": await _hot_key(calm, size.hot)}
    async with field_of(kind, places[1], size) as storm:
        more, told = await _storm(storm, size)
        figures |= more
    wrong += told
    for text in wrong:
        say(text)
    return {"database": kind, **figures, "violations": len(wrong)}


async def _throughput(field: Field, size: Size) -> dict[str, Any]:
    """Tasks in a second, without limits and with them: in turns, so that what else the machine does falls on
    both."""
    rates: dict[str, list[float]] = {FREE: [], KEYED: []}
    for number in range(2 * size.rounds):
        task_type = (FREE, KEYED, KEYED, FREE)[number % 4]
        rates[task_type].append(await _rate(field, task_type, size))
    free, keyed = statistics.mean(rates[FREE]), statistics.mean(rates[KEYED])
    return {"free_per_s": round(free), "limited_per_s": round(keyed), "ratio": round(keyed / free, 2)}


async def _rate(field: Field, task_type: str, size: Size) -> float:
    async with field.held():
        ids = await field.submit(size.tasks, task_type, size.keys)
    await field.over()
    first, last = min(ids), max(ids)
    span = sa.select(sa.func.min(ATTEMPT.started_at), sa.func.max(ATTEMPT.ended_at))
    [[begun, ended]] = await field.ask(span.where(ATTEMPT.task_id.between(first, last)))
    return size.tasks / ((ended - begun) / 1000)


async def _hot_key(field: Field, hot: int) -> float:
    """Seconds from a queue's opening to the start of its only unlimited task, behind so many of one key."""
    async with field.held():
        await field.submit(hot, KEYED, 1, LONG)
        [last] = await field.submit(1, FREE, 1)
        opened = time.time()
    await field.cluster.end(last, 60)
    [[started]] = await field.ask(sa.select(ATTEMPT.started_at).where(ATTEMPT.task_id == last))
    return round(started / 1000 - opened, 2)


async def _storm(field: Field, size: Size) -> tuple[dict[str, Any], list[str]]:
    """Workers are killed while tasks of many keys run; figures, and what was wrong."""
    watch = Watch(field)
    watching = asyncio.create_task(watch.run())
    async with field.held():
        await field.submit(size.tasks, KEYED, size.keys, BRIEF)
    begun = time.monotonic()
    hosts = await _kill(field, size)
    await field.over()
    seconds = time.monotonic() - begun
    watch.ended = True
    await watching
    most, told = await _sums(field)
    told += [text async for text in _unsettled(field)]
    told += watch.complaints(2 * field.cluster.settings.sweep)
    figures = {"tasks": size.tasks, "keys": size.keys, "kills": size.kills, "host_kills": hosts}
    figures |= {"killed_s": round(seconds, 1), "most_at_once": most, "beside_room_s": watch.longest}
    return figures, told


async def _kill(field: Field, size: Size) -> int:
    """kill -9 of one worker after the other, spread over the load; how often the supervisor with it."""
    hosts = 0
    for kill in range(1, size.kills + 1):
        left = size.tasks - size.tasks * kill // (size.kills + 2)
        await until(lambda: _down_to(field, left), PATIENCE, every=0.1)  # noqa: B023 - of this round
        victim = kill % size.workers
        if kill % HOST:
            await field.workers[victim].strike()
            continue
        hosts += 1
        field.workers[victim].kill()
        field.workers[victim] = field.cluster.start(f"worker{victim}")
    return hosts


async def _down_to(field: Field, left: int) -> bool:
    return await field.unfinished() <= left


async def _sums(field: Field) -> tuple[int, list[str]]:
    """The most of one key that ran at once, and each time that there were too many; by their timelines."""
    rows = await field.ask(sa.select(TASK.id, TASK.limit_key, TASK.status))
    keys = {row.id: row.limit_key for row in rows}
    lines = sa.select(EVENT.task_id, EVENT.at, EVENT.type).order_by(EVENT.task_id, EVENT.seq)
    counts = list(moments(await field.ask(lines), keys))
    told = [f"{row.id} has not completed: {row.status}" for row in rows if row.status != "completed"]
    told += [f"at {at} ran {count} of {key}, of which {CAP} may" for key, at, count in counts if count > CAP]
    return max(count for _, _, count in counts), told


async def _unsettled(field: Field) -> AsyncIterator[str]:
    """What is taken although nothing runs, and each count that a sweep had to correct."""
    for name, taken in await field.ask(sa.select(LIMITS.name, LIMITS.taken).where(LIMITS.taken != 0)):
        yield f"nothing runs, and of {name} {taken} are taken"
    found = await field.cluster.app.database.read(limit_care.look)
    if found != limit_care.Found([], []):
        yield f"nothing runs, and a sweep would find {found}"
    for line in _corrected(field):
        yield f"a sweep found a wrong count: {line}"


def _corrected(field: Field) -> Iterator[dict[str, Any]]:
    """Workers of one name share a log."""
    logs = {worker.log: worker for worker in field.workers}
    return itertools.chain.from_iterable(worker.said("limit.corrected") for worker in logs.values())


@dataclass(slots=True)
class Watch:
    """Looks for keys with room for which somebody is blocked, and how long each is so."""

    field: Field
    since: dict[str, float] = dataclasses.field(default_factory=dict)
    most: dict[str, float] = dataclasses.field(default_factory=dict)
    ended: bool = False

    async def run(self) -> None:
        """Until it is `ended`."""
        await until(self._look, 2 * PATIENCE, every=0.2)

    async def _look(self) -> bool:
        now = time.monotonic()
        found = {row.name for row in await self.field.ask(BESIDE_ROOM)}
        self.since = {name: self.since.get(name, now) for name in found}
        for name, since in self.since.items():
            self.most[name] = max(self.most.get(name, 0.0), now - since)
        return self.ended

    @property
    def longest(self) -> float:
        """Of all keys, in seconds."""
        return round(max(self.most.values(), default=0.0), 1)

    def complaints(self, allowed: float) -> list[str]:
        """A sweep wakes who waits beside room: keys that were so for longer."""
        return [
            f"somebody was blocked on {name} for {seconds:.1f} s beside room"
            for name, seconds in self.most.items()
            if seconds > allowed
        ]
