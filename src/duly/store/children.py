"""The verbs of a parent: spawn a child, wait for some, remember how they ended; and what passes an end on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.model.task import Step, Submission
from duly.store import bodies, schema, submissions
from duly.store.family import FAILED, WELL
from duly.store.journal import StepRecord, Timeline, fence, record_steps, step_kind, write
from duly.store.transaction import Transaction
from duly.store.transitions import facts, tell_parents

_CHILD, _STEP, _TASK, _BEREFT = schema.child.c, schema.step.c, schema.task.c, schema.bereft.c
_DATA = schema.task_data.c
UNWELL = (Status.FAILED, Status.CANCELLED)
ENDED = (Status.COMPLETED, *UNWELL)
#: Ids that one statement names.
AT_ONCE = 500
#: Children that one call tells of their parent's end.
PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Children that a handler of this version asks for: a step whose value is their ids, and what is
    submitted."""

    id: str
    attempt: int
    step: Step
    children: tuple[Submission, ...]
    version: str | None = None

    @property
    def input(self) -> str:
        """All their inputs: what the write weighs."""
        return "".join(child.input for child in self.children)


def spawn(tx: Transaction, items: Sequence[Spawn]) -> list[bool]:
    """Remembers and accepts the children of each step, all or none, under ids that were chosen before; sent
    again it finds the same children. False means *lease lost*."""
    owned = record_steps(tx, [_record(item) for item in items])
    mine = [item for item, is_mine in zip(items, owned, strict=True) if is_mine]
    if mine:
        submissions.accept(tx, [child for item in mine for child in item.children])
        _adopt(tx, mine)
    return owned


def _record(item: Spawn) -> StepRecord:
    return StepRecord(id=item.id, attempt=item.attempt, step=item.step, version=item.version)


