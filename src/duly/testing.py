"""For your own tests: a real store in a temporary folder, a clock that you move, a worker on demand.

`harness = harness_fixture(your_duly)` is a pytest fixture; then `task = await harness.submit("report", {…})`,
`await harness.run_until_idle()`, `await harness.assert_completed(task.id)`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from duly.clock import SystemClock
from duly.config import Settings
from duly.model.events import Event
from duly.model.state import Status
from duly.model.task import Step, Task
from duly.runtime.app import App
from duly.runtime.declare import Duly
from duly.runtime.worker import Worker
from duly.store import lists, recall
from duly.submit.admit import Options

START_MS = 1_800_000_000_000


class FakeClock:
    """A clock that stands still until `advance` is called. Handlers' timeouts still run in real time."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._real = SystemClock()

    def now_ms(self) -> int:
        """Milliseconds since 1970, as far as the store knows."""
        return self._now_ms

    def monotonic(self) -> float:
        """Real seconds."""
        return self._real.monotonic()

    def told(self, _database_ms: int | None) -> int:
        """This clock decides, whatever the database's says."""
        return self._now_ms

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, or back with a negative number."""
        self._now_ms += round(seconds * 1000)


class Harness:
    """A database, a worker that works when told to, and questions to ask afterwards."""

    def __init__(self, app: App, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.worker = Worker(app)

    async def submit(self, task_type: str, input: Any = None, *, wait: float = 0, **options: Any) -> Task:  # noqa: A002
        """Accepts a task, as `Duly.submit` does."""
        return await self.app.client.submit(task_type, input or {}, Options(**options), wait=wait)

    async def signal(self, task_id: str, name: str, data: Any = None, *, id: str | None = None) -> Task:  # noqa: A002
        """Tells a task something, as `Duly.signal` does."""
        return await self.app.client.signal(task_id, name, data, key=id)

    async def run_until_idle(self) -> None:
        """Does all that is due now, deliveries too, and returns when nothing runs any more."""
        await self.worker.until_idle()

    async def advance(self, seconds: float) -> None:
        """Moves the clock and does what has become due."""
        self.clock.advance(seconds)
        await self.worker.until_idle()

    async def task(self, task_id: str) -> Task:
        """The task as it stands."""
        return await self.app.client.get(task_id)

    async def events(self, task_id: str) -> list[Event]:
        """Its timeline."""
        return await self.app.database.read(lists.events, task_id)

    async def steps(self, task_id: str) -> list[Step]:
        """Its remembered steps."""
        return await self.app.database.read(recall.steps, task_id)

    async def rows(self, table: str, task_id: str) -> list[dict[str, Any]]:
        """Its rows in `attempt`, `step` or `delivery`."""
        return await self.app.database.read(lists.rows_of, table, task_id)

    async def inbox(self, owner: str, tenant: str = "") -> list[dict[str, Any]]:
        """An owner's notifications."""
        return await self.app.database.read(lists.inbox, tenant, owner)

    async def assert_status(self, task_id: str, status: Status | str) -> Task:
        """Fails, with the task's error and timeline, unless it stands in `status`."""
        task = await self.task(task_id)
        if task.status != status:
            lines = "\n".join(
                f"  {event.seq} {event.type} {event.data}" for event in await self.events(task_id)
            )
            raise AssertionError(
                f"{task_id} is {task.status}, not {status}: {task.error_code} {task.error}\n{lines}"
            )
        return task

    async def assert_completed(self, task_id: str) -> Any:
        """Fails unless it has completed; answers its result."""
        return (await self.assert_status(task_id, Status.COMPLETED)).result

    async def assert_failed(self, task_id: str, error_code: str | None = None) -> Task:
        """Fails unless it has failed, with this code if one is given."""
        task = await self.assert_status(task_id, Status.FAILED)
        if error_code is not None and task.error_code != error_code:
            raise AssertionError(f"{task_id} failed with {task.error_code} ({task.error}), not {error_code}")
        return task


def database_url(folder: Path) -> str:
    """Where a harness keeps everything unless it is told: a SQLite file in its folder."""
    return f"sqlite:///{folder / 'duly.db'}"


@contextlib.asynccontextmanager
async def harness(
    declared: Duly, folder: Path | str | None = None, **settings: Any
) -> AsyncIterator[Harness]:
    """A harness around your declared tasks; `settings` as in `duly.toml`."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        values = {
            "database_url": database_url(place),
            "token_file": str(place / "duly.token"),
            "log_level": "warning",
            "poll": 0.2,
            **settings,
        }
        clock = FakeClock()
        app = App(Settings(**values), declared, clock=clock)
        await app.start()
        one = Harness(app, clock)
        await one.worker.session.current()
        try:
            yield one
        finally:
            await one.worker.drain(0)
            await one.worker.stop()
            await app.stop()


def harness_fixture(declared: Duly, **settings: Any) -> Any:
    """A pytest fixture that yields a `Harness`; needs pytest-asyncio."""
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def made(tmp_path: Path) -> AsyncIterator[Harness]:
        async with harness(declared, tmp_path, **settings) as one:
            yield one

    return made
