"""What people say of limits: the code declares them, and an operator's word stands until it is cleared.

A limit of a queue or a type stands in each living session's row, which every claim locks: from the commit on
no claim passes it by, and what runs already is counted in (as pauses are exact, decision 0022).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.model.limit import (
    ALL,
    QUOTAS,
    Allowance,
    Limits,
    Rate,
    check_count,
    check_limit_name,
    each_name,
    template_of,
    type_name,
)
from duly.model.task import check_text
from duly.store import limits, schema
from duly.store.transaction import Transaction, compact

TABLE, COLUMNS, TASK, WORKER = schema.limits, schema.limits.c, schema.task.c, schema.worker.c
RUNNING: sa.ColumnElement[str] = sa.literal_column("'running'")
BLOCKED: sa.ColumnElement[str] = sa.literal_column("'blocked'")
#: Of so many keys that a template changes who waits is woken at once.
MOST_STIRRED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An operator's word about one limit; None leaves that part as it is."""

    name: str
    concurrency: int | None = None
    rate: Rate | None = None
    waiting: int | None = None
    by: str | None = None

    def __post_init__(self) -> None:
        check_limit_name(self.name, quota=self.concurrency is None and self.rate is None)
        check_count(self.concurrency, "concurrency")
        check_count(self.waiting, "waiting")
        if self.waiting is not None and self.name.partition("/")[0] not in ("queue", *QUOTAS):
            raise InvalidInput(f"{self.name} takes no quota: that is of a queue, an owner or a tenant")
        check_text(self.by or "", "by", 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the code declares of one task type."""

    task_type: str
    limits: Limits

    @property
    def rows(self) -> dict[str, Allowance]:
        """What it says of which limit."""
        return {type_name(self.task_type): self.limits.of_type, each_name(self.task_type): self.limits.of_key}


def put(tx: Transaction, items: Sequence[Setting]) -> list[None]:
    """From the commit on these limits hold; those that wait for more room than there was are woken."""
    known = _begin(tx, [item.name for item in items])
    for item in items:
        row = known.get(item.name, {})
        values: dict[str, Any] = {"changed_at": tx.now, "changed_by": item.by}
        if item.concurrency is not None:
            values["cap"] = item.concurrency
        if item.rate is not None:
            values |= {"rate": item.rate.count, "per_ms": item.rate.per_ms}
        if item.waiting is not None:
            values["most"] = item.waiting
        _write(tx, item.name, row, values)
    return [None for _ in items]


def clear(tx: Transaction, names: Sequence[str]) -> list[bool]:
    """The operator's word ends: what the code declares holds again, or nothing. False: there was none."""
    known = _begin(tx, [*names, *(template_of(name) for name in names if name.startswith("key/"))])
    answers = []
    for name in names:
        row = known.get(name)
        answers.append(row is not None and row["changed_at"] is not None)
        if row is not None and row["changed_at"] is not None:
            own = dict.fromkeys(("changed_at", "changed_by", "most"))
            _write(tx, name, row, {**_said(known, name, row), **own})
    return answers


def declare(tx: Transaction, items: Sequence[Declared]) -> list[bool]:
    """Writes down what the code declares; True where that is new. An operator's word stays."""
    wanted = {name: allowance for item in items for name, allowance in item.rows.items()}
    known = _begin(tx, list(wanted))
    changed = set()
    for name, allowance in wanted.items():
        row = known.get(name, {})
        text = compact(allowance.words) if allowance.words else None
        if row.get("declared") != text:
            changed.add(name)
            holds = {} if row.get("changed_at") is not None else _columns(allowance.words)
            _write(tx, name, row, {"declared": text, **holds})
    return [not changed.isdisjoint(item.rows) for item in items]


def undeclared(tx: Transaction, items: Sequence[Declared]) -> list[Declared]:
    """Those of which something else stands written: a look without a lock."""
    known = _rows(tx, [name for item in items for name in item.rows])
    return [item for item in items if not _stands(known, item)]


def _stands(known: Mapping[str, Mapping[str, Any]], item: Declared) -> bool:
    written = {name: json.loads(known.get(name, {}).get("declared") or "{}") for name in item.rows}
    return all(written[name] == one.words for name, one in item.rows.items())


def _said(known: Mapping[str, Any], name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What holds without an operator's word."""
    if name.startswith("key/"):
        template = known.get(template_of(name)) or {}
        return {word: template.get(word) for word in ("cap", "rate", "per_ms")}
    return _columns(json.loads(row["declared"] or "{}"))


def _columns(words: Mapping[str, Any]) -> dict[str, Any]:
    rate = Rate.parse(words["rate"]) if "rate" in words else None
    pace = {"rate": None, "per_ms": None} if rate is None else {"rate": rate.count, "per_ms": rate.per_ms}
    return {"cap": words.get("concurrency"), **pace}


def _begin(tx: Transaction, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Nobody else changes the list, no session starts and no claim is under way until the commit."""
    tx.run("limits_known")
    living = sa.select(WORKER.id).where(WORKER.ended_at.is_(None)).order_by(WORKER.id)
    tx.core.execute(living.with_for_update()).all()
    return _rows(tx, names)


def _rows(tx: Transaction, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    rows = tx.core.execute(sa.select(TABLE).where(COLUMNS.name.in_(names))).mappings()
    return {row["name"]: dict(row) for row in rows}


def _write(tx: Transaction, name: str, row: Mapping[str, Any], values: dict[str, Any]) -> None:
    """One row with all that follows from it."""
    after = {**row, **values}
    if after.get("rate") is not None and row.get("rate") != after["rate"]:
        values |= {"tokens": float(after["rate"]), "refilled_at": tx.now}
    is_new = _limits(after) and not _limits(row)
    counted = _adopt(tx, name) if is_new else Counter[str]()
    if row:
        tx.core.execute(sa.update(TABLE).where(COLUMNS.name == name).values(**values, updated_at=tx.now))
    else:
        tx.core.execute(sa.insert(TABLE).values(name=name, **values, updated_at=tx.now))
    if name.startswith("each/"):
        _tell_keys(tx, name, after, counted)
    for one, count in counted.items():
        tx.core.execute(sa.update(TABLE).where(COLUMNS.name == one).values(taken=COLUMNS.taken + count))
    if is_new or (_limits(row) and not _limits(after)):
        _tell_sessions(tx, name, there=is_new)
    limits.stir(tx, [name])


def _limits(row: Mapping[str, Any]) -> bool:
    return row.get("cap") is not None or row.get("rate") is not None


def _adopt(tx: Transaction, name: str) -> Counter[str]:
    """Lets what runs under a new limit hold it; how many tasks, by limit."""
    kind, rest = name.split("/", 1)
    under = {
        "queue": TASK.queue == rest,
        "type": TASK.task_type == rest,
        "key": TASK.limit_key == name,
        "each": sa.and_(TASK.task_type == rest, TASK.limit_key.is_not(None)),
    }.get(kind)
    if under is None:
        return Counter()
    query = sa.select(TASK.id, TASK.limit_key, TASK.holds).where(TASK.status == RUNNING, under)
    counted: Counter[str] = Counter()
    held = []
    for id_, key, text in tx.core.execute(query.order_by(TASK.id).with_for_update()).all():
        one, holds = key if kind == "each" else name, json.loads(text or "[]")
        if one not in holds:
            counted[one] += 1
            held.append({"id": id_, "holds": compact([*holds, one])})
    if held:
        tx.run("hold", held)
    return counted


def _tell_keys(tx: Transaction, name: str, row: Mapping[str, Any], counted: Mapping[str, int]) -> None:
    """What a template says holds for its keys, but those of which an operator said something. Who waits there
    is woken as the new words allow: now, or by the next sweep if there are very many."""
    tx.run("limits_make", [{"name": one, "template": name} for one in sorted(counted)])
    prefix = f"key/{name.removeprefix('each/')}/"
    values = {word: row.get(word) for word in ("cap", "rate", "per_ms")} | {"wake_at": None}
    keys = (COLUMNS.name.startswith(prefix, autoescape=True), COLUMNS.changed_at.is_(None))
    tx.core.execute(sa.update(TABLE).where(*keys).values(**values, updated_at=tx.now))
    waits = sa.select(TASK.id).where(TASK.status == BLOCKED, TASK.blocked_on == COLUMNS.name).exists()
    asked = sa.select(COLUMNS.name).where(*keys, waits).order_by(COLUMNS.name).limit(MOST_STIRRED)
    limits.stir(tx, tx.core.execute(asked).scalars())


def _tell_sessions(tx: Transaction, name: str, *, there: bool) -> None:
    """Writes into each living session that the limit is there, or no longer."""
    if not name.startswith(("queue/", "type/")):
        return
    without = sa.func.replace(sa.func.coalesce(WORKER.limited, ","), f",{name},", ",")
    value = without.concat(f"{name},") if there else without
    tx.core.execute(sa.update(schema.worker).where(WORKER.ended_at.is_(None)).values(limited=value))


def listed(
    tx: Transaction, names: Sequence[str] | None = None, *, after: str = "", limit: int = 1000
) -> list[dict[str, Any]]:
    """The rows of these limits, or of all behind `after`, with the number of tasks `blocked` on each."""
    waiting = sa.select(sa.func.count()).where(TASK.status == BLOCKED, TASK.blocked_on == COLUMNS.name)
    query = sa.select(TABLE, waiting.scalar_subquery().label("blocked")).where(COLUMNS.name != ALL)
    query = query.where(COLUMNS.name > after) if names is None else query.where(COLUMNS.name.in_(names))
    return [dict(row) for row in tx.core.execute(query.order_by(COLUMNS.name).limit(limit)).mappings()]
