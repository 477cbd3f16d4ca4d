"""How large a share of a queue an owner gets beside others: his weight, the turns he has for each of theirs.

The order of claims, all of it: suspects stand apart; then the priority, strictly; then the ticket; then the
id, which ascends in time. An owner's tickets are `STRIDE` / weight apart (DESIGN 4.10), so a weight says
nothing about an owner who is alone. It is read by the statement that accepts a task: a change holds for what
is submitted, or moved, from its commit on, and what stands in line keeps its ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.task import check_text
from duly.store import schema
from duly.store.transaction import Transaction

#: From one ticket of an owner of weight 1 to his next.
STRIDE = 1000
MOST = 100

_SHARE = schema.share.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """An owner of a tenant; an empty owner stands for all who have no weight of their own."""

    owner: str = ""
    tenant: str = ""

    def __post_init__(self) -> None:
        check_text(self.owner, "owner", 64)
        check_text(self.tenant, "tenant", 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a sharer weighs: 1..100, and 1 who has no weight."""

    of: Sharer
    weight: int

    def __post_init__(self) -> None:
        if isinstance(self.weight, bool) or not 1 <= self.weight <= MOST:
            raise InvalidInput(f"weight must be 1..{MOST}, not {self.weight}")


def put(tx: Transaction, items: Sequence[Share]) -> list[Share]:
    """Gives these their weights, for tasks that are submitted from now on."""
    last = {(item.of.tenant, item.of.owner): item for item in items}
    rows = [{"tenant": key[0], "owner": key[1], "weight": one.weight} for key, one in sorted(last.items())]
    tx.run("share_set", rows)
    return list(items)


def clear(tx: Transaction, items: Sequence[Sharer]) -> list[bool]:
    """Takes their own weights away; the answers say who had one."""
    return [_clear(tx, item) for item in items]


def _clear(tx: Transaction, item: Sharer) -> bool:
    gone = sa.delete(schema.share).where(_SHARE.tenant == item.tenant, _SHARE.owner == item.owner)
    return bool(tx.core.execute(gone).rowcount)


def shares(tx: Transaction) -> list[Share]:
    """All weights that were given, by tenant and owner."""
    query = sa.select(_SHARE.tenant, _SHARE.owner, _SHARE.weight).order_by(_SHARE.tenant, _SHARE.owner)
    return [Share(of=Sharer(tenant=row[0], owner=row[1]), weight=row[2]) for row in tx.core.execute(query)]


def weight(tx: Transaction, tenant: str, owner: str) -> int:
    """What this owner weighs: his own, his tenant's, or 1."""
    query = sa.select(_SHARE.weight).where(_SHARE.tenant == tenant, _SHARE.owner.in_((owner, "")))
    return tx.core.execute(query.order_by(_SHARE.owner.desc()).limit(1)).scalar() or 1
