"""What model calls cost: one row for each answer that was paid, written in the transaction that records it.

Rows outlive their tasks: they are kept for `ledger_days`. What is not known is NULL, never 0. Money is whole
billionths of a currency's unit, so that sums are exact; currencies are never added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table

from duly.model.chat import Paid
from duly.model.task import Claimed
from duly.store.columns import STORAGE, key, metadata
from duly.store.transaction import Transaction

ledger = Table(
    "ledger",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("step", key(100), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    # Days since 1970, UTC.
    Column("day", Integer, nullable=False),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    Column("task_type", key(100), nullable=False),
    Column("provider", key(100), nullable=False),
    Column("model", key(200), nullable=False),
    # The prompt's id, version and digest, or a digest of what was asked.
    Column("prompt", key(200), nullable=False),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cost_nanos", BigInteger),
    Column("currency", key(3)),
    # Since when the price is that, and who says so.
    Column("priced_as_of", key(40)),
    Column("tries", Integer, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    # 1: its answer is a step of the task; 0: it was of no use, or came when another attempt had the task.
    Column("kept", SmallInteger, nullable=False),
    Index("ledger_owner", "tenant", "owner", "day"),
    Index("ledger_tenant", "tenant", "day"),
    Index("ledger_day", "day"),
    **STORAGE,
)

Per = Literal["day", "month", "ever"]
#: What a report can be grouped by, in the order in which it sorts.
WORDS = ("day", "tenant", "owner", "task_type", "provider", "model", "prompt")
DAY_MS = 86_400_000
NANOS = 1_000_000_000
#: Tasks whose old rows one call deletes at most, and rows of a report.
MOST_TASKS, MOST_ROWS = 200, 10_000
_EPOCH = date(1970, 1, 1).toordinal()
_C = ledger.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One paid answer."""

    task_id: str
    step: str
    n: int
    attempt: int
    tenant: str
    owner: str
    task_type: str
    provider: str
    model: str
    prompt: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cost_nanos: int | None = None
    currency: str | None = None
    priced_as_of: str | None = None
    tries: int = 1
    duration_ms: int = 0
    kept: bool = False


def entry(claimed: Claimed, paid: Paid) -> Entry | None:
    """What the ledger is told of an answer; None of one that no model gave."""
    answer = paid.answer
    if answer.finish_reason == "offline":
        return None
    usage, cost = answer.usage, answer.cost or {}
    amount = cost.get("amount")
    return Entry(
        task_id=claimed.id,
        step=paid.step,
        n=paid.n,
        attempt=claimed.attempt,
        tenant=claimed.tenant,
        owner=claimed.owner,
        task_type=claimed.task_type,
        provider=answer.provider[:100],
        model=answer.model[:200],
        prompt=paid.prompt[:200],
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
        cached_tokens=None if usage is None else usage.cached_tokens,
        cost_nanos=None if amount is None else round(amount * NANOS),
        currency=cost.get("currency"),
        priced_as_of=cost.get("as_of"),
        tries=answer.tries,
        duration_ms=round(answer.duration_ms),
    )


def enter(tx: Transaction, items: Sequence[Entry]) -> list[None]:
    """Writes entries, each once, however often it is sent; by no fence, for the money is spent."""
    if items:
        day = tx.now // DAY_MS
        tx.run("spend", [{**asdict(item), "kept": int(item.kept), "day": day} for item in items])
    return [None for _ in items]


