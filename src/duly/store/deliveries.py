"""The verbs of the outbox: claim what is owed, fix its body, record how the send ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from duly.model.delivery import Outcome
from duly.store.endpoints import Heard, heed
from duly.store.transaction import Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One answer owed to one target; `attempt` is the fence of this send, `body` None before the first.

    `log` is the JSON list of earlier sends. A `chain` has all its targets; it stands at number `step`, since
    send `began`. `subscribed`: an endpoint asked for it, not the task.
    """

    id: str
    task_id: str
    channel: str
    target: Mapping[str, Any]
    attempt: int
    body: str | None
    log: str | None = None
    chain: Sequence[Mapping[str, Any]] = ()
    step: int = 0
    began: int = 0
    subscribed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a send ended: delivered, dead, or pending again after `delay_ms`; of a chain, at which `step`.

    `endpoint`: whose health the outcome tells of.
    """

    id: str
    attempt: int
    status: str
    delay_ms: int | None = None
    code: int | None = None
    error: str | None = None
    outcome: Outcome | None = None
    log: str | None = None
    step: int | None = None
    to: Mapping[str, Any] | None = None
    endpoint: str | None = None


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
    log: str | None = None


def due(tx: Transaction, limit: int) -> int:
    """How many deliveries a claim would take now, at most `limit`; the look before a claim."""
    return len(tx.run("delivery_due", limit=limit))


def _first_in_line(tx: Transaction, rows: Sequence[Row]) -> list[str]:
    """The ids to claim: of an ordered endpoint the first in its line, whichever was found."""
    lines = sorted({endpoint for _, endpoint in rows if endpoint is not None})
    heads = [head for _, head in tx.run("endpoint_heads", lines) if head is not None] if lines else []
    return [id_ for id_, endpoint in rows if endpoint is None] + heads


def claim_deliveries(tx: Transaction, items: Sequence[tuple[str, int]]) -> list[list[Delivery]]:
    """Hands due deliveries to each (session, limit); one webhook target gets at most 8 sends at once."""
    return [_claimed(tx, session, limit) for session, limit in items]


def _claimed(tx: Transaction, session: str, limit: int) -> list[Delivery]:
    ids = _first_in_line(tx, tx.run("delivery_due", limit=limit))
    return [_delivery(*row) for row in (tx.run("delivery_claim", ids, session=session) if ids else [])]


def _delivery(*row: Any) -> Delivery:
    id_, task_id, channel, target, attempt, body, log, chain, step, began, subscribed = row
    return Delivery(
        id=id_,
        task_id=task_id,
        channel=channel,
        target=json.loads(target),
        attempt=attempt,
        body=body,
        log=log,
        chain=json.loads(chain) if chain else (),
        step=step,
        began=began,
        subscribed=bool(subscribed),
    )


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
    first = {(item.id, item.attempt): item for item in reversed(items)}
    tx.run("delivery_settle", [_settled(tx, item) for item in first.values()])
    heed(tx, [_heard(item, item.endpoint, item.outcome) for item in items if item.endpoint and item.outcome])
    return [None for _ in items]


def _heard(item: Sent, endpoint: str, outcome: Outcome) -> Heard:
    return Heard(delivery_id=item.id, endpoint=endpoint, outcome=outcome, code=item.code)


def _settled(tx: Transaction, item: Sent) -> dict[str, Any]:
    return {
        "id": item.id,
        "attempt": item.attempt,
        "status": item.status,
        "due_at": None if item.delay_ms is None else tx.now + item.delay_ms,
        "code": item.code,
        "error": item.error,
        "outcome": item.outcome,
        "log": item.log,
        "step": item.step,
        **(item.to or {}),
    }


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
    settle(tx, [_noticed(item) for item in items])
    return [None for _ in items]


def _noticed(item: Notice) -> Sent:
    words: dict[str, Any] = {"status": "delivered", "outcome": Outcome.SENT, "log": item.log}
    return Sent(id=item.delivery_id, attempt=item.attempt, **words)
