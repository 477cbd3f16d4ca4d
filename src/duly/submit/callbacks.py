"""What vendors call back: the secret in the address opens one place of one job, and nothing else."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Any

from duly.model import wire
from duly.model.errors import CallbackNotFound
from duly.model.events import Emit
from duly.store import jobs
from duly.store.database import Database
from duly.store.jobs import Callback, CalledBack

_ID = re.compile(r"[0-9a-f-]{36}")


class Callbacks:
    """Finds the place of a callback, and keeps what is said there."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    async def find(self, task_id: str, name: str, secret: str) -> Callback:
        """The place that this secret opens. How far a wrong one is right cannot be told from the time.

        Raises:
            CallbackNotFound: there is no such task, job or secret; which, is not said.
        """
        known = await self._database.read(jobs.callbacks, task_id) if _ID.fullmatch(task_id) else []
        given = sha256(secret.encode("utf-8", "replace")).hexdigest()
        found = [one for one in known if hmac.compare_digest(one.secret_hash, given) and one.name == name]
        if not found:
            raise CallbackNotFound
        return found[0]

    async def keep(self, at: Callback, data: Any) -> bool:
        """Keeps a JSON value for the attempt that tracks the job; False: it has ended before."""
        said = CalledBack(at, wire.dumps(data, what="a callback's body"))
        kept: bool = await self._database.write(jobs.called_back, said)
        self._emit("job.called_back", task_id=at.task_id, job=at.name, kept=kept)
        return kept