def kept(entry: Entry, recorded: bool) -> Entry:
    """The entry of an answer that was, or was not, recorded."""
    return replace(entry, kept=recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose calls, and since when: those of a task, of an owner, or of a tenant."""

    tenant: str = ""
    owner: str | None = None
    task_id: str | None = None
    per: Per = "ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Tokens, as far as providers counted them, and money by currency in billionths."""

    tokens: int
    nanos: dict[str, int]


def spent(tx: Transaction, whose: Whose) -> Spent:
    """What these calls have used in the present day or month, or ever."""
    rows = tx.core.execute(spent_query(tx.now, whose)).all()
    money = {row[0]: int(row[2]) for row in rows if row[0] is not None and row[2] is not None}
    return Spent(tokens=sum(int(row[1]) for row in rows), nanos=money)


def spent_query(now: int, whose: Whose) -> sa.Select[Any]:
    """Currency, tokens, billionths: asked before each call that has a budget."""
    tokens = sa.func.coalesce(_C.prompt_tokens, 0) + sa.func.coalesce(_C.completion_tokens, 0)
    query = sa.select(_C.currency, sa.func.sum(tokens), sa.func.sum(_C.cost_nanos)).group_by(_C.currency)
    if whose.task_id is not None:
        query = query.where(_C.task_id == whose.task_id)
    else:
        query = query.where(_C.tenant == whose.tenant)
        if whose.owner is not None:
            query = query.where(_C.owner == whose.owner)
        if whose.per != "ever":
            query = query.where(_C.day >= first_day(now, whose.per))
    return query


def first_day(now: int, per: Per) -> int:
    """The first day (since 1970, UTC) of the present day or month."""
    today = now // DAY_MS
    return today if per == "day" else today - datetime.fromtimestamp(now / 1000, UTC).day + 1


def day_of(text: str) -> int:
    """Days since 1970 of an ISO date.

    Raises:
        ValueError: it is none.
    """
    return date.fromisoformat(text).toordinal() - _EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a report is of: None leaves a word open. `since` and `until` are days, both included."""

    by: tuple[str, ...] = ("owner", "model")
    tenant: str | None = None
    owner: str | None = None
    task_type: str | None = None
    model: str | None = None
    since: int | None = None
    until: int | None = None


def report(tx: Transaction, search: Search) -> list[dict[str, Any]]:
    """One row for each group and currency: calls, tokens, cost, and how many of both are not known."""
    groups = [_C[name] for name in WORDS if name in search.by]
    order = [*groups, sa.func.coalesce(_C.currency, "")]
    query = sa.select(*groups, _C.currency, *_SUMS).group_by(*groups, _C.currency).order_by(*order)
    for name in ("tenant", "owner", "task_type", "model"):
        if (wanted := getattr(search, name)) is not None:
            query = query.where(_C[name] == wanted)
    if search.since is not None:
        query = query.where(_C.day >= search.since)
    if search.until is not None:
        query = query.where(_C.day <= search.until)
    return [_line(dict(row)) for row in tx.core.execute(query.limit(MOST_ROWS + 1)).mappings()]


_SUMS = (
    sa.func.count().label("calls"),
    sa.func.sum(1 - _C.kept).label("discarded"),
    sa.func.sum(_C.prompt_tokens).label("prompt_tokens"),
    sa.func.sum(_C.completion_tokens).label("completion_tokens"),
    sa.func.sum(_C.cached_tokens).label("cached_tokens"),
    (sa.func.count() - sa.func.count(_C.prompt_tokens)).label("uncounted"),
    sa.func.sum(_C.cost_nanos).label("cost_nanos"),
    (sa.func.count() - sa.func.count(_C.cost_nanos)).label("unpriced"),
)
_NUMBERS = tuple(one.name for one in _SUMS)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """As JSON; some databases answer sums as decimals."""
    numbers = {name: None if row[name] is None else int(row[name]) for name in _NUMBERS}
    nanos = numbers.pop("cost_nanos")
    del row["cost_nanos"]
    if "day" in row:
        row["day"] = date.fromordinal(row["day"] + _EPOCH).isoformat()
    return {**row, **numbers, "cost": None if nanos is None else nanos / NANOS}


def forget(tx: Transaction, items: Sequence[None]) -> list[int]:
    """Deletes rows older than the terms say, of at most 200 tasks a call; counts them."""
    old = _C.day < (tx.now - tx.terms.ledger_ms) // DAY_MS
    ids = tx.core.execute(sa.select(_C.task_id).where(old).distinct().limit(MOST_TASKS)).scalars().all()
    gone = tx.core.execute(sa.delete(ledger).where(_C.task_id.in_(ids), old)).rowcount if ids else 0
    return [gone for _ in items]
