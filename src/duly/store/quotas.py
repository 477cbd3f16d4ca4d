"""Quotas: how many tasks may wait to start (pending or blocked) when another one is submitted.

Asked at the moment of a submit: processes that submit at once may overshoot by what is under way. What is
accepted already, under its key or as work of a task or a schedule, is never refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from duly.model.batch import BATCH, MEMBERS
from duly.model.task import Conditions, Submission
from duly.store import schema
from duly.store.transaction import Transaction

_TASK = schema.task.c
#: Written out, not parameters: only then the indexes of some rows serve.
_WAITS = [_TASK.status == sa.literal_column(f"'{status}'") for status in ("pending", "blocked")]
#: The default for each queue, owner or tenant that has no quota of its own.
EVERY = "*"
Where = sa.ColumnElement[bool]


class Beyond(NamedTuple):
    """A quota that has no room for a submission. `alone`: how many tasks that counts for, and how many the
    whole quota is, if there can never be room for it."""

    quota: str
    alone: tuple[int, int] | None = None


def refused(tx: Transaction, items: Iterable[Submission]) -> dict[str, Beyond]:
    """Which of these submissions go beyond a quota, by id."""
    quotas = tx.heads.quotas(tx)
    if not quotas:
        return {}
    asked, known = list(items), dict[str, int]()
    if not _beyond(tx, quotas, asked, known):
        return {}
    # Only now it is looked which of them are new: the others are not refused, and take nobody's room.
    return _beyond(tx, quotas, [item for item in asked if not _stands(tx, item)], known)


def _beyond(
    tx: Transaction, quotas: Mapping[str, int], items: Sequence[Submission], known: dict[str, int]
) -> dict[str, Beyond]:
    """The same of submissions that are all new; `known` is how many waited before them."""
    waiting: Counter[str] = Counter()
    coming: dict[str, int] = {}
    answers: dict[str, Beyond] = {}
    for item in items:
        names = _names(item)
        if (never := _never(quotas, names)) is not None:
            answers[item.id] = never
            continue
        for name in names:
            most = _most(quotas, name)
            if most is not None and name not in known:
                known[name] = _waiting(tx, _there(name, item.conditions), most)
            if most is not None and item.members and name not in coming:
                coming[name] = _to_come(tx, _there(name, item.conditions), most)
        more = coming if item.members else {}
        ahead = {name: known[name] + waiting[name] + more.get(name, 0) for name in names if name in known}
        full = next((name for name in ahead if ahead[name] + names[name] > (_most(quotas, name) or 0)), None)
        if full is not None:
            answers[item.id] = Beyond(full)
        else:
            waiting.update(names)
    return answers


def _never(quotas: Mapping[str, int], names: Mapping[str, int]) -> Beyond | None:
    """The quota that is too small for it, whoever waits. One of 0 is none: it lets nobody in for a while."""
    for name, count in names.items():
        most = _most(quotas, name)
        if most and count > most:
            return Beyond(name, (count, most))
    return None


def _names(item: Submission) -> dict[str, int]:
    """What a task counts for: its owner, unless it has none; its tenant; its queue. A batch counts as
    often as it has members."""
    told = item.conditions
    members = item.members or {told.queue: 1}
    owner = [f"owner/{told.tenant}/{told.owner}"] if told.owner else []
    whose = dict.fromkeys([*owner, f"tenant/{told.tenant}"], sum(members.values()))
    return whose | {f"queue/{queue}": count for queue, count in members.items()}


def _most(quotas: Mapping[str, int], name: str) -> int | None:
    """Its own quota, or that of each of its kind."""
    own = quotas.get(name)
    return quotas.get(f"{name.partition('/')[0]}/{EVERY}") if own is None else own


def _there(name: str, conditions: Conditions) -> tuple[Where, ...]:
    """Which tasks a name means, that a task with these conditions counts for."""
    kind, _, queue = name.partition("/")
    return {
        "owner": (_TASK.tenant == conditions.tenant, _TASK.owner == conditions.owner),
        "tenant": (_TASK.tenant == conditions.tenant,),
        "queue": (_TASK.queue == queue,),
    }[kind]


def _to_come(tx: Transaction, where: tuple[Where, ...], most: int) -> int:
    """How many more tasks the batches that wait there will submit. Only another batch asks, for it reads all
    who wait."""
    batches = sa.select(_TASK.metadata).where(_WAITS[0], *where, _TASK.task_type == BATCH).limit(most)
    return sum(json.loads(text).get(MEMBERS, 1) - 1 for text in tx.core.execute(batches).scalars())


def _waiting(tx: Transaction, where: tuple[Where, ...], most: int) -> int:
    """How many tasks wait to start there; counted up to the quota."""
    count = 0
    for waits in _WAITS:
        some = sa.select(_TASK.id).where(waits, *where).limit(most - count).subquery()
        count += int(tx.core.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())
        if count >= most:
            break
    return count


def _stands(tx: Transaction, item: Submission) -> bool:
    """Whether a task stands for this submission already."""
    told = item.conditions
    same = [_TASK.id == item.id]
    if told.idempotency_key is not None:
        keyed = (_TASK.owner == told.owner, _TASK.idempotency_key == told.idempotency_key)
        living = _TASK.created_at >= tx.now - tx.terms.key_ttl_ms  # an older key is given to the new task
        same.append(sa.and_(_TASK.tenant == told.tenant, *keyed, living))
    if told.unique_key is not None:
        same.append(_TASK.unique_key == told.unique_key)
    return any(tx.core.execute(sa.select(_TASK.id).where(one).limit(1)).first() for one in same)
