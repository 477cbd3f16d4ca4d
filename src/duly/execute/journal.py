"""What a running attempt writes: steps at once and surely, everything else gathered for a quarter second.

All of it is fenced. The first refused write marks the journal as lost; from then on nothing is written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from duly.execute.means import NONE, Means
from duly.execute.questions import RETRY_SECONDS, ModelPen
from duly.failpoints import failpoint
from duly.model.chat import Paid
from duly.model.errors import InvalidInput, LeaseLost, NotReady
from duly.model.events import Emit, EventType
from duly.model.job import JobState, Word
from duly.model.task import Claimed, Step
from duly.store import blobs, jobs, journal, ledger, waits
from duly.store.database import Database

GATHER_SECONDS = 0.25
GATHER_CHARACTERS = 2048


class Journal(ModelPen):
    """The pen of one attempt, by the handler of this version. `lost` is called once, when the store refuses a
    write of this attempt."""

    # Most attempts write nothing: what they do not change is not made for each.
    _is_lost = False
    _must_leave = False
    _progress: tuple[float, str | None] | None = None
    _parts = 0
    _flushed_at = float("-inf")
    _timer: asyncio.TimerHandle | None = None

    def __init__(
        self,
        database: Database,
        claimed: Claimed,
        *,
        emit: Emit,
        lost: Callable[[], None],
        version: str = "",
        means: Means = NONE,
    ) -> None:
        super().__init__()
        self._database = database
        self._claimed = claimed
        self._version = version
        self._emit = emit
        self._lost = lost
        self._admit = means.admit
        self._models = means.models
        self._lines: list[tuple[EventType, Mapping[str, Any]]] = []
        self._text: list[str] = []
        self._flushing = asyncio.Lock()
        self._background = set()

    async def record(self, step: Step, paid: Paid | None = None) -> None:
        """Remembers a step, and what it cost; returns when both are on stable storage.

        Raises:
            LeaseLost: another attempt owns the task; the step was not kept.
        """
        failpoint("step.before_record")
        claimed = self._claimed
        item = journal.StepRecord(
            id=claimed.id,
            attempt=claimed.attempt,
            step=step,
            version=self._version,
            paid=None if paid is None else ledger.entry(claimed, paid),
        )
        recorded = await self._surely(journal.record_steps, item)
        if paid is not None:
            self._owed.pop((paid.step, paid.n), None)
        self._check(recorded)
        self._emit(
            "step.recorded", task_id=self._claimed.id, step=step.name, n=step.n, duration_ms=step.duration_ms
        )
        failpoint("step.recorded")

    async def wait(self, step: Step, delay_ms: int | None) -> Step:
        """Remembers a wait and answers how it stands.

        Raises:
            LeaseLost: another attempt owns the task.
        """
        claimed = self._claimed
        item = waits.WaitRecord(
            id=claimed.id, attempt=claimed.attempt, step=step, delay_ms=delay_ms, version=self._version
        )
        found: Step | None = await self._surely(waits.wait, item)
        if found is None:
            self._mark_lost()
            raise LeaseLost
        return found

    async def job(self, name: str, n: int, wait: Step, word: Word | None) -> JobState:
        """Tells the store of an external job, and answers how it stands then.

        Raises:
            LeaseLost: another attempt owns the task.
        """
        id_, attempt = self._claimed.id, self._claimed.attempt
        item = jobs.Report(
            id=id_, attempt=attempt, name=name, n=n, wait=wait, word=word, version=self._version
        )
        found: JobState | None = await self._surely(jobs.report, item)
        if found is None:
            self._mark_lost()
            raise LeaseLost
        return found

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        self._check(not self._is_lost)
        while True:
            try:
                return await ask()
            except NotReady as error:
                if self._is_stopped:
                    raise
                self._emit("journal.waiting", task_id=self._claimed.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def leave(self) -> None:
        """The worker stops: the handler shall begin no further step."""
        self._must_leave = True

    async def leaving(self) -> bool:
        """Whether the handler must leave before its next step."""
        return self._must_leave

    async def line(self, type_: EventType, data: Mapping[str, Any]) -> None:
        """Adds a timeline line."""
        self._lines.append((type_, data))
        await self._soon()

    async def progress(self, value: float, message: str | None) -> None:
        """Sets the progress; the latest of a quarter second is written."""
        self._progress = (value, message)
        await self._soon()

    async def text(self, text: str) -> None:
        """Streams output."""
        self._text.append(text)
        await self._soon(now=sum(map(len, self._text)) >= GATHER_CHARACTERS)

    async def blob(self, sha256: str) -> bytes:
        """The bytes of an upload."""
        data: bytes | None = await self._read(blobs.get, sha256)
        if data is None:
            raise InvalidInput(f"there is no upload {sha256}", code="unknown_blob")
        return data

    async def close(self) -> None:
        """Writes what is still gathered; called before the outcome is recorded."""
        self._stop_timer()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._flush()
        self._stop_timer()
        await self.settle()

    def let_go(self) -> None:
        """The attempt is over and hears of nothing more."""
        self._lost = _nobody

    @property
    def idle(self) -> bool:
        """Whether nothing is gathered or being written: then it need not be closed."""
        return self._timer is None and not self._background and not self._gathered and not self.owes

    @property
    def _gathered(self) -> bool:
        return bool(self._lines or self._text) or self._progress is not None

    async def _soon(self, *, now: bool = False) -> None:
        if self._is_lost:
            raise LeaseLost
        loop = asyncio.get_running_loop()
        wait = self._flushed_at + GATHER_SECONDS - loop.time()
        writing = self._flushing.locked()  # the next write follows a quarter second after it
        if now or (wait <= 0 and not writing):
            await self._beside(self._flush())
            self._check(not self._is_lost)
        elif not writing and self._timer is None:
            self._timer = loop.call_later(wait, self._flush_later)

    def _flush_later(self) -> None:
        self._timer = None
        self._beside(self._flush())

    async def _flush(self) -> None:
        async with self._flushing:
            if self._is_lost:
                return
            self._stop_timer()
            loop = asyncio.get_running_loop()
            owned, pause = True, GATHER_SECONDS
            try:
                owned = await self._write_lines() and await self._write_text()
            except NotReady as error:
                self._emit("journal.waiting", task_id=self._claimed.id, error=str(error))
                pause = RETRY_SECONDS
            finally:
                self._flushed_at = loop.time()
            if not owned:
                self._mark_lost()
            elif self._gathered:
                self._timer = loop.call_later(pause, self._flush_later)

    async def _write_lines(self) -> bool:
        if not self._lines and self._progress is None:
            return True
        count, progress = len(self._lines), self._progress
        events = tuple(self._lines[:count])
        if progress is not None:
            events += ((EventType.PROGRESS, {"progress": progress[0], "message": progress[1]}),)
        item = journal.Lines(
            id=self._claimed.id,
            attempt=self._claimed.attempt,
            events=events,
            progress=progress[0] if progress else None,
            message=progress[1] if progress else None,
        )
        owned = await _written(self._database, journal.append, item, self._emit)
        del self._lines[:count]
        if self._progress is progress:
            self._progress = None
        return owned

    async def _write_text(self) -> bool:
        if not self._text:
            return True
        count = len(self._text)
        item = journal.Part(
            id=self._claimed.id,
            attempt=self._claimed.attempt,
            part=self._parts,
            text="".join(self._text[:count]),
        )
        owned = await _written(self._database, journal.stream, item, self._emit)
        self._parts += 1
        del self._text[:count]
        return owned

    def _check(self, owned: bool) -> None:
        if not owned:
            self._mark_lost()
            raise LeaseLost

    def _mark_lost(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._lost()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _nobody() -> None: ...


async def _written(
    database: Database, verb: Callable[..., Any], item: journal.Lines | journal.Part, emit: Emit
) -> bool:
    """Whether the task is still owned. What the database refuses for good is given up: it must cost neither
    the handler's work nor the outcome."""
    try:
        owned: bool = await database.write(verb, item)
    except NotReady:
        raise
    except Exception as error:  # noqa: BLE001 - each driver has its own
        emit("journal.refused", task_id=item.id, verb=verb.__name__, error=repr(error))
        return True
    return owned


def check_line(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data of a timeline line as plain JSON, at most 16 KB."""
    from duly.model import wire

    text = wire.dumps(dict(data), what="a log line's fields")
    if len(text) > 16_384:
        raise InvalidInput(
            "a timeline line may hold at most 16 KB; keep larger things in a step or the result"
        )
    plain: Mapping[str, Any] = json.loads(text)
    return plain
