"""Parents and children: what a gather waits for, who is counted when a child ends, who is told of an end.

It moves no task itself. A child's end and its parent's suspension decide about each other: both hold the
parent's row when they come here, and what they decide on is read in statements after that lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.model.state import Status
from duly.model.task import EARLIER, SHAKEN
from duly.store import schema
from duly.store.journal import value_kind
from duly.store.transaction import Transaction

_CHILD, _STEP, _TASK, _BEREFT = schema.child.c, schema.step.c, schema.task.c, schema.bereft.c
_UNWELL = (Status.FAILED, Status.CANCELLED)

#: What a gather takes that is over without any failure, and one with.
WELL, FAILED = 0, 1

#: A gather: its task, name and number.
Key = tuple[str, str, int]


class Turn(NamedTuple):
    """A child that ended, or that began anew after its end."""

    parent: str
    child: str
    status: Status


def count(tx: Transaction, turns: Sequence[Turn]) -> dict[str, str]:
    """Counts these children in the gathers that wait for them; answers the parents that nothing keeps waiting
    any more, with the gather's name.

    A child is counted once, however often its end is told; an operator's retry makes an open gather wait for
    it again.
    """
    status = {turn.child: turn.status for turn in turns}
    rows = [row for parent in sorted({turn.parent for turn in turns}) for row in _links(tx, parent, turns)]
    fewer: Counter[Key] = Counter()
    unwell: set[Key] = set()
    turned = []
    for row in rows:
        now = status[row.child_id] if status[row.child_id].terminal else None
        turned.append({"task": row.task_id, "of": row.child_id, "by": row.name, "number": row.n, "now": now})
        key = (row.task_id, row.name, row.n)
        fewer[key] += (row.outcome is None) - (now is None)
        if now in _UNWELL:
            unwell.add(key)
    if turned:
        tx.core.execute(_TURNED, turned)
    over = [key for key in fewer if _over(tx, key, fewer[key], failed=key in unwell)]
    return {id_: name for id_, name, _ in over if _waits_for_children(tx, id_)}


def _links(tx: Transaction, parent: str, turns: Sequence[Turn]) -> list[Any]:
    """Where these children of one parent are counted; looked up child by child, never among all siblings."""
    mine = [turn.child for turn in turns if turn.parent == parent]
    query = sa.select(schema.child).where(_CHILD.task_id == parent, _CHILD.child_id.in_(mine))
    return list(tx.core.execute(query))


_TURNED = (
    sa.update(schema.child)
    .where(_CHILD.task_id == sa.bindparam("task"), _CHILD.child_id == sa.bindparam("of"))
    .where(_CHILD.name == sa.bindparam("by"), _CHILD.n == sa.bindparam("number"))
    .values(outcome=sa.bindparam("now"))
)


def _over(tx: Transaction, key: Key, fewer: int, *, failed: bool) -> bool:
    """Counts down; whether the gather is over by that, which it is once."""
    here = (_STEP.task_id == key[0], _STEP.name == key[1], _STEP.n == key[2])
    tx.core.execute(sa.update(schema.step).where(*here).values(children=_STEP.children - fewer))
    left, eager, taken = tx.core.execute(
        sa.select(_STEP.children, _STEP.eager, _STEP.taken).where(*here)
    ).one()
    if taken is not None or not (left == 0 or (eager and failed)):
        return False
    tx.core.execute(
        sa.update(schema.step).where(*here).values(taken=FAILED if failed or _failed(tx, key) else WELL)
    )
    return True


def _failed(tx: Transaction, key: Key) -> bool:
    """Whether any child of a gather ended without success."""
    mine = (_CHILD.task_id == key[0], _CHILD.name == key[1], _CHILD.n == key[2])
    one = sa.select(_CHILD.child_id).where(*mine, _CHILD.outcome.in_(_UNWELL)).limit(1)
    return tx.core.execute(one).first() is not None


def _waits_for_children(tx: Transaction, id_: str) -> bool:
    """Whether it is suspended in a gather, and not for instance snoozed after one that it left."""
    return bool(tx.core.execute(sa.select(_TASK.wait_kind).where(_TASK.id == id_)).scalar() == "children")


def note(tx: Transaction, turned: Mapping[str, Status]) -> None:
    """Notes those that ended without success and have children; one that an operator gives another run is no
    longer noted, and asks anew how its failed children have ended: they may have had another run too."""
    if unwell := [id_ for id_, status in turned.items() if status in _UNWELL]:
        children = sa.select(_TASK.parent_id).where(_TASK.parent_id.in_(unwell)).distinct()
        if parents := tx.core.execute(children).scalars().all():
            noted = sa.select(_BEREFT.task_id).where(_BEREFT.task_id.in_(parents))
            known = set(tx.core.execute(noted).scalars())
            new = [{"task_id": id_} for id_ in parents if id_ not in known]
            if new:
                tx.core.execute(sa.insert(schema.bereft), new)
    if again := [id_ for id_, status in turned.items() if not status.terminal]:
        tx.core.execute(sa.delete(schema.bereft).where(_BEREFT.task_id.in_(again)))
        _forget_failures(tx, again)


_SET_ASIDE = sa.literal(EARLIER).concat(sa.func.substr(_STEP.digest, 2, type_=sa.String))


def _forget_failures(tx: Transaction, ids: Sequence[str]) -> None:
    """Forgets the gathers of these tasks in which a child failed, with what they answered; what followed it
    belongs to an earlier answer from then on (decision 0055)."""
    gathers = sa.select(_STEP.task_id, _STEP.name, _STEP.n)
    failed = gathers.where(_STEP.task_id.in_(ids), _STEP.children.is_not(None), _STEP.taken == FAILED)
    for id_, name, n in tx.core.execute(failed).all():
        behind = (_STEP.task_id == id_, _STEP.digest.startswith(SHAKEN))
        tx.core.execute(sa.update(schema.step).where(*behind).values(digest=_SET_ASIDE))
        for table in (schema.child, schema.step):
            its = (table.c.task_id == id_, table.c.name == name, table.c.n == n)
            tx.core.execute(sa.delete(table).where(*its))
        body = (schema.task_data.c.task_id == id_, schema.task_data.c.kind == value_kind(name, n))
        tx.core.execute(sa.delete(schema.task_data).where(*body))


def counts(tx: Transaction, id_: str) -> dict[str, int]:
    """How many children of a task stand in each status; no zeros."""
    number = sa.func.count().label("number")
    query = sa.select(_TASK.status, number).where(_TASK.parent_id == id_).group_by(_TASK.status)
    return {row.status: row.number for row in tx.core.execute(query)}


def open_gathers(tx: Transaction, id_: str) -> list[dict[str, Any]]:
    """The gathers of a task that are not over: name, children that have not ended, all its children."""
    one = (_CHILD.task_id == _STEP.task_id, _CHILD.name == _STEP.name, _CHILD.n == _STEP.n)
    total = sa.select(sa.func.count()).where(*one).scalar_subquery()
    query = sa.select(_STEP.name, _STEP.children.label("left"), total.label("children"))
    query = query.where(_STEP.task_id == id_, _STEP.children.is_not(None), _STEP.taken.is_(None))
    return [dict(row) for row in tx.core.execute(query.order_by(_STEP.created_at, _STEP.name)).mappings()]
