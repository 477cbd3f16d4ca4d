"""The verbs of endpoints: keep, change, rotate, remove; what sends say of their health. Plain Core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import uuid_utils

from duly.model.delivery import Endpoint, EndpointWish, Outcome
from duly.store import schema
from duly.store.transaction import Transaction, compact

TABLE, COLUMNS, DELIVERY = schema.endpoint, schema.endpoint.c, schema.delivery.c
#: An endpoint of which nothing arrived for so long is disabled.
PATIENCE_MS = 5 * 86_400_000
#: How many endpoints an owner has at most.
MOST = 100
#: Dead deliveries that a call sends again at most.
MOST_RESENT = 1000

_GONE = ("It answered 410 Gone.", "对方返回 410（已永久移除）。")
_FAILED = ("Nothing arrived there for five days.", "连续五天没有任何一次投递成功。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Other words for an endpoint; `values` are columns. None: there is no such endpoint (any more)."""

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A new secret, which signs first; those before it go on signing for `window_ms`."""

    id: str
    secret: str
    window_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one send said of the endpoint it went to."""

    delivery_id: str
    endpoint: str
    outcome: Outcome
    code: int | None = None


def columns(wish: EndpointWish) -> dict[str, Any]:
    """A wish as the table keeps it."""
    return {
        "url": wish.url,
        "format": wish.format,
        "events": compact(list(wish.events)),
        "task_types": compact(list(wish.task_types)),
        "headers": compact(dict(wish.headers)),
        "ordered": int(wish.ordered),
    }


def add(tx: Transaction, items: Sequence[Endpoint]) -> list[bool]:
    """Keeps these; False: the owner has too many. Ends that are committed later are told to them."""
    return [_add(tx, item) for item in items]


def _add(tx: Transaction, item: Endpoint) -> bool:
    if get(tx, item.id) is not None:  # the answer to its commit was lost
        return True
    mine = sa.select(sa.func.count()).where(COLUMNS.tenant == item.tenant, COLUMNS.owner == item.owner)
    if tx.core.execute(mine).scalar_one() >= MOST:
        return False
    values = {"id": item.id, "tenant": item.tenant, "owner": item.owner, **columns(item.wish)}
    values |= {"secrets": _secrets(item.secrets), "enabled": 1, "created_at": tx.now, "updated_at": tx.now}
    tx.core.execute(sa.insert(TABLE).values(**values))
    return True


def change(tx: Transaction, items: Sequence[Change]) -> list[bool]:
    """Writes these columns; False: there is none such."""
    return [_write(tx, item.id, dict(item.values)) for item in items]


def rotate(tx: Transaction, items: Sequence[Rotation]) -> list[bool]:
    """Puts the new secret in front; the one that signed until now does so until the window closes."""
    return [_rotate(tx, item) for item in items]


def _rotate(tx: Transaction, item: Rotation) -> bool:
    found = (
        tx.core.execute(sa.select(TABLE).where(COLUMNS.id == item.id).with_for_update()).mappings().first()
    )
    if found is None:
        return False
    before = _endpoint(found).secrets
    if before[0][0] == item.secret:  # the answer to its commit was lost
        return True
    closes = tx.now + item.window_ms
    old = [(secret, closes if until is None else until) for secret, until in before]
    kept = [one for one in old if one[1] > tx.now]
    return _write(tx, item.id, {"secrets": _secrets([(item.secret, None), *kept])})


def remove(tx: Transaction, ids: Sequence[str]) -> list[bool]:
    """Forgets these; what is still owed to one ends as dead."""
    return [bool(tx.core.execute(sa.delete(TABLE).where(COLUMNS.id == id_)).rowcount) for id_ in ids]


def get(tx: Transaction, id_: str) -> Endpoint | None:
    """One endpoint, secrets included."""
    row = tx.core.execute(sa.select(TABLE).where(COLUMNS.id == id_)).mappings().first()
    return None if row is None or row["id"] != id_ else _endpoint(row)


def page(
    tx: Transaction, tenant: str | None, owner: str | None, *, after: str = "", limit: int = 100
) -> list[Endpoint]:
    """The endpoints behind `after` by id; tenant and owner None: of all."""
    query = sa.select(TABLE).where(COLUMNS.id > after)
    for column, value in ((COLUMNS.tenant, tenant), (COLUMNS.owner, owner)):
        query = query if value is None else query.where(column == value)
    rows = tx.core.execute(query.order_by(COLUMNS.id).limit(limit)).mappings()
    return [_endpoint(row) for row in rows]


