"""The verbs with which a running attempt writes: steps, timeline lines, streamed output. All fenced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from duly.model.events import EventType
from duly.model.task import Step
from duly.store import bodies, ledger
from duly.store.transaction import Transaction, compact


class Fenced(Protocol):
    """A write that names the task and the attempt that it belongs to."""

    @property
    def id(self) -> str: ...

    @property
    def attempt(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step's value (JSON text), to be remembered for all later attempts, and whose code it is: from then on
    the task is this version's. None leaves that as it is."""

    id: str
    attempt: int
    step: Step
    version: str | None = None
    #: What the ledger is told, if it is the answer of a model.
    paid: ledger.Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Timeline lines of one attempt as (type, data), and perhaps its progress (0..1) and message."""

    id: str
    attempt: int
    events: tuple[tuple[EventType, Mapping[str, Any]], ...] = ()
    progress: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One chunk of streamed output."""

    id: str
    attempt: int
    part: int
    text: str


@dataclass(slots=True)
class Timeline:
    """The numbers that one batch takes from one task."""

    id: str
    attempt: int
    seq: int
    progress: float | None = None
    message: str | None = None
    version: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, type_: EventType, data: Mapping[str, Any]) -> None:
        self.seq += 1
        self.rows.append({"id": self.id, "seq": self.seq, "type": type_, "data": compact(data)})


def record_steps(tx: Transaction, items: Sequence[StepRecord]) -> list[bool]:
    """Remembers each step once, the first value stands; False means *lease lost*, and nothing of it is kept
    but that it was paid for."""
    timelines, owned = fence(tx, items)
    enter = [ledger.kept(item.paid, mine) for item, mine in zip(items, owned, strict=True) if item.paid]
    ledger.enter(tx, enter)
    first: dict[tuple[str, str, int], StepRecord] = {}
    for item, mine in zip(items, owned, strict=True):
        if mine:
            first.setdefault((item.id, item.step.name, item.step.n), item)
    inserted = tx.run("steps", [_step_row(item) for item in first.values()]) if first else []
    new = [first[id_, name, n] for id_, name, n in inserted]
    for item in new:
        timelines[item.id].add(EventType.STEP, _step_line(item))
        timelines[item.id].version = item.version
    bodies.keep(tx, [(item.id, step_kind(item.step), item.step.value) for item in new])
    write(tx, timelines.values())
    return owned


def _step_line(item: StepRecord) -> dict[str, Any]:
    step = item.step
    return {"name": step.name, "n": step.n, "attempt": item.attempt, "duration_ms": step.duration_ms}


def step_kind(step: Step) -> str:
    """The kind under which a step's value is kept among the task's bodies."""
    return value_kind(step.name, step.n)


def value_kind(name: str, n: int) -> str:
    """`step_kind` of the step with this name and number."""
    return f"step/{name}/{n}"


def _step_row(item: StepRecord) -> dict[str, Any]:
    step = item.step
    row = {"id": item.id, "attempt": item.attempt, "name": step.name, "n": step.n}
    return {**row, "digest": step.digest, "duration_ms": step.duration_ms}


def append(tx: Transaction, items: Sequence[Lines]) -> list[bool]:
    """Adds timeline lines and the latest progress; False means *lease lost*."""
    timelines, owned = fence(tx, items)
    for item, mine in zip(items, owned, strict=True):
        if not mine:
            continue
        timeline = timelines[item.id]
        for type_, data in item.events:
            timeline.add(type_, data)
        if item.progress is not None:
            timeline.progress, timeline.message = item.progress, item.message
    write(tx, timelines.values())
    return owned


def stream(tx: Transaction, items: Sequence[Part]) -> list[bool]:
    """Keeps chunks of streamed output; False means *lease lost*."""
    _, owned = fence(tx, items)
    tx.run(
        "partials",
        [
            {"id": item.id, "attempt": item.attempt, "part": item.part, "text": item.text}
            for item, mine in zip(items, owned, strict=True)
            if mine
        ],
    )
    return owned


def fence(tx: Transaction, items: Sequence[Fenced]) -> tuple[dict[str, Timeline], list[bool]]:
    """The timelines of the tasks that these writes still own, now locked; and which of the writes do."""
    pairs = list(dict.fromkeys((item.id, item.attempt) for item in items))
    rows = tx.run("fence", [{"id": id_, "attempt": attempt} for id_, attempt in pairs])
    timelines = {row[0]: Timeline(*row) for row in rows}
    owned = [item.id in timelines and timelines[item.id].attempt == item.attempt for item in items]
    return timelines, owned


def write(tx: Transaction, timelines: Iterable[Timeline]) -> None:
    """Writes what these timelines have become, if it is anything new."""
    changed = [one for one in timelines if one.rows or (one.progress, one.version) != (None, None)]
    if not changed:
        return
    if rows := [row for one in changed for row in one.rows]:
        tx.run("events", rows)
    tx.run(
        "touch",
        [
            {
                "id": one.id,
                "attempt": one.attempt,
                "seq": one.seq,
                "progress": one.progress,
                "message": one.message,
                "version": one.version,
            }
            for one in changed
        ],
    )