def _adopt(tx: Transaction, items: Iterable[Spawn]) -> None:
    theirs: dict[str, list[str]] = defaultdict(list)
    for item in items:
        theirs[item.id] += [child.id for child in item.children]
    for parent, children in theirs.items():
        for some in _parts(children):
            tx.core.execute(sa.update(schema.task).where(_TASK.id.in_(some)).values(parent_id=parent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """A wait of a handler of this version for children to end; with an eager step until one of them fails."""

    id: str
    attempt: int
    step: Step
    children: tuple[str, ...]
    version: str | None = None


def gather(tx: Transaction, items: Sequence[Gather]) -> list[Step | None]:
    """Remembers each gather once and answers how it stands. None means *lease lost*.

    From here on each child that ends is counted, so that nobody looks through them again.

    Raises:
        InvalidInput: one of them is a task, but no child of this one.
    """
    timelines, owned = fence(tx, items)
    stand: list[Step | None] = []
    for item, is_mine in zip(items, owned, strict=True):
        stand.append(_standing(tx, item, timelines[item.id]) if is_mine else None)
    write(tx, timelines.values())
    return stand


def _standing(tx: Transaction, item: Gather, timeline: Timeline) -> Step:
    step = item.step
    here = (_STEP.task_id == item.id, _STEP.name == step.name, _STEP.n == step.n)
    query = sa.select(_STEP.children, _STEP.eager, _STEP.taken).where(*here)
    row = tx.core.execute(query).one_or_none()
    if row is None:
        row = _begin(tx, item)
        timeline.version = item.version
    children, eager, taken = row
    return step._replace(children=children, eager=eager, taken=taken)


def _begin(tx: Transaction, item: Gather) -> tuple[int, int, int | None]:
    """The parent's row is locked: a child that ends meanwhile waits, then finds where it counts."""
    step, ends = item.step, _ends(tx, item)
    left = sum(outcome is None for outcome in ends.values())
    eager = int(bool(step.eager))
    failed = any(outcome in UNWELL for outcome in ends.values())
    taken = (FAILED if failed else WELL) if left == 0 or (eager and failed) else None
    here = {"task_id": item.id, "name": step.name, "n": step.n}
    row = {**here, "attempt": item.attempt, "digest": step.digest, "duration_ms": 0, "created_at": tx.now}
    row |= {"waits_for": "", "taken": taken, "children": left, "eager": eager}
    tx.core.execute(sa.insert(schema.step), row)
    if ends:
        each = [{**here, "child_id": id_, "outcome": outcome} for id_, outcome in ends.items()]
        tx.core.execute(sa.insert(schema.child), each)
    return left, eager, taken


def _ends(tx: Transaction, item: Gather) -> dict[str, str | None]:
    """How each of the children ended; None: it has not. One that is gone counts as failed."""
    ends: dict[str, str | None] = {}
    for some in _parts(item.children):
        query = sa.select(_TASK.id, _TASK.status).where(_TASK.id.in_(some), _TASK.parent_id == item.id)
        ends |= {id_: status if status in ENDED else None for id_, status in tx.core.execute(query)}
    missing = [id_ for id_ in item.children if id_ not in ends]
    for some in _parts(missing):
        strange = tx.core.execute(sa.select(_TASK.id).where(_TASK.id.in_(some)).limit(1)).scalar()
        if strange is not None:
            raise InvalidInput(f"a task gathers its own children only; {strange} is none of {item.id}")
    return ends | dict.fromkeys(missing, Status.FAILED)


def answer(tx: Transaction, items: Sequence[StepRecord]) -> list[bool]:
    """Remembers what a gather that is over answers, for all later rounds; False means *lease lost*."""
    _, owned = fence(tx, items)
    mine = [item for item, is_mine in zip(items, owned, strict=True) if is_mine]
    bodies.keep(tx, [(item.id, step_kind(item.step), item.step.value) for item in mine])
    return owned


def outcomes(
    tx: Transaction, parent: str, ids: Sequence[str], *, results: bool = True
) -> list[dict[str, Any]]:
    """How these children of a task stand, in this order: id, status, result if it is asked for, error_code,
    error, ended_at."""
    found: dict[str, dict[str, Any]] = {}
    columns = (_TASK.id, _TASK.status, _TASK.error_code, _TASK.error, _TASK.completed_at.label("ended_at"))
    for some in _parts(ids):
        query = sa.select(*columns).where(_TASK.id.in_(some), _TASK.parent_id == parent)
        found |= {row["id"]: dict(row) for row in tx.core.execute(query).mappings()}
        for id_, result in _results(tx, some) if results else ():
            found[id_]["result"] = json.loads(result)
    return [found[id_] for id_ in ids if id_ in found]


def _results(tx: Transaction, ids: Sequence[str]) -> list[tuple[str, str]]:
    query = sa.select(_DATA.task_id, _DATA.text, _DATA.data).where(_DATA.task_id.in_(ids))
    parts: dict[str, list[tuple[str | None, bytes | None]]] = defaultdict(list)
    for id_, text, data in tx.core.execute(
        query.where(_DATA.kind == "result").order_by(_DATA.task_id, _DATA.part)
    ):
        parts[id_].append((text, data))
    return [(id_, bodies.join(some) or "null") for id_, some in parts.items()]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as a statement may name."""
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


class PassOn(NamedTuple):
    """An ended task whose children behind `after` are to be told."""

    id: str
    after: str = ""


def bereft(tx: Transaction, limit: int = 50) -> list[str]:
    """Tasks that failed or were cancelled, whose living children do not know yet; and all that a supervising
    parent ended."""
    return list(tx.core.execute(sa.select(_BEREFT.task_id).limit(limit)).scalars())


def pass_on(tx: Transaction, items: Sequence[PassOn]) -> list[str | None]:
    """Tells each one's parent, and cancels the next of its living children if it did not succeed; answers the
    last one looked at, None when all were.

    An operator may have given the parent another run meanwhile: then its children stay as they are.
    """
    known = facts(tx, [item.id for item in items])
    tell_parents(tx, [(one, one.status) for one in known.values() if one.status.terminal])
    return [_pass_on(tx, item, known[item.id].status) if item.id in known else None for item in items]


def _pass_on(tx: Transaction, item: PassOn, status: Status) -> str | None:
    if status not in UNWELL:
        _forget(tx, item.id)
        return None
    query = sa.select(_TASK.id, _TASK.status).where(_TASK.parent_id == item.id, _TASK.id > item.after)
    rows = tx.core.execute(query.order_by(_TASK.id).limit(PAGE)).all()
    living = [id_ for id_, status in rows if status not in ENDED]
    if living:
        submissions.cancel(tx, living)
    if len(rows) == PAGE:
        return str(rows[-1][0])
    _forget(tx, item.id)
    return None


def _forget(tx: Transaction, id_: str) -> None:
    tx.core.execute(sa.delete(schema.bereft).where(_BEREFT.task_id == id_))
