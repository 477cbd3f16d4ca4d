"""The verbs that accept and steer a task from outside: submit, cancel, retry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import uuid_utils

from duly.model import wire
from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Submission
from duly.store import bodies
from duly.store.transaction import Transaction
from duly.store.transitions import Change, Facts, apply, facts


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which task stands for a submission: its own (`created`), or an earlier one with the same key.

    `at` is the moment of acceptance in milliseconds UTC.
    """

    id: str
    created: bool
    same_body: bool
    at: int


def submit(tx: Transaction, items: Sequence[Submission]) -> list[Accepted]:
    """Accepts each submission once; the same submission sent again finds its own row."""
    rows = _rows(tx, items)
    keyed = [row for row in rows.values() if row["idempotency_key"] is not None]
    adorned = [row for row in rows.values() if row["tags"] or row["deliver"]]
    more = {"ids": list(rows), "keyed": keyed, "adorned": adorned}
    places = tx.heads.of(tx, [item.queue for item in items])
    new = {
        id_ for (id_,) in tx.run("submit", rows.values(), key_ttl=tx.terms.key_ttl_ms, places=places, **more)
    }
    rest = [item for item in items if item.id not in new]
    found = tx.run("submitted", [rows[item.id] for item in rest]) if rest else []
    standing = {item.id: _accepted(tx, item, *row) for item, row in zip(rest, found, strict=True)}
    accepted = [standing.get(item.id) or Accepted(item.id, True, True, tx.now) for item in items]
    pairs = zip(items, accepted, strict=True)
    bodies.keep(tx, [(item.id, "input", item.input) for item, one in pairs if one.created])
    return accepted


def _accepted(tx: Transaction, item: Submission, id_: str, own: int, body_hash: str | None) -> Accepted:
    return Accepted(id_, bool(own), bool(own) or body_hash in (None, item.body_hash), tx.now)


def _rows(tx: Transaction, items: Sequence[Submission]) -> dict[str, dict[str, Any]]:
    """One row per id; `place` counts the batch's tasks of one owner in one order of claims."""
    rows = {item.id: _row(tx, item) for item in items}
    places: Counter[tuple[str, ...]] = Counter()
    for row in rows.values():
        line = (row["queue"], row["rank"], row["tenant"], row["owner"], row["status"])
        places[line] += 1
        row["place"] = places[line]
    return rows


def _row(tx: Transaction, item: Submission) -> dict[str, Any]:
    later = item.due_later(tx.now)
    return {
        "id": item.id,
        "task_type": item.task_type,
        "queue": item.queue,
        "tenant": item.tenant,
        "owner": item.owner,
        "status": Status.SCHEDULED if later else Status.PENDING,
        "rank": item.rank,
        "due_at": item.due_at if later else item.deadline_at,
        "deadline_at": item.deadline_at,
        "timeout_ms": item.timeout_ms,
        "max_retries": item.max_retries,
        "idempotency_key": item.idempotency_key,
        "body_hash": item.body_hash,
        "unique_key": item.unique_key,
        "metadata": wire.dumps(dict(item.metadata)) if item.metadata else "{}",
        "tags": list(dict.fromkeys(item.tags)),
        "deliver": [
            {"id": str(uuid_utils.uuid7()), "channel": to.channel, "target": wire.dumps({"url": to.url})}
            for to in item.deliver
        ],
    }


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


def retry(tx: Transaction, ids: Sequence[str]) -> list[Status | None]:
    """Gives failed and cancelled tasks another run with all retries; the answer is the status before.

    Recorded steps are kept, so the new run goes on where the last one stopped. A deadline that has
    passed is not asked for again: the operator's word is newer.
    """
    known = facts(tx, ids)
    again = [one for one in known.values() if one.status in (Status.FAILED, Status.CANCELLED)]
    apply(tx, [_again(one) for one in again])
    rows = [{"id": one.id} for one in again]
    if rows:
        sent = tx.run("delivery_last", rows)
        successors = [{"id": str(uuid_utils.uuid7()), "of": id_} for (id_,) in sent]
        tx.run("delivery_reopen", rows, successors=wire.dumps(successors))
    return [known[id_].status if id_ in known else None for id_ in ids]


def _again(one: Facts) -> Change:
    return Change(facts=one, target=Status.PENDING, event=EventType.RETRIED, reset=True)
