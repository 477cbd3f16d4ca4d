"""A real database in a temporary file under a clock that is moved by hand, with its verbs for coroutines."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from pathlib import Path
from typing import Any

import uuid_utils

from duly.clock import SystemClock
from duly.deliver.outbox import Outbox
from duly.model.state import Status
from duly.model.task import Claimed, Submission, Target, Task
from duly.store import claims, lists, migrate, sessions, submissions
from duly.store.database import Database
from support.patience import PATIENCE


class FakeClock:
    """Stands still until it is moved. It begins at the real time: receivers compare with theirs."""

    def __init__(self) -> None:
        self.ms = SystemClock().now_ms()

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def told(self, _database_ms: int | None) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class Emitted:
    """An `Emit` that remembers: `names()` and `fields(name)`."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, /, **fields: Any) -> None:
        self.lines.append((name, fields))

    def names(self) -> list[str]:
        return [name for name, _ in self.lines]


@functools.cache
def blank() -> bytes:
    """An empty database with the newest schema; migrated once, then copied."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "duly.db"
        migrate.ensure(Database(f"sqlite:///{path}"))
        return path.read_bytes()


class World:
    """An open store with the verbs that tests need, each with its defaults."""

    def __init__(self, folder: Path) -> None:
        (folder / "duly.db").write_bytes(blank())
        self.clock = FakeClock()
        self.emitted = Emitted()
        self.database = Database(f"sqlite:///{folder / 'duly.db'}", clock=self.clock, emit=self.emitted)
        self.database.open()

    async def session(self, id_: str = "w1", queues: tuple[str, ...] = ("default",)) -> str:
        """A living worker session."""
        session = sessions.Session(id=id_, host="host-1", pid=4711, queues=queues)
        await self.database.write(sessions.start, session)
        return id_

    async def submit(self, *deliver: Target, **options: Any) -> str:
        """An accepted task; its id."""
        values: dict[str, Any] = {"task_type": "demo", "input": "{}", "body_hash": "h", **options}
        submission = Submission.of(id=str(uuid_utils.uuid7()), deliver=deliver, **values)
        await self.database.write(submissions.submit, submission)
        return submission.id

    async def claim(
        self, session: str = "w1", task_type: str = "demo", beside: tuple[int, ...] | None = None
    ) -> Claimed:
        """The next task, or with `beside` the next suspect, running under `session`."""
        lane = claims.Lane(types=(task_type,), free=1)
        request = claims.ClaimRequest(session=session, queues=("default",), lanes=(lane,), beside=beside)
        [claimed] = await self.database.write(claims.claim, request)
        return claimed  # type: ignore[no-any-return]

    async def rescue(self, *ended: str) -> None:
        """Ends these sessions and gives back what they held."""
        await self.database.write(claims.rescue, dict.fromkeys(ended))

    async def finish(self, claimed: Claimed, target: Status = Status.COMPLETED, **fields: Any) -> None:
        """Ends the attempt in `target`."""
        if target is Status.COMPLETED:
            fields.setdefault("result", '{"answer":42}')
        fields.setdefault("event", target.value)
        fields.setdefault("outcome", target.value)
        finish = claims.Finish(id=claimed.id, attempt=claimed.attempt, target=target, **fields)
        await self.database.write(claims.finish, finish)

    async def ended(self, *deliver: Target, target: Status = Status.COMPLETED, **options: Any) -> str:
        """A task that ran and has ended, so that its deliveries are due; its id."""
        ending = {
            key: options.pop(key) for key in ("result", "error", "error_code", "exhausted") if key in options
        }
        id_ = await self.submit(*deliver, **options)
        await self.finish(await self.claim(), target, **ending)
        return id_

    async def task(self, id_: str) -> Task:
        """The task as it stands."""
        task = await self.database.read(lists.get, id_)
        assert task is not None
        return task

    async def deliveries(self, id_: str) -> list[dict[str, Any]]:
        """The task's delivery rows."""
        return await self.database.read(lists.rows_of, "delivery", id_)

    async def delivery(self, id_: str) -> dict[str, Any]:
        """The task's one delivery row."""
        [row] = await self.deliveries(id_)
        return row


async def send_all(outbox: Outbox) -> int:
    """One tick, and all that it started has ended; answers how many."""
    async with asyncio.timeout(PATIENCE):
        count = await outbox.tick()
        await outbox.drain(PATIENCE)
    return count
