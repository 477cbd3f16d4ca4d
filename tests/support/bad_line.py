"""A bad line between a Celery bridge's sender and its worker: messages come twice, some are lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duly.config import Settings
from duly.runtime.broker import celery_app, queue_name
from support import engines, servers
from support.cluster import Cluster, LoggedProcess, cluster, until

#: One of so many is lost.
EVERY = 10
#: The line is quiet when nothing came for so long.
QUIET = 0.05
#: A task that nobody took is sent again after so long, and how long all may take, in seconds.
RESEND, PATIENCE = 3.0, 120.0


class Relay:
    """A bad line: what comes into one queue goes into another, and once more when the line is quiet, the last
    one first; every tenth of all is lost. While it is `deaf` all is lost. The first `held` messages wait for
    each other, so that how quickly they were sent says nothing of how many run at once."""

    def __init__(self, near: Settings, far: Settings, *, held: int) -> None:
        self._near, self._far, self._held = near, far, held
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
            return
        self._again.append(message)
        if self.came == self._held:
            for one in list(self._again):
                self._pass(one)
        elif self.came > self._held:
            self._pass(message)

    def _repeat(self) -> None:
        while self._again and self.came >= self._held:
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


@dataclass(frozen=True, slots=True)
class Bridge:
    """A sending worker near, one Celery worker far, and the line between them."""

    near: Cluster
    worker: LoggedProcess
    relay: Relay

    async def ended(self, count: int) -> None:
        """Returns when so many tasks have completed; looks now and then, for to wait for each costs more."""

        async def enough() -> bool:
            return bool((await self.near.stats()).get("completed", 0) >= count)

        await until(enough, PATIENCE, every=0.2)

    async def lost(self, count: int) -> list[str]:
        """So many tasks more, whose first messages are all lost."""
        self.relay.deaf, came = True, self.relay.came
        ids = await self.near.submit_many(count, "steps", {"n": 1})
        await until(lambda: self.relay.came >= came + count, PATIENCE)
        self.relay.deaf = False
        return list(ids)

    async def books(self, ids: list[str]) -> dict[str, int]:
        """What the tables and the relay say of these tasks."""
        ends = [event.type for id_ in ids for event in await self.near.events(id_)]
        attempts = sum([len(await self.near.attempts(id_)) for id_ in ids])
        figures = {"tasks": len(ids), "recorded": ends.count("completed"), "attempts": attempts}
        figures |= {"messages": self.relay.came, "dropped": self.relay.dropped}
        return figures | {"delivered": self.relay.passed, "refused": self.relay.passed - attempts}


@contextlib.asynccontextmanager
async def bridge(kind: str, folder: Path, *, held: int, slots: int) -> AsyncIterator[Bridge]:
    """One broker, PostgreSQL, and processes started as their users do; nothing is left of them."""
    url = servers.database_url("postgres")
    servers.clear(url)
    here = {**engines.settings(kind), "resend": RESEND, "lease": 30.0, "renew": 10.0, "database_url": url}
    async with cluster(folder, **here) as near:
        far = Cluster(folder, **{**here, "broker_prefix": f"{here['broker_prefix']}far."})
        relay = Relay(near.settings, far.settings, held=held)
        try:
            near.start()
            worker = far.start_celery(slots=slots)
            await worker.says("worker.started", seconds=PATIENCE)
            yield Bridge(near, worker, relay)
        finally:
            relay.close()
            near.close()
            far.close()
            engines.forget(near.settings)
            engines.forget(far.settings)
