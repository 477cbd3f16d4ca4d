"""The verbs that accept and steer a task from outside: submit, cancel, retry."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import uuid_utils

from duly.model import wire
from duly.model.events import EventType
from duly.model.state import RETRYABLE, Status
from duly.model.task import Conditions, Submission, Target
from duly.store import bodies, uploads
from duly.store.quick import Asked, Quickly
from duly.store.quotas import Beyond, refused
from duly.store.transaction import Moment, Transaction
from duly.store.transitions import Change, Facts, apply, facts
from duly.store.unique import hold_again


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which task stands for a submission: its own (`created`), or an earlier one with the same key.

    `at` is the moment of acceptance in milliseconds UTC. `refused` is the quota that had no room for it: then
    there is no task.
    """

    id: str
    created: bool
    same_body: bool
    at: int
    refused: Beyond | None = None


def submit(tx: Transaction, items: Sequence[Submission]) -> list[Accepted]:
    """Accepts each submission once; the same submission sent again finds its own row. What goes beyond a
    quota is refused, unless a task stands for it already."""
    over = refused(tx, items)
    accepted = iter(accept(tx, [item for item in items if item.id not in over]))
    return [
        Accepted(item.id, False, True, tx.now, over[item.id]) if item.id in over else next(accepted)
        for item in items
    ]


def accept(tx: Transaction, items: Sequence[Submission]) -> list[Accepted]:
    """`submit` of work that is owed to what was accepted before: a task's children, a schedule's ticks."""
    if not items:
        return []
    each = {item.id: item for item in items}
    places = tx.heads.of(tx, [item.conditions.queue for item in each.values()])
    asked = {"checked": 1, **_asked(tx.moment, each.values(), places)}
    new = {id_ for (id_,) in tx.run("submit", **asked)}
    rest = [item for item in each.values() if item.id not in new]
    found = tx.run("submitted", [_keys(item) | _adorned(item) for item in rest]) if rest else []
    standing = {item.id: _accepted(tx, item, *row) for item, row in zip(rest, found, strict=True)}
    accepted = [standing.get(item.id) or Accepted(item.id, True, True, tx.now) for item in items]
    large = [
        one.created and bodies.small(item.input) is None for item, one in zip(items, accepted, strict=True)
    ]
    bodies.keep(tx, [(item.id, "input", item.input) for item in itertools.compress(items, large)])
    fresh = itertools.compress(items, [one.created for one in accepted])
    uploads.refer(tx, [(item.id, item.input) for item in fresh])
    return accepted


