"""The verb of a bulk job: a part of its tasks is acted on, and remembered as a step, in one transaction.

So a death loses and doubles no part: either nothing was done, or the step says what was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from duly.model.errors import LeaseLost
from duly.model.state import Status
from duly.model.task import Step
from duly.store import bodies, bulk, schema
from duly.store.bulk import Chosen, Moving
from duly.store.journal import StepRecord, record_steps, step_kind
from duly.store.lists import Filter
from duly.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A part of a job: the tasks, what is done to them, and the step that remembers it."""

    id: str
    attempt: int
    step: Step
    action: str
    chosen: Chosen
    to: Mapping[str, Any]


def act(tx: Transaction, items: Sequence[Deed]) -> list[str]:
    """What each step remembers: {"looked", "changed", "last"} as JSON. Sent again it does nothing.

    Raises:
        LeaseLost: another attempt owns the job; nothing was done.
    """
    return [_known(tx, item) or _act(tx, item) for item in items]


def _known(tx: Transaction, item: Deed) -> str | None:
    """What was remembered: the commit of an earlier call was not heard of."""
    return bodies.join(tx.run("body", id=item.id, kind=step_kind(item.step)))


def _act(tx: Transaction, item: Deed) -> str:
    """The tasks come first: their ids are older than the job's, and rows are locked in the order of ids."""
    ids = item.chosen.ids
    said = json.dumps({"looked": len(ids), "changed": _done(tx, item), "last": ids[-1] if ids else ""})
    record = StepRecord(id=item.id, attempt=item.attempt, step=item.step._replace(value=said))
    if record_steps(tx, [record]) != [True]:
        raise LeaseLost
    return said


def _done(tx: Transaction, item: Deed) -> int:
    if not item.chosen.ids:
        return 0
    match item.action:
        case "cancel":
            return bulk.cancel(tx, [item.chosen])[0]
        case "retry":
            return bulk.retry(tx, [item.chosen])[0]
    return bulk.move(tx, [Moving(chosen=item.chosen, **item.to)])[0]


def count(tx: Transaction, wanted: Filter, before: str) -> int:
    """How many tasks fit that were accepted before the job."""
    query = sa.select(sa.func.count()).select_from(schema.task)
    return int(tx.core.execute(query.where(*wanted.where(), schema.task.c.id < before)).scalar_one())


def words(wanted: Filter) -> dict[str, Any]:
    """A filter as JSON, without what it leaves open."""
    given = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != ()
    }


def wanted_of(said: Mapping[str, Any]) -> Filter:
    """The filter that `words` wrote."""
    several = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    states = {"statuses": tuple(map(Status, said.get("statuses", ())))}
    return Filter(**{**said, **several, **states})
