"""What a running attempt writes: steps at once and surely, everything else gathered for a quarter second.

All of it is fenced. The first refused write marks the journal as lost; from then on nothing is written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from duly.failpoints import failpoint
from duly.model.errors import InvalidInput, LeaseLost, NotReady
from duly.model.events import Emit, EventType
from duly.model.state import Status
from duly.model.task import Claimed, Step, Submission
from duly.store import blobs, children, items, journal, submissions, waits
from duly.store.database import Database
from duly.store.items import Item
from duly.store.writer import Verb

GATHER_SECONDS = 0.25
GATHER_CHARACTERS = 2048
RETRY_SECONDS = 0.5


#: Makes what is submitted of a child's type, input and options.
Admit = Callable[[str, Any, Mapping[str, Any]], Submission]


def no_children(task_type: str, *_: Any) -> Submission:
    """Refuses them, where nothing says what they are made of."""
    raise InvalidInput(f"nothing can be submitted here: {task_type}")


class Journal:
    """The pen of one attempt. `lost` is called once, when the store refuses a write of this attempt."""

    # Most attempts write nothing: what they do not change is not made for each.
    _is_lost = False
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
        admit: Admit = no_children,
    ) -> None:
        self._database = database
        self._claimed = claimed
        self._emit = emit
        self._lost = lost
        self._admit = admit
        self._lines: list[tuple[EventType, Mapping[str, Any]]] = []
        self._text: list[str] = []
        self._flushing = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    async def record(self, step: Step) -> None:
        """Remembers a step; returns when it is on stable storage.

        Raises:
            LeaseLost: another attempt owns the task; the step was not kept.
        """
        failpoint("step.before_record")
        item = journal.StepRecord(id=self._claimed.id, attempt=self._claimed.attempt, step=step)
        self._check(await self._surely(journal.record_steps, item))
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
        item = waits.WaitRecord(id=claimed.id, attempt=claimed.attempt, step=step, delay_ms=delay_ms)
        found: Step | None = await self._surely(waits.wait, item)
        if found is None:
            self._mark_lost()
            raise LeaseLost
        return found

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str:
        """Submits a child as a remembered step; answers its id, which is fixed before.

        Raises:
            InvalidInput: the child cannot be accepted.
            LeaseLost: another attempt owns the task; there is no child.
        """
        claimed = self._claimed
        child = self._admit(task_type, input_, {"owner": claimed.owner, "tenant": claimed.tenant, **options})
        step = replace(step, value=json.dumps(child.id))
        item = children.Spawn(id=claimed.id, attempt=claimed.attempt, step=step, child=child)
        failpoint("spawn.before_record")
        self._check(await self._surely(children.spawn, item))
        self._emit("task.spawned", task_id=child.id, task_type=task_type, parent_id=claimed.id)
        failpoint("spawn.recorded")
        return child.id

    async def gather(self, step: Step, ids: tuple[str, ...]) -> Step:
        """Remembers a wait for children and answers how it stands.

        Raises:
            InvalidInput: one of them is not the task's child.
            LeaseLost: another attempt owns the task.
        """
        claimed = self._claimed
        item = children.Gather(id=claimed.id, attempt=claimed.attempt, step=step, children=ids)
        found: Step | None = await self._surely(children.gather, item)
        self._check(found is not None)
        return found or step

    async def ends(self, step: Step, ids: tuple[str, ...], cancel: bool) -> str:
        """Remembers how the children of a gather that is over have ended, as JSON; the living ones are
        told to stop if asked so."""
        claimed = self._claimed
        ends = await self._database.read(children.outcomes, claimed.id, ids)
        living = [one["id"] for one in ends if not Status(one["status"]).terminal]
        if cancel and living:
            await self._database.write_many(submissions.cancel, living)
        told = json.dumps(ends, ensure_ascii=False)
        record = replace(step, value=told)
        item = journal.StepRecord(id=claimed.id, attempt=claimed.attempt, step=record)
        self._check(await self._surely(children.answer, item))
        return told

    async def items(self, name: str, after: int) -> list[Item]:
        """What is known of a map's items behind number `after`: a page of them."""
        return await self._database.read(items.items, self._claimed.id, name, after)

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None:
        """Remembers what became of items.

        Raises:
            LeaseLost: another attempt owns the task; nothing was kept.
        """
        claimed = self._claimed
        batch = items.Items(id=claimed.id, attempt=claimed.attempt, name=name, items=some, progress=progress)
        failpoint("items.before_record")
        self._check(await self._surely(items.record_items, batch))
        failpoint("items.recorded")

    async def _surely(self, verb: Verb, item: Any) -> Any:
        """Writes, however long the database cannot be used."""
        self._check(not self._is_lost)
        while True:
            try:
                return await self._database.write(verb, item)
            except NotReady as error:
                self._emit("journal.waiting", task_id=self._claimed.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

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
        data = await self._database.read(blobs.get, sha256)
        if data is None:
            raise InvalidInput(f"there is no upload {sha256}", code="unknown_blob")
        return data

    async def close(self) -> None:
        """Writes what is still gathered; called before the outcome is recorded."""
        self._stop_timer()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._flush()

    def let_go(self) -> None:
        """The attempt is over and hears of nothing more."""
        self._lost = _nobody

    @property
    def idle(self) -> bool:
        """Whether nothing is gathered or being written: then it need not be closed."""
        gathered = self._lines or self._text or self._progress is not None
        return self._timer is None and not self._background and not gathered

    async def _soon(self, *, now: bool = False) -> None:
        if self._is_lost:
            raise LeaseLost
        loop = asyncio.get_running_loop()
        wait = self._flushed_at + GATHER_SECONDS - loop.time()
        if now or wait <= 0:
            await self._flush()
            self._check(not self._is_lost)
        elif self._timer is None:
            self._timer = loop.call_later(wait, self._flush_later)

    def _flush_later(self) -> None:
        self._timer = None
        task = asyncio.create_task(self._flush())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _flush(self) -> None:
        async with self._flushing:
            if self._is_lost:
                return
            self._stop_timer()
            self._flushed_at = asyncio.get_running_loop().time()
            try:
                owned = await self._write_lines() and await self._write_text()
            except NotReady as error:
                self._emit("journal.waiting", task_id=self._claimed.id, error=str(error))
                return
            if not owned:
                self._mark_lost()

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
        owned: bool = await self._database.write(journal.append, item)
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
        owned: bool = await self._database.write(journal.stream, item)
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
