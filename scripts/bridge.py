#!/usr/bin/env python3
"""Tasks through the Celery bridge on each broker over a bad line: messages come twice, every tenth is lost.

`make bridge`. A relay stands between sender and worker; all else is as in production: a sending worker, one
`celery worker -P threads -c 200`, PostgreSQL. First come 200 tasks of a second each, then 20 whose messages
are all lost at first. Prints one JSON line; exits 1 unless each task was recorded once, after one attempt,
and the 200 ran at once in one process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from duly.config import Settings
from duly.runtime.broker import celery_app, queue_name
from support import engines, servers  # type: ignore[import-not-found]
from support.cluster import Cluster, cluster, until  # type: ignore[import-not-found]

TASKS, SECONDS, LOST = 200, 1.0, 20
EVERY = 10
#: How long all may take, in seconds; a task that nobody took is sent again after three.
PATIENCE, RESEND = 120.0, 3.0
#: The line is quiet when nothing came for so long.
QUIET = 0.05


class Relay:
    """A bad line: what comes into one queue goes into another, and once more when the line is quiet, the last
    one first; every tenth of all is lost. While it is `deaf` all is lost."""

    def __init__(self, near: Settings, far: Settings) -> None:
        self._near, self._far = near, far
        self.came = self.dropped = self.passed = 0
        self.deaf = False
        self._again: list[Any] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay")
        self._thread.start()

    def _run(self) -> None:
        app = celery_app(self._near, patient=True)
        source, target = (app.amqp.queues[queue_name(one, "default")] for one in (self._near, self._far))
        with app.connection_for_read() as line:
            self._out = app.amqp.Producer(line, auto_declare=False)
            self._target = target.bind(self._out.channel)
            self._target.declare()
            with line.Consumer([source], callbacks=[self._on_message], accept=["json"], no_ack=True):
                self._pass_on(line)

    def _pass_on(self, line: Any) -> None:
        while not self._over.is_set():
            try:
                line.drain_events(timeout=QUIET)
            except TimeoutError:
                self._repeat()

    def _on_message(self, _: Any, message: Any) -> None:
        self.came += 1
        if self.deaf:
            self.dropped += 1
        else:
            self._again.append(message)
            self._pass(message)

    def _repeat(self) -> None:
        while self._again:
            self._pass(self._again.pop())

    def _pass(self, message: Any) -> None:
        if (self.passed + self.dropped + 1) % EVERY == 0:
            self.dropped += 1
            return
        self.passed += 1
        words = {word: getattr(message, word) for word in ("content_type", "content_encoding", "headers")}
        kept = ("correlation_id", "reply_to", "priority")
        words |= {word: message.properties[word] for word in kept if word in message.properties}
        where = {"exchange": self._target.exchange.name, "routing_key": self._target.routing_key}
        self._out.publish(message.body, **where, **words)

    def close(self) -> None:
        """Ends it."""
        self._over.set()
        self._thread.join(10)


async def measured(kind: str, folder: Path) -> dict[str, Any]:
    """All tasks through one broker."""
    url = servers.database_url("postgres")
    servers.clear(url)
    here = {**engines.settings(kind), "resend": RESEND, "lease": 30.0, "renew": 10.0, "database_url": url}
    async with cluster(folder, **here) as near:
        far = Cluster(folder, **{**here, "broker_prefix": f"{here['broker_prefix']}far."})
        relay = Relay(near.settings, far.settings)
        try:
            near.start()
            worker = far.start_celery(slots=TASKS)
            await worker.says("worker.started", seconds=PATIENCE)
            begun = time.monotonic()
            ids = await near.submit_many(TASKS, "silent.loop", {"seconds": SECONDS})
            await ended(near, TASKS)
            seconds = round(time.monotonic() - begun, 1)
            together = overlap(near)
            ids += await lost(near, relay)
            figures = await told(near, ids, relay, worker.pid)
            return {"seconds": seconds, "overlap": together, **figures}
        finally:
            relay.close()
            near.close()
            far.close()
            engines.forget(near.settings)
            engines.forget(far.settings)


async def lost(site: Cluster, relay: Relay) -> list[str]:
    """More tasks, whose first messages are all lost; once they have ended."""
    relay.deaf, came = True, relay.came
    ids = await site.submit_many(LOST, "steps", {"n": 1})
    await until(lambda: relay.came >= came + LOST, PATIENCE)
    relay.deaf = False
    await ended(site, TASKS + LOST)
    return list(ids)


async def ended(site: Cluster, count: int) -> None:
    """Returns when so many have completed; looks now and then, for to wait for each costs more."""

    async def enough() -> bool:
        return bool((await site.stats()).get("completed", 0) >= count)

    await until(enough, PATIENCE, every=0.2)


async def told(site: Cluster, ids: list[str], relay: Relay, pid: int) -> dict[str, Any]:
    """The figures, from the tables, the handlers' own ledger and the process."""
    ends = [event.type for id_ in ids for event in await site.events(id_)]
    attempts = sum([len(await site.attempts(id_)) for id_ in ids])
    return {
        "tasks": len(ids),
        "recorded": ends.count("completed"),
        "attempts": attempts,
        "messages": relay.came,
        "dropped": relay.dropped,
        "delivered": relay.passed,
        "refused": relay.passed - attempts,
        "processes": len({line["pid"] for line in site.ledger("start")}),
        "rss_mb": memory(pid),
    }


def overlap(site: Cluster) -> int:
    """How many handlers ran at once at most."""
    most = running = 0
    for line in sorted(site.ledger(), key=lambda line: float(line["at"])):
        running += {"start": 1, "end": -1}[line["what"]]
        most = max(most, running)
    return most


def memory(pid: int) -> float:
    """The most that a process has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(kilobytes) / 1024, 1)


def kept(figures: dict[str, Any]) -> bool:
    """Whether every task was recorded once, and all of them ran at once."""
    once = figures["tasks"] == figures["recorded"] == figures["attempts"] == TASKS + LOST
    return bool(once and figures["overlap"] == TASKS and figures["processes"] == 1)


def main() -> int:
    """Measures both, one after the other."""
    found = {}
    for kind in engines.BROKERS:
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = asyncio.run(measured(kind, Path(folder)))
    good = all(kept(figures) for figures in found.values())
    print(json.dumps({"ok": good, **found}))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