def heed(tx: Transaction, items: Sequence[Heard]) -> None:
    """Notes since when sends fail, and forgets it with the first that arrives; disables an endpoint at once
    that is gone, and after five days without any success. Its owner is told."""
    well = sorted({one.endpoint for one in items if one.outcome is Outcome.SENT})
    if well:
        sick = sa.update(TABLE).where(COLUMNS.id.in_(well), COLUMNS.failing_since.is_not(None))
        tx.core.execute(sick.values(failing_since=None))
    for one in sorted(items, key=lambda item: item.endpoint):
        if one.outcome is not Outcome.SENT and one.endpoint not in well:
            _failed(tx, one)


def _failed(tx: Transaction, heard: Heard) -> None:
    asked = sa.select(TABLE).where(COLUMNS.id == heard.endpoint, COLUMNS.enabled == 1).with_for_update()
    row = tx.core.execute(asked).mappings().first()
    if row is None:
        return
    if row["failing_since"] is None:
        _write(tx, heard.endpoint, {"failing_since": tx.now})
    gone = heard.outcome is Outcome.ROUTE_DEAD
    if gone or tx.now - (row["failing_since"] or tx.now) >= PATIENCE_MS:
        why = _GONE if gone else _FAILED
        _write(tx, heard.endpoint, {"enabled": 0, "reason": why[0]})
        _tell_owner(tx, heard.delivery_id, _endpoint(row), why)


def _tell_owner(tx: Transaction, delivery_id: str, endpoint: Endpoint, why: tuple[str, str]) -> None:
    """Owes a line to the inbox of the owner; as all lines it belongs to a task, here the one whose delivery
    was the last to fail."""
    task_id = tx.core.execute(sa.select(DELIVERY.task_id).where(DELIVERY.id == delivery_id)).scalar()
    if task_id is None:
        return
    told = {
        "title": "Endpoint disabled · 投递端点已停用",
        "message": f"{endpoint.wish.url}: {why[0]} {why[1]}",
        "endpoint_id": endpoint.id,
    }
    values = {"channel": "inbox", "status": "pending", "due_at": tx.now, "created_at": tx.now}
    values |= {"target": compact({"url": "", "type": "endpoint.disabled"}), "body": compact(told)}
    tx.core.execute(sa.insert(schema.delivery).values(id=str(uuid_utils.uuid7()), task_id=task_id, **values))


def resend(tx: Transaction, ids: Sequence[str]) -> list[bool]:
    """Owes dead deliveries again, at once and with a new schedule; False: it is not dead."""
    return [_resent(tx, DELIVERY.id == id_) > 0 for id_ in ids]


def resend_dead(tx: Transaction, endpoints: Sequence[str]) -> list[int]:
    """The same for all dead deliveries of each endpoint, at most 1000 a call; how many."""
    return [_resent(tx, DELIVERY.endpoint_id == id_) for id_ in endpoints]


def _resent(tx: Transaction, which: sa.ColumnElement[bool]) -> int:
    dead = sa.select(DELIVERY.id).where(which, DELIVERY.status == "dead").order_by(DELIVERY.id)
    ids = list(tx.core.execute(dead.limit(MOST_RESENT)).scalars())
    again = sa.update(schema.delivery).where(DELIVERY.id.in_(ids), DELIVERY.status == "dead")
    again = again.values(status="pending", due_at=tx.now, began=DELIVERY.attempt, last_error=None)
    return int(tx.core.execute(again).rowcount) if ids else 0


def _write(tx: Transaction, id_: str, values: dict[str, Any]) -> bool:
    changed = sa.update(TABLE).where(COLUMNS.id == id_).values(**values, updated_at=tx.now)
    return bool(tx.core.execute(changed).rowcount)


def _secrets(secrets: Sequence[tuple[str, int | None]]) -> str:
    return compact([{"secret": secret, "until": until} for secret, until in secrets])


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    wish = EndpointWish(
        url=row["url"],
        format=row["format"],
        events=tuple(json.loads(row["events"])),
        task_types=tuple(json.loads(row["task_types"])),
        headers=json.loads(row["headers"]),
        ordered=bool(row["ordered"]),
    )
    words = ("id", "tenant", "owner", "reason", "failing_since", "created_at", "updated_at")
    secrets = tuple((one["secret"], one["until"]) for one in json.loads(row["secrets"]))
    kept = {word: row[word] for word in words}
    return Endpoint(**kept, wish=wish, secrets=secrets, enabled=bool(row["enabled"]))
