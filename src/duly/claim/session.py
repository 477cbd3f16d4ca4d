"""This worker's session: the row that its lease stands on. A session that others ended is replaced."""

from __future__ import annotations

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
        self, database: Database, queues: tuple[str, ...], *, emit: Emit, opened: Callable[[str], None]
    ) -> None:
        self._database = database
        self._queues = queues
        self._emit = emit
        self._opened = opened
        self.id: str | None = None

    async def open(self) -> str:
        """Takes a new session with a full lease."""
        session = sessions.Session(
            id=str(uuid_utils.uuid7()), host=socket.gethostname(), pid=os.getpid(), queues=self._queues
        )
        await self._database.write(sessions.start, session)
        self.id = session.id
        self._emit("session.opened", worker_id=session.id, queues=",".join(self._queues))
        self._opened(session.id)
        return session.id

    async def renew(self) -> bool:
        """Extends the lease, for a worker without a supervisor; False: the session was ended."""
        return self.id is not None and bool(await self._database.write(sessions.renew, self.id))
