"""This worker's session: the row that its lease stands on. A session that others ended is replaced."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

import uuid_utils

from duly.model.events import Emit
from duly.store import sessions
from duly.store.database import Database


class WorkerSession:
    """Opens sessions and says which one is current. `opened` tells the supervisor, which renews it."""

    def __init__(
        self,
        database: Database,
        queues: tuple[str, ...],
        *,
        emit: Emit,
        opened: Callable[[str], None],
        types: tuple[str, ...] | None = None,
        host: str | None = None,
    ) -> None:
        self._database = database
        self._queues = queues
        self._types = types
        self._host = host or socket.gethostname()
        self._emit = emit
        self._opened = opened
        self._opening = asyncio.Lock()
        self.id: str | None = None

    async def current(self) -> str:
        """The living session; a new one if there is none."""
        async with self._opening:
            return self.id or await self._open()

    def end(self, session: str) -> bool:
        """Forgets a session that others ended; False if it is not the current one."""
        if session != self.id:
            return False
        self.id = None
        return True

    async def _open(self) -> str:
        session = sessions.Session(
            id=str(uuid_utils.uuid7()),
            host=self._host,
            pid=os.getpid(),
            queues=self._queues,
            types=self._types,
        )
        await self._database.write(sessions.start, session)
        self.id = session.id
        self._emit("session.opened", worker_id=session.id, queues=",".join(self._queues))
        self._opened(session.id)
        return session.id

    async def leave(self) -> None:
        """Says that this process ends on purpose, so that no task comes under suspicion, however it ends."""
        if self.id is not None:
            await self._database.write(sessions.leave, self.id)

    async def renew(self) -> bool:
        """Extends the lease, for a worker without a supervisor; False: the session was ended."""
        return self.id is not None and bool(await self._database.write(sessions.renew, self.id))
