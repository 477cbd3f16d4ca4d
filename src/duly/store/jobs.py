"""External jobs: what the attempt that tracks one tells of it, and the callbacks that vendors send.

A job's wait is a step that waits for a signal of the job's own name, with a due time that moves from poll to
poll. The final answer is such a signal, whether a poll brought it or a callback: the first one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.failpoints import failpoint
from duly.model.events import EventType
from duly.model.job import Answered, Heard, JobState, Opened, Polled, Submitted, Word, signal_name
from duly.model.task import Step
from duly.store import schema
from duly.store.journal import Lines, StepRecord, append, fence, record_steps, write
from duly.store.signals import Signal, signal
from duly.store.transaction import Transaction
from duly.store.transitions import facts

_JOB, _STEP, _SIGNAL = schema.job.c, schema.step.c, schema.signal.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What attempt `attempt` of a task, by a handler of this version, says of the job (`name`, `n`) that it
    tracks; None: it only asks."""

    id: str
    attempt: int
    name: str
    n: int
    wait: Step
    word: Word | None = None
    version: str | None = None


class Callback(NamedTuple):
    """The place that a secret opens."""

    task_id: str
    name: str
    n: int
    secret_hash: str


class CalledBack(NamedTuple):
    """What a vendor said at that place, as JSON text. The same words again are the same callback."""

    at: Callback
    data: str


def report(tx: Transaction, items: Sequence[Report]) -> list[JobState | None]:
    """Keeps what is said and answers how the job stands then; said again, it changes nothing more. None
    means *lease lost*."""
    _, owned = fence(tx, items)
    return [_told(tx, item) if mine else None for item, mine in zip(items, owned, strict=True)]


def _told(tx: Transaction, item: Report) -> JobState:
    state = _state(tx, item)
    if item.word is None or state.step.taken is not None:  # what has ended, ended as it did
        return state
    match item.word:
        case Opened(secret_hash):
            _open(tx, item, secret_hash)
        case Submitted() as word if not state.external_id:
            _submitted(tx, item, word)
        case Polled() as word:
            _polled(tx, item, word, state)
        case Answered(value):
            _end(tx, item, _kept(tx, item, value), state, by="poll")
        case Heard(n, final):
            _heard(tx, item, n, state, final=final)
    return _state(tx, item)


def _state(tx: Transaction, item: Report) -> JobState:
    query = sa.select(_JOB.external_id, _JOB.polls, _JOB.failures).where(*_its_job(item))
    external_id, polls, failures = tx.core.execute(query).one_or_none() or ("", 0, 0)
    step, callback = item.wait, None
    row = tx.core.execute(sa.select(_STEP.due_at, _STEP.taken).where(*_its_wait(item))).one_or_none()
    if row is not None:
        step = step._replace(due_at=row.due_at, taken=row.taken)
    theirs = (_SIGNAL.task_id == item.id, _SIGNAL.name == item.wait.waits_for)
    said = sa.select(_SIGNAL.n, _SIGNAL.data).where(*theirs)
    if step.taken:
        step = step._replace(value=tx.core.execute(said.where(_SIGNAL.n == step.taken)).one().data)
    elif step.taken is None:
        callback = tx.core.execute(said.where(_SIGNAL.taken_at.is_(None)).order_by(_SIGNAL.n)).first()
    state = JobState(step, tx.now, tx.terms.public_url, external_id, polls, failures)
    return state if callback is None else state._replace(callback=(callback.n, callback.data))


def _its_job(item: Report) -> tuple[Any, ...]:
    here = (_JOB.task_id == item.id, _JOB.name == item.name, _JOB.n == item.n)
    return (*here, _JOB.external_id.is_not(None))


def _its_wait(item: Report) -> tuple[Any, ...]:
    return (_STEP.task_id == item.id, _STEP.name == item.wait.name, _STEP.n == item.wait.n)


def _open(tx: Transaction, item: Report, secret_hash: str) -> None:
    """Before the submit: a callback is known from the first moment, whoever submits once more."""
    row = {"task_id": item.id, "name": item.name, "n": item.n, "attempt": item.attempt}
    here = [schema.job.c[name] == value for name, value in row.items()]
    if tx.core.execute(sa.select(_JOB.n).where(*here)).first() is None:
        values = {**row, "secret_hash": secret_hash, "created_at": tx.now}
        tx.core.execute(sa.insert(schema.job).values(values))
        timelines, _ = fence(tx, [item])
        timelines[item.id].version = item.version
        write(tx, timelines.values())


def _submitted(tx: Transaction, item: Report, word: Submitted) -> None:
    """The id and the wait are kept together: what is waited for is known, and is never submitted again."""
    record = StepRecord(id=item.id, attempt=item.attempt, step=word.step, version=item.version)
    record_steps(tx, [record])
    failpoint("store.half_written")
    ends = word.due_at if word.timeout_ms is None else tx.now + word.timeout_ms
    due_at = tx.now + word.delay_ms
    row = {"id": item.id, "attempt": item.attempt, "name": item.wait.name, "n": item.wait.n}
    row |= {"digest": item.wait.digest, "duration_ms": 0, "waits_for": item.wait.waits_for}
    tx.run("steps", [{**row, "due_at": due_at if ends is None else min(due_at, ends)}])
    mine = (*_its_job(item)[:3], _JOB.attempt == item.attempt)
    values = {"external_id": word.external_id, "deadline_at": ends}
    tx.core.execute(sa.update(schema.job).where(*mine).values(values))
    _tell(tx, item, "submitted", word.external_id)


