"""Drains one backlog on PostgreSQL with 1, 2, 4 and 8 worker processes. Prints a JSON line each, and ratios.

`make scaling` (ARGS="--counts 1,2 --tasks 20000"). The queue is paused until every worker has its session, so
that none has a start; the clock runs from its opening to the last end. Beside the rate: whose processor time
it was, and what sessions of PostgreSQL waited for. A chart goes to stderr. Exits 1 when a task was
not done.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from places import scratch

HERE = Path(__file__).resolve().parent
QUEUE = "default"
SAMPLE_SECONDS = 0.02
BAR = 50
ACTIVE = """SELECT coalesce(wait_event_type || ':' || wait_event, 'running') FROM pg_stat_activity
WHERE datname = %s AND state = 'active' AND pid <> pg_backend_pid()"""


class Waits:
    """What the server's sessions of a database do, looked at fifty times a second."""

    def __init__(self, url: str, database: str) -> None:
        self._url, self._database = url, database
        self._over = threading.Event()
        self._seen: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Waits:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(SAMPLE_SECONDS):
                self._seen.update(row[0] for row in connection.execute(ACTIVE, [self._database]))

    def shares(self) -> dict[str, float]:
        """The most frequent, as shares of what was seen."""
        total = self._seen.total() or 1
        return {name: round(count / total, 2) for name, count in self._seen.most_common(5)}


async def drained(workers: int, tasks: int, concurrency: int) -> dict[str, Any]:
    """One measurement."""
    import marks
    from duly_system import OnPostgres
    from processes import Worker

    system = OnPostgres()
    await system.setup()
    marks.clear()
    try:
        await system.fill("noop", tasks)
        system.rest()
        parts = await system.open()
        await parts.operator.pause(QUEUE)
        with contextlib.ExitStack() as stack:
            command = system.worker(concurrency), system.environment(), system.folder
            running = [stack.enter_context(Worker(*command)) for _ in range(workers)]
            await _all_living(parts, running)
            if done := await system.finished():
                sys.exit(f"scaling: {done} tasks ended too early: other workers are on {system.database}")
            figures = await _measured(system, parts, running, tasks)
    finally:
        await system.close()
    return {"workers": workers, **figures}


async def _all_living(parts: Any, running: list[Any]) -> None:
    """Until each has its session, and what comes with a start is over."""
    from duly.store import lists

    while len(await parts.database.read(lists.living_workers)) < len(running):
        for one in running:
            one.check()
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)


async def _measured(system: Any, parts: Any, running: list[Any], tasks: int) -> dict[str, Any]:
    """Opens the queue; the figures once all is done."""
    import postgres
    from processes import cpu_seconds, machine_seconds, server_pids

    ours = [pid for one in running for pid in one.pids]
    server = server_pids(system.database)

    def spent() -> tuple[float, float, float]:
        return cpu_seconds(ours), cpu_seconds(server), machine_seconds()

    with Waits(postgres.server_url(), system.database) as waits:
        before = spent()
        await parts.operator.resume(QUEUE)
        begun = time.monotonic()
        while (done := await system.finished()) < tasks:
            for one in running:
                one.check()
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - begun
        worker, database, machine = (late - soon for late, soon in zip(spent(), before, strict=True))
    return {
        "tasks": done,
        "per_s": round(tasks / seconds),
        "worker_cores": round(worker / seconds, 2),
        "server_cores": round(database / seconds, 2),
        "other_cores": round((machine - worker - database) / seconds, 2),
        "worker_us_per_task": round(worker / tasks * 1e6),
        "server_us_per_task": round(database / tasks * 1e6),
        "server_sessions": waits.shares(),
    }


def chart(lines: list[dict[str, Any]]) -> str:
    """Bars of the rates."""
    most = max(line["per_s"] for line in lines)
    return "\n".join(
        f"{line['workers']:3} workers {line['per_s']:8,}/s {'█' * round(BAR * line['per_s'] / most)}"
        for line in lines
    )


def main() -> int:
    """Measures each count, round after round; prints the best of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="1,2,4,8")
    parser.add_argument("--tasks", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=512)
    asked = parser.parse_args()
    counts = [int(word) for word in asked.counts.split(",")]
    best: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=scratch(), prefix="data-scaling-") as folder:
        os.environ |= {"BENCH_FOLDER": folder, "BENCH_MARKS": f"{folder}/marks", "PYTHONPATH": str(HERE)}
        for _ in range(asked.rounds):
            for count in counts:
                one = asyncio.run(drained(count, asked.tasks, asked.concurrency))
                print(json.dumps(one), flush=True)
                best[count] = max(best.get(count, one), one, key=lambda line: line["per_s"])
    lines = list(best.values())
    print(chart(lines), file=sys.stderr)
    first = lines[0]["per_s"]
    ratios = {str(line["workers"]): round(line["per_s"] / first, 2) for line in lines}
    print(json.dumps({"per_s": {str(line["workers"]): line["per_s"] for line in lines}, "ratios": ratios}))
    return 0 if all(line["tasks"] >= asked.tasks for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
