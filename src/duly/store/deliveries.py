"""The verbs of the outbox: claim what is owed, fix its body, record how the send ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from duly.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One answer owed to one target; `attempt` is the fence of this send, `body` None before the first."""

    id: str
    task_id: str
    channel: str
    target: Mapping[str, Any]
    attempt: int
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a send ended: delivered, dead, or pending again after `delay_ms`."""

    id: str
    attempt: int
    status: str
    delay_ms: int | None = None
    code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A line for the owner's inbox; written with its delivery, once."""

    delivery_id: str
    attempt: int
    task_id: str
    tenant: str
    owner: str
    type: str
    body: str


def due(tx: Transaction, limit: int) -> int:
    """How many deliveries a claim would take now, at most `limit`; the look before a claim."""
    return len(tx.run("delivery_due", limit=limit))


def claim_deliveries(tx: Transaction, items: Sequence[tuple[str, int]]) -> list[list[Delivery]]:
    """Hands due deliveries to each (session, limit); one webhook target gets at most 8 sends at once."""
    return [_claimed(tx, session, limit) for session, limit in items]


def _claimed(tx: Transaction, session: str, limit: int) -> list[Delivery]:
    ids = [row[0] for row in tx.run("delivery_due", limit=limit)]
    rows = tx.run("delivery_claim", ids, session=session) if ids else []
    return [
        Delivery(
            id=row[0], task_id=row[1], channel=row[2], target=json.loads(row[3]), attempt=row[4], body=row[5]
        )
        for row in rows
    ]


def sending_by(tx: Transaction, session: str) -> list[tuple[str, int]]:
    """(delivery id, attempt) of all that is being sent under a session."""
    return [(row[0], row[1]) for row in tx.run("sending_by", session=session)]


def fix_body(tx: Transaction, items: Sequence[tuple[Delivery, str]]) -> list[str | None]:
    """Keeps the first rendered body and answers it; None means that the delivery is no longer ours."""
    fixed = []
    for delivery, body in items:
        rows = tx.run("delivery_body", id=delivery.id, attempt=delivery.attempt, body=body)
        fixed.append(rows[0][0] if rows else None)
    return fixed


def settle(tx: Transaction, items: Sequence[Sent]) -> list[None]:
    """Records how sends ended, each only for the attempt that made it; its first word counts."""
    tx.run(
        "delivery_settle",
        [
            {
                "id": item.id,
                "attempt": item.attempt,
                "status": item.status,
                "due_at": None if item.delay_ms is None else tx.now + item.delay_ms,
                "code": item.code,
                "error": item.error,
            }
            for item in {(item.id, item.attempt): item for item in reversed(items)}.values()
        ],
    )
    return [None for _ in items]


def notify(tx: Transaction, items: Sequence[Notice]) -> list[None]:
    """Writes inbox lines and settles their deliveries in the same transaction."""
    owners = dict.fromkeys((item.tenant, item.owner) for item in items)
    if tx.dialect != "sqlite":  # where one writes at a time
        tx.run("inboxes", [{"tenant": tenant, "owner": owner} for tenant, owner in owners])
    for item in items:
        tx.run(
            "notify",
            delivery=item.delivery_id,
            attempt=item.attempt,
            task=item.task_id,
            tenant=item.tenant,
            owner=item.owner,
            type=item.type,
            body=item.body,
        )
    settle(tx, [Sent(id=item.delivery_id, attempt=item.attempt, status="delivered") for item in items])
    return [None for _ in items]