def _asked(at: Moment, items: Collection[Submission], places: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `submit.sql`."""
    return {
        "batch": _batch(at, items),
        "ids": [item.id for item in items],
        "keyed": [_keys(item) for item in items if item.conditions.idempotency_key is not None],
        "adorned": [_adorned(item) for item in items if item.conditions.tags or item.conditions.deliver],
        "key_ttl": at.terms.key_ttl_ms,
        "places": dict(places),
    }


def quick_submit(at: Moment, items: Sequence[Submission]) -> Quickly[list[Accepted]]:
    """`submit` as one statement, for small inputs; tasks that were there before are the verb's to find."""
    if any(bodies.small(item.input) is None or uploads.named(item.input) for item in items):
        return None
    if at.heads.has_quotas:
        return None
    each = {item.id: item for item in items}
    places = at.heads.seen(at.now, [item.conditions.queue for item in items])
    asked = {"checked": 0, **_asked(at, each.values(), places)}
    plain = not asked["keyed"] and not asked["adorned"]
    new = yield Asked("submit_plain" if plain else "submit", asked)
    if len(new) < len(each):
        return None
    return [Accepted(item.id, True, True, at.now) for item in items]


def _accepted(tx: Transaction, item: Submission, id_: str, own: int, body_hash: str | None) -> Accepted:
    same = bool(own) or body_hash in (None, item.conditions.body_hash)
    return Accepted(id_, bool(own), same, tx.now)


def _batch(at: Moment, items: Iterable[Submission]) -> list[dict[str, Any]]:
    """One row for all that follow each other under the same conditions, with (id, small input) of each.

    `place` counts the batch's tasks of one owner in one order of claims that come before these.
    """
    batch: list[dict[str, Any]] = []
    places: Counter[tuple[str, ...]] = Counter()
    for conditions, group in itertools.groupby(items, key=attrgetter("conditions")):
        row = _row(at, conditions)
        row["items"] = [(item.id, bodies.small(item.input)) for item in group]
        line = (row["queue"], row["rank"], row["tenant"], row["owner"], row["status"])
        row["place"] = places[line]
        places[line] += len(row["items"])
        batch.append(row)
    return batch


def _row(at: Moment, conditions: Conditions) -> dict[str, Any]:
    later = conditions.due_later(at.now)
    return {
        "task_type": conditions.task_type,
        "queue": conditions.queue,
        "tenant": conditions.tenant,
        "owner": conditions.owner,
        "status": Status.SCHEDULED if later else Status.PENDING,
        "rank": conditions.rank,
        "due_at": conditions.due_at if later else conditions.deadline_at,
        "deadline_at": conditions.deadline_at,
        "timeout_ms": conditions.timeout_ms,
        "result_ttl_ms": _result_ttl(at, conditions),
        "max_retries": conditions.max_retries,
        "idempotency_key": conditions.idempotency_key,
        "body_hash": conditions.body_hash,
        "unique_key": conditions.unique_key,
        "limit_key": conditions.limit_key,
        "metadata": wire.dumps(dict(conditions.metadata)) if conditions.metadata else "{}",
    }


def _result_ttl(at: Moment, conditions: Conditions) -> int | None:
    """As asked; but a key must find its task as long as it stands for it."""
    asked, shortest = conditions.result_ttl_ms, at.terms.key_ttl_ms
    until = at.terms.retention_ms if asked is None else asked
    return shortest if conditions.idempotency_key is not None and until < shortest else asked


def _keys(item: Submission) -> dict[str, Any]:
    """What says that two submissions are for one task."""
    conditions = item.conditions
    row = {"id": item.id, "tenant": conditions.tenant, "owner": conditions.owner}
    return {**row, "idempotency_key": conditions.idempotency_key, "unique_key": conditions.unique_key}


def _adorned(item: Submission) -> dict[str, Any]:
    """What is written in tables of its own."""
    deliver = [{"id": str(uuid_utils.uuid7()), **_owed(to)} for to in item.conditions.deliver]
    return {"id": item.id, "tags": list(dict.fromkeys(item.conditions.tags)), "deliver": deliver}


def _owed(to: Target) -> dict[str, Any]:
    """What a target is in the delivery's row; a chain stands at its first."""
    places = [
        {"channel": one.channel, "target": wire.dumps(one.stored), "endpoint": one.id or None}
        for one in to.places
    ]
    return {**places[0], "chain": wire.dumps(places) if to.first_of else None}


def cancel(tx: Transaction, ids: Sequence[str]) -> list[Status | None]:
    """Cancels at once, or asks the running attempt to stop; the answer is the status from then on.

    None: no such task. A terminal task stays as it is.
    """
    known = facts(tx, ids)
    idle = [one for one in known.values() if one.status is not Status.RUNNING and not one.status.terminal]
    apply(tx, [Change(facts=one, target=Status.CANCELLED, event=EventType.CANCELLED) for one in idle])
    running = [
        one for one in known.values() if one.status is Status.RUNNING and one.cancel_requested_at is None
    ]
    rows = [{"id": one.id, "attempt": one.attempt, "seq": one.seq + 1} for one in running]
    if rows:
        tx.run("events", [{**row, "type": EventType.CANCEL_REQUESTED, "data": "{}"} for row in rows])
        tx.run("cancel_request", rows)
    cancelled = {one.id for one in idle}
    return [_status_after(known.get(id_), cancelled) for id_ in ids]


def _status_after(one: Facts | None, cancelled: set[str]) -> Status | None:
    if one is None:
        return None
    return Status.CANCELLED if one.id in cancelled else one.status


class Before(NamedTuple):
    """How a task stood that was to have another run; `kept_out`: another living task holds its unique key, so
    it stands so still."""

    status: Status
    kept_out: bool = False


def retry(tx: Transaction, ids: Sequence[str]) -> list[Before | None]:
    """Gives failed and cancelled tasks another run with all retries; the answer is how they stood before.

    Recorded steps are kept, so the new run goes on where the last one stopped. A deadline that has
    passed is not asked for again: the operator's word is newer.
    """
    known = facts(tx, ids)
    without = run_again(tx, known.values())
    return [Before(known[id_].status, id_ in without) if id_ in known else None for id_ in ids]


def run_again(tx: Transaction, some: Iterable[Facts]) -> set[str]:
    """Gives the failed and cancelled ones among these another run; answers those that stay as they are, as
    another living task holds their unique key."""
    ended = {one.id: one for one in some if one.status in RETRYABLE}
    without = hold_again(tx, list(ended)) if ended else set()
    again = [one for id_, one in ended.items() if id_ not in without]
    apply(tx, [_again(one) for one in again])
    rows = [{"id": one.id} for one in again]
    if rows:
        tx.run("delivery_recall", rows)
        sent = tx.run("delivery_last", rows)  # with what was claimed while the recall waited
        successors = [{"id": str(uuid_utils.uuid7()), "of": id_} for (id_,) in sent]
        tx.run("delivery_reopen", successors=wire.dumps(successors))
    return without


def _again(one: Facts) -> Change:
    return Change(facts=one, target=Status.PENDING, event=EventType.RETRIED, reset=True)
