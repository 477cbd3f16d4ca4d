"""The one place that moves a task from state to state: checked against the table of `model.state`,
fenced, numbered, with its timeline and its deliveries, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from duly.failpoints import failpoint
from duly.model.errors import StateConflict
from duly.model.events import EventType
from duly.model.state import RETRYABLE, Status, allowed
from duly.store import bodies
from duly.store.limits import give_back
from duly.store.owed import owe
from duly.store.transaction import Transaction, compact


class Facts(NamedTuple):
    """What a decision about a task rests on, read under the write lock: a row of `facts.sql`."""

    id: str
    status: Status
    attempt: int
    seq: int
    retry_count: int
    cancel_requested_at: int | None
    deadline_at: int | None
    worker_id: str | None
    loss_count: int
    deaths: int
    suspect: int
    due_at: int | None
    parent_id: str | None = None
    holds: str | None = None
    unique_key: str | None = None


def facts(tx: Transaction, ids: Sequence[str]) -> dict[str, Facts]:
    """The facts of the tasks that exist, by id. Their parents are locked too, for they may be woken."""
    asked = dict.fromkeys(ids)
    found = tx.run("facts", asked)
    return {id_: Facts(id_, Status(status), *rest) for id_, status, *rest in found if id_ in asked}


class Change(NamedTuple):
    """One task's move from the state that was read to `target`, and the event that tells of it, if one does.

    `death`: 1 when its process died, whoever killed it; `loss`: 1 when nobody else can have been it.
    `suspect`: how many may share its next process; None leaves a pending task's suspicion as it is.
    """

    facts: Facts
    target: Status
    event: EventType | None
    data: Mapping[str, Any] | None = None
    outcome: str | None = None
    due_at: int | None = None
    wait_kind: str | None = None
    charge: int = 0
    loss: int = 0
    death: int = 0
    suspect: int | None = None
    error_code: str | None = None
    error: str | None = None
    exhausted: bool = False
    reset: bool = False


def apply(tx: Transaction, changes: Sequence[Change]) -> None:
    """Writes the changes, at most one per task: timeline, task, attempt, partial output, deliveries, and what
    follows for its family: a parent that waited for no more than this is woken.

    Raises:
        StateConflict: the table of states does not allow a change; nothing is written.
    """
    for change in changes:
        if not allowed(change.facts.status, change.target):
            raise StateConflict(f"a {change.facts.status} task cannot become {change.target}")
    if changes:
        if events := [_event(change) for change in changes if change.event is not None]:
            tx.run("events", events)
        failpoint("store.half_written")
        _move(tx, changes)
        give_back(tx, [one.facts.holds for one in changes if one.facts.status is Status.RUNNING])
        _follow(tx, changes)


def _follow(tx: Transaction, changes: Sequence[Change]) -> None:
    """What the changes lead to. The supervising parent, which has no SQLAlchemy, notes what it ended: a
    worker tells the families."""
    waited = [change.facts for change in changes if _waits(change)]
    if waited:
        tx.run("rounds", [{"id": one.id, "attempt": one.attempt} for one in waited])
    if tx.core is None:
        ended = [{"id": change.facts.id} for change in changes if change.target.terminal]
        if ended:
            tx.run("bereft", ended)
        return
    from duly.store.rounds import shorten

    shorten(tx, [(one.id, one.attempt) for one in waited])
    _tell_family(tx, changes)


def _tell_family(tx: Transaction, changes: Sequence[Change]) -> None:
    """Ends and new beginnings are told to the parents, and an end that was no success is noted for the
    children."""
    from duly.store import family

    turned = [change for change in changes if change.target.terminal is not change.facts.status.terminal]
    family.note(tx, {change.facts.id: change.target for change in turned})
    tell_parents(tx, [(change.facts, change.target) for change in turned])


def tell_parents(tx: Transaction, turned: Sequence[tuple[Facts, Status]]) -> None:
    """Counts children that have turned so, each once however often it is told, and wakes parents that waited
    for no more than this. Their rows have been locked with the tasks' own, and are read now, not then."""
    from duly.store import family

    turns = [
        family.Turn(one.parent_id, one.id, status) for one, status in turned if one.parent_id is not None
    ]
    if over := family.count(tx, turns) if turns else {}:
        waiting = [one for one in facts(tx, list(over)).values() if one.status is Status.WAITING]
        apply(tx, [_woken(one, over[one.id]) for one in waiting])


def _woken(one: Facts, gather: str) -> Change:
    return Change(facts=one, target=Status.PENDING, event=EventType.WOKEN, data={"name": gather})


def _waits(change: Change) -> bool:
    """Whether this ends a round in a wait, if only for the moment until it is seen to be over."""
    woken = change.event is EventType.WOKEN and change.facts.status is Status.RUNNING
    return woken or change.target is Status.WAITING


def _move(tx: Transaction, changes: Sequence[Change]) -> None:
    rows = [_row(tx, change) for change in changes]
    if rows:
        ended = [row["id"] for row in rows if row["completed_at"] is not None]
        back = any(change.target is Status.PENDING for change in changes)
        places = tx.heads.known(tx) if back else {}
        kept = {"retention": tx.terms.retention_ms}
        tx.run("transition", rows, ids=[row["id"] for row in rows], ended=ended, places=places, **kept)
        owe(tx, ended)
        without = [one.facts for one in changes if one.target in RETRYABLE]
        bodies.keep(tx, [(one.id, bodies.UNIQUE, one.unique_key) for one in without])


def _event(change: Change) -> dict[str, Any]:
    data = compact(change.data or {})
    return {"id": change.facts.id, "seq": change.facts.seq + 1, "type": change.event, "data": data}


def _row(tx: Transaction, change: Change) -> dict[str, Any]:
    before = change.facts
    ended = change.target.terminal
    due_at = change.due_at
    if change.target is Status.PENDING and not change.reset:
        due_at = before.deadline_at
    return {
        "id": before.id,
        "attempt": before.attempt,
        "source": before.status,
        "status": change.target,
        "outcome": change.outcome or change.target,
        "seq": before.seq + (change.event is not None),
        "due_at": due_at,
        "wait_kind": change.wait_kind,
        "retry_count": 0 if change.reset else before.retry_count + change.charge,
        "exhausted": int(change.exhausted),
        "loss_count": 0 if change.reset else before.loss_count + change.loss,
        "deaths": _deaths(change),
        "suspect": _suspect(change),
        "error_code": change.error_code,
        "error": change.error,
        "completed_at": tx.now if ended else None,
        "reset": int(change.reset),
    }


def _deaths(change: Change) -> int:
    """Those in a row: an attempt that ended by itself breaks it; one that was handed back showed nothing."""
    return change.facts.deaths + change.death if change.target is Status.PENDING else 0


def _suspect(change: Change) -> int:
    """An attempt that ended, in whatever way, killed nothing; one that was handed back showed nothing."""
    if change.suspect is not None:
        return change.suspect
    if change.reset:  # an operator's word does not make a task that killed a harmless one
        return int(change.facts.loss_count > 0)
    return change.facts.suspect if change.target is Status.PENDING else 0