def _polled(tx: Transaction, item: Report, word: Polled, state: JobState) -> None:
    """The next poll is due later, the last one at the deadline; after that the wait is over. A callback that
    has come is heard first."""
    if word.number != state.polls + 1:
        return
    failures = 0 if word.error is None else state.failures + 1
    values = {"polls": word.number, "failures": failures, "error": word.error}
    tx.core.execute(sa.update(schema.job).where(*_its_job(item)).values(values))
    if failures == 1:
        _tell(tx, item, "poll_failed", state.external_id, error=word.error)
    deadline = tx.core.execute(sa.select(_JOB.deadline_at).where(*_its_job(item))).scalar()
    if deadline is not None and deadline <= tx.now:
        if state.callback is None:
            _end(tx, item, 0, state)
        return
    due_at = tx.now + word.delay_ms
    due_at = due_at if deadline is None else min(due_at, deadline)
    tx.core.execute(sa.update(schema.step).where(*_its_wait(item)).values(due_at=due_at))


def _kept(tx: Transaction, item: Report, value: str) -> int:
    """The number of the poll's answer among the task's signals; it is taken as it comes."""
    last = tx.core.execute(sa.select(sa.func.max(_SIGNAL.n)).where(_SIGNAL.task_id == item.id)).scalar()
    n = (last or 0) + 1
    row = {"task_id": item.id, "n": n, "name": item.wait.waits_for, "id": f"{item.wait.waits_for}/poll"}
    values = {**row, "data": value, "created_at": tx.now, "taken_at": tx.now}
    tx.core.execute(sa.insert(schema.signal).values(values))
    return n


def _heard(tx: Transaction, item: Report, n: int, state: JobState, *, final: bool) -> None:
    it = (_SIGNAL.task_id == item.id, _SIGNAL.n == n, _SIGNAL.taken_at.is_(None))
    if tx.core.execute(sa.update(schema.signal).where(*it).values(taken_at=tx.now)).rowcount == 0:
        return
    if final:
        _end(tx, item, n, state, by="callback")
    else:
        _tell(tx, item, "not_final", state.external_id, n=n)


def _end(tx: Transaction, item: Report, taken: int, state: JobState, **by: str) -> None:
    tx.core.execute(sa.update(schema.step).where(*_its_wait(item)).values(taken=taken))
    did = "answered" if taken else "timed_out"
    _tell(tx, item, did, state.external_id, **by, polls=state.polls + (by.get("by") == "poll"))


def _tell(tx: Transaction, item: Report, did: str, external_id: str, **more: Any) -> None:
    data: Mapping[str, Any] = {"name": item.name, "did": did, "external_id": external_id, **more}
    append(tx, [Lines(id=item.id, attempt=item.attempt, events=((EventType.JOB, data),))])


def callbacks(tx: Transaction, id_: str) -> list[Callback]:
    """All places where a vendor may tell this task something."""
    query = sa.select(_JOB.task_id, _JOB.name, _JOB.n, _JOB.secret_hash).where(_JOB.task_id == id_)
    return [Callback(*row) for row in tx.core.execute(query)]


def called_back(tx: Transaction, items: Sequence[CalledBack]) -> list[bool]:
    """Keeps what was called back and wakes who waits for it; False: the job, or its task, is over."""
    names = [signal_name(item.at.name, item.at.n) for item in items]
    ids = sorted({item.at.task_id for item in items})
    facts(tx, ids)  # locks, so that none of these jobs ends meanwhile
    over = sa.select(_STEP.task_id, _STEP.waits_for).where(_STEP.task_id.in_(ids), _STEP.taken.is_not(None))
    ended = {tuple(row) for row in tx.core.execute(over)}
    open_ = [(item.at.task_id, name) not in ended for item, name in zip(items, names, strict=True)]
    said = [_signal(item, name) for item, name, is_open in zip(items, names, open_, strict=True) if is_open]
    kept = iter(signal(tx, said) if said else [])
    return [is_open and next(kept).kept for is_open in open_]


def _signal(item: CalledBack, name: str) -> Signal:
    return Signal(item.at.task_id, name, f"{name}/{sha256(item.data.encode()).hexdigest()}", item.data)


def open_jobs(tx: Transaction, id_: str) -> list[dict[str, Any]]:
    """The jobs that the task waits for: name, external_id, polls, failures, error, due_at, deadline_at."""
    columns = (_JOB.name, _JOB.n, _JOB.external_id, _JOB.polls, _JOB.failures, _JOB.error, _JOB.deadline_at)
    query = sa.select(*columns).where(_JOB.task_id == id_, _JOB.external_id.is_not(None))
    waits = sa.select(_STEP.waits_for, _STEP.due_at).where(_STEP.task_id == id_, _STEP.taken.is_(None))
    due = {row.waits_for: row.due_at for row in tx.core.execute(waits) if row.waits_for}
    found = [dict(row) for row in tx.core.execute(query.order_by(_JOB.name, _JOB.n)).mappings()]
    return [
        {**job, "due_at": due[name]}
        for job in found
        if (name := signal_name(job["name"], job.pop("n"))) in due
    ]
