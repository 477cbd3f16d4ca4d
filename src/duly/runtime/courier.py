"""Tells the broker which tasks are due, and tells it again when nobody came for one: the rows are the outbox.

A submit never speaks to the broker. Of several senders the oldest living one sends. What was sent is
remembered in memory only: who forgets it sends twice, which is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from duly.model.errors import BrokerAway
from duly.model.events import Emit
from duly.runtime.loops import rest_after
from duly.store.database import Database
from duly.store.named import Waiting, leads, waiting


class Post(Protocol):
    """Where messages go; `runtime.broker.Broker` is one."""

    def send(self, queue: str, letters: Sequence[tuple[str, int]], *, window: int) -> int:
        """Sends as many of these as have room; how many."""
        ...

    def close(self) -> None: ...


class Courier:
    """Keeps up to `window` messages of a queue on their way; one without effect is sent `again` later."""

    def __init__(
        self,
        database: Database,
        post: Post,
        queues: tuple[str, ...],
        *,
        again: float,
        window: int,
        emit: Emit,
    ) -> None:
        self._database = database
        self._post = post
        self._queues = queues
        self._again = again
        self._window = window
        self._emit = emit
        #: When each pending task was sent; one that became pending anew has another `seq`.
        self._sent: dict[Waiting, float] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duly-courier")
        self._errors = 0
        self._rest_until = float("-inf")

    async def tick(self, session: str) -> int:
        """Answers how many messages were sent."""
        now = self._database.clock.monotonic()
        if now < self._rest_until:
            return 0
        if not await self._database.read(leads, session):
            self._sent.clear()
            return 0
        found = await self._database.read(waiting, self._queues, self._window)
        known = {one: self._sent[one] for tasks in found.values() for one in tasks if one in self._sent}
        self._sent = known
        return sum([await self._send(queue, self._unsent(tasks, now), now) for queue, tasks in found.items()])

    def _unsent(self, tasks: Sequence[Waiting], now: float) -> list[Waiting]:
        """Those that were never sent, then those for which nobody came: their messages are lost, or stand in
        the queue, which the window keeps short."""
        fresh = [one for one in tasks if one not in self._sent]
        return fresh + [one for one in tasks if self._sent.get(one, now) <= now - self._again]

    async def _send(self, queue: str, tasks: Sequence[Waiting], now: float) -> int:
        if not tasks or now < self._rest_until:
            return 0
        letters = [(one.id, one.rank) for one in tasks]
        loop = asyncio.get_running_loop()
        try:
            count = await loop.run_in_executor(
                self._thread, lambda: self._post.send(queue, letters, window=self._window)
            )
        except BrokerAway as error:
            self._away(error)
            return 0
        self._back()
        self._sent |= dict.fromkeys(tasks[:count], now)
        if count:
            self._emit("broker.sent", queue=queue, messages=count)
        return count

    def _away(self, error: BrokerAway) -> None:
        """Work goes on being accepted; it is tried again, ever less often."""
        self._errors += 1
        self._rest_until = self._database.clock.monotonic() + rest_after(self._errors, 1.0)
        self._emit("broker.away", errors=self._errors, error=str(error))

    def _back(self) -> None:
        if self._errors:
            self._emit("broker.back", errors=self._errors)
            self._errors = 0

    def close(self) -> None:
        """Ends its thread and its connection."""
        self._thread.submit(self._post.close)
        self._thread.shutdown(wait=False)
