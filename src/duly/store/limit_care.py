"""What is looked after now and then: who waits where there is room, counts that are wrong, keys long idle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from duly.model.limit import ALL
from duly.store import limits, schema
from duly.store.limit_desk import BLOCKED, COLUMNS, RUNNING, TABLE, TASK
from duly.store.transaction import Transaction

#: A key's row that nobody needed for so long goes, in milliseconds; so many at a time.
IDLE_MS = 86_400_000
#: A limit's time to look for a token is never so much later than that of the next one, in milliseconds: then
#: the clock has jumped back.
JUMP_MS = 5_000
MOST = 500

#: Whether there is a limit at all, or somebody who waits for one; the star is none (`limit_desk`).
ANY = sa.select(sa.literal(1)).where(
    sa.or_(
        sa.select(COLUMNS.name).where(COLUMNS.name != ALL).exists(),
        sa.select(TASK.id).where(TASK.status == BLOCKED).exists(),
    )
)


def _gone(dialect: str) -> sa.Select[str]:
    """Names that somebody waits for without a row; from one name to the next by the index of who is blocked,
    so that many behind one name cost nothing."""
    names = _leapt() if dialect == "mariadb" else _followed()
    there = sa.select(COLUMNS.name).where(COLUMNS.name == names.c.name).exists()
    return sa.select(names.c.name).where(names.c.name.is_not(None), ~there).limit(MOST)


def _followed() -> sa.CTE:
    least = sa.select(sa.func.min(TASK.blocked_on).label("name")).where(TASK.status == BLOCKED)
    names = least.cte("waited_for", recursive=True)
    after = least.where(TASK.blocked_on > names.c.name).scalar_subquery()
    return names.union_all(sa.select(after).select_from(names).where(names.c.name.is_not(None)))


def _leapt() -> sa.Subquery:
    """MariaDB would read all who are blocked for each step; here it leaps by itself, or reads them once."""
    names = sa.select(TASK.blocked_on.label("name")).where(TASK.status == BLOCKED)
    leaps = names.group_by(TASK.status, TASK.blocked_on)
    return leaps.with_hint(schema.task, "FORCE INDEX (task_blocked)", "mysql").subquery()


class Found(NamedTuple):
    """What a sweep has to mend: limits for which somebody waits beside room, or though they are no more;
    those whose count is wrong."""

    roomy: list[str]
    wrong: list[str]


class Corrected(NamedTuple):
    """A limit whose count was wrong."""

    name: str
    taken: int
    counted: int


def look(tx: Transaction) -> Found:
    """Without a lock; what is found is looked at again under one. Without limits it is one small query."""
    if tx.core.execute(ANY).first() is None:
        return Found([], [])
    waits = sa.select(TASK.id).where(TASK.status == BLOCKED, TASK.blocked_on == COLUMNS.name).exists()
    # Tokens come by themselves, and the clock looks for them.
    forgotten = sa.or_(COLUMNS.wake_at.is_(None), COLUMNS.wake_at > _next_token(tx.now) + JUMP_MS)
    room = sa.or_(COLUMNS.cap.is_(None), COLUMNS.taken < COLUMNS.cap)
    roomy = sa.select(COLUMNS.name).where(room, waits, forgotten).order_by(COLUMNS.name)
    written = sa.select(COLUMNS.name, COLUMNS.taken).where(COLUMNS.taken != 0)
    taken = {row.name: row.taken for row in tx.core.execute(written)}
    counted = _counted(tx)
    wrong = [name for name in sorted({*taken, *counted}) if taken.get(name, 0) != counted[name]]
    names = [*tx.core.execute(roomy.limit(MOST)).scalars(), *tx.core.execute(_gone(tx.dialect)).scalars()]
    return Found(names, wrong[:MOST])


def _next_token(now: int) -> sa.ColumnElement[int]:
    """When a limit that has no token has one again."""
    return now + sa.func.coalesce(COLUMNS.per_ms // COLUMNS.rate, 0)


def _counted(tx: Transaction) -> Counter[str]:
    """How many running tasks hold each limit."""
    query = sa.select(TASK.holds).where(TASK.status == RUNNING, TASK.holds.is_not(None))
    # When a fifth of all tasks run, MariaDB would rather read all of them.
    query = query.with_hint(schema.task, "FORCE INDEX (task_held)", "mysql")
    return Counter(name for text in tx.core.execute(query).scalars() for name in json.loads(text))


def correct(tx: Transaction, names: Sequence[str]) -> list[Corrected | None]:
    """Counts anew what is wrong with these limits, under their lock; None: it was right."""
    rows = limits.locked(tx, names)
    counted = _counted(tx)
    answers: list[Corrected | None] = []
    for name in names:
        one = rows.get(name)
        if one is None:
            answers.append(None)
            continue
        # What ended in this transaction runs no more: its count is given back by this one.
        taken = max(0, one.taken - tx.freed.pop(name, 0))
        answers.append(None if taken == counted[name] else Corrected(name, taken, counted[name]))
        one.taken = counted[name]
    limits.write(tx, rows.values())
    limits.stir(tx, rows)
    return answers


def forget(tx: Transaction, items: Sequence[None]) -> list[int]:
    """Deletes keys that nobody holds, waits for or spoke of for a day and for a period of their rate, after
    which a new row is as full; counts them, at most 500 a call."""
    waits = sa.select(TASK.id).where(TASK.status == BLOCKED, TASK.blocked_on == COLUMNS.name).exists()
    refilled = COLUMNS.updated_at < tx.now - sa.func.coalesce(COLUMNS.per_ms, 0)
    idle = (COLUMNS.taken == 0, COLUMNS.changed_at.is_(None), COLUMNS.updated_at < tx.now - IDLE_MS, refilled)
    keys = sa.select(COLUMNS.name).where(COLUMNS.name > "key/", COLUMNS.name < "key0", *idle, ~waits)
    names = list(tx.core.execute(keys.order_by(COLUMNS.name).limit(MOST)).scalars())
    if names:
        limits.locked(tx, names)
        # Asked again in a later statement than the lock: a claim may have blocked somebody meanwhile.
        names = list(tx.core.execute(keys.where(COLUMNS.name.in_(names))).scalars())
        tx.core.execute(sa.delete(TABLE).where(COLUMNS.name.in_(names)))
    return [len(names) for _ in items]
