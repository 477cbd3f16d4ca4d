"""The verbs of schedules: keep, pause, tick, run now, remove, the sync of what the code declares. Plain Core.

A tick is submitted in the transaction that moves its schedule on: under the lock of its row, and only if that
is as it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from duly.model.calendar import Cron, Every, Rhythm
from duly.model.errors import InvalidInput
from duly.model.schedule import CatchUp, Schedule, kept, restored, same_beat
from duly.model.task import Submission
from duly.store import schema
from duly.store.submissions import Accepted, accept
from duly.store.transaction import Transaction

TABLE = schema.schedule
COLUMNS = TABLE.c
Key = tuple[str, str]


class Kept(StrEnum):
    """What became of a schedule that was to be kept."""

    CREATED = "created"
    CHANGED = "changed"
    SAME = "same"
    #: Another one has this name; nothing is written.
    TAKEN = "taken"
    #: The code declares it, and decides; nothing is written.
    DECLARED = "declared"
    #: There is none of this name that the asker may see.
    UNKNOWN = "unknown"


class Wish(NamedTuple):
    """A schedule to keep. `owner`: the only one whose schedule it may replace; None: anybody's."""

    schedule: Schedule
    replaces: bool = True
    owner: str | None = None


class Tick(NamedTuple):
    """What was worked out from a schedule: the tasks of its due ticks, and what comes after them."""

    schedule: Schedule
    submissions: tuple[Submission, ...]
    last_at: int | None
    next_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All that one source, a module of a program, declares."""

    source: str
    schedules: tuple[Schedule, ...]


class Due(NamedTuple):
    """What has a tick to submit at `now`, the database's time.

    `unreadable`: what is wrong with rows by name; a host may lack a time zone that another one knew."""

    now: int
    schedules: list[Schedule]
    unreadable: dict[str, str]


class Synced(NamedTuple):
    """What a sync changed, as names."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def keep(tx: Transaction, items: Sequence[Wish]) -> list[Kept]:
    """Creates each schedule, or replaces what it said; a pause stays, and so does an unchanged calendar."""
    return [_keep(tx, item) for item in items]


def _keep(tx: Transaction, wish: Wish) -> Kept:
    schedule = wish.schedule
    old = _locked(tx, schedule.key)
    if old is None:
        return Kept.CREATED if _insert(tx, schedule) else Kept.TAKEN
    if not wish.replaces or wish.owner not in (None, old.conditions.owner):
        return Kept.TAKEN
    if old.source and not schedule.source:
        return Kept.DECLARED
    if old.same(schedule):
        return Kept.SAME
    steady = same_beat(old.rhythm, schedule.rhythm)
    rhythm = old.rhythm if steady else _anchored(schedule.rhythm, tx.now)
    next_at = old.next_at if steady or old.next_at is None else rhythm.after(tx.now)
    _change(tx, old, **_said(replace(schedule, rhythm=rhythm)), next_at=next_at)
    return Kept.CHANGED


def _anchored(rhythm: Rhythm, now: int) -> Rhythm:
    """An interval is counted from the moment at which it is kept first."""
    return replace(rhythm, anchor_at=now) if isinstance(rhythm, Every) else rhythm


def _insert(tx: Transaction, schedule: Schedule) -> bool:
    """Whether it was written; somebody may have been quicker, and no lock keeps a row that is not there."""
    rhythm = _anchored(schedule.rhythm, tx.now)
    row = {
        **_said(replace(schedule, rhythm=rhythm)),
        "next_at": rhythm.after(tx.now),
        "version": 1,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    statement: Any = postgresql.insert(TABLE).values(row).on_conflict_do_nothing()
    if tx.dialect != "postgres":
        statement = (
            sa.insert(TABLE).values(row).prefix_with("OR IGNORE" if tx.dialect == "sqlite" else "IGNORE")
        )
    return bool(tx.core.execute(statement).rowcount)


def _said(schedule: Schedule) -> dict[str, Any]:
    """The columns of what a schedule says."""
    told, rhythm = schedule.conditions, schedule.rhythm
    return {
        "tenant": told.tenant,
        "name": schedule.name,
        "owner": told.owner,
        "task_type": told.task_type,
        "input": schedule.input,
        "conditions": kept(told),
        "cron": rhythm.line if isinstance(rhythm, Cron) else None,
        "zone": rhythm.zone if isinstance(rhythm, Cron) else None,
        "every_ms": rhythm.every_ms if isinstance(rhythm, Every) else None,
        "anchor_at": rhythm.anchor_at if isinstance(rhythm, Every) else 0,
        "catch_up": schedule.catch_up.value,
        "catch_up_most": schedule.catch_up_most,
        "source": schedule.source,
    }


def _change(tx: Transaction, old: Schedule, **values: Any) -> None:
    """Writes to a row that is locked."""
    values |= {"version": old.version + 1, "updated_at": tx.now}
    tx.core.execute(sa.update(TABLE).where(*_is(old.key)).values(values))


def _is(key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    return COLUMNS.tenant == key[0], COLUMNS.name == key[1]


def _locked(tx: Transaction, key: Key, *, skip: bool = False) -> Schedule | None:
    """The row, locked; with `skip` None too while another process holds it."""
    query = sa.select(TABLE).where(*_is(key)).with_for_update(skip_locked=skip)
    row = tx.core.execute(query).mappings().first()
    return row and _schedule(row)


def tick(tx: Transaction, items: Sequence[Tick]) -> list[list[Accepted] | None]:
    """Submits what is due, each tick once however many processes ask; None: another was quicker."""
    won: dict[Key, Tick] = {}
    for item in sorted(items, key=lambda item: item.schedule.key):
        if item.schedule.key not in won and _ours(tx, item):
            won[item.schedule.key] = item
    submissions = [one for item in won.values() for one in item.submissions]
    accepted = iter(accept(tx, submissions) if submissions else ())
    told = {key: [next(accepted) for _ in item.submissions] for key, item in won.items()}
    for key, item in won.items():
        last = {"last_at": item.last_at, "last_task_id": told[key][-1].id} if told[key] else {}
        _change(tx, item.schedule, next_at=item.next_at, **last)
    return [told[key] if won.get(key := item.schedule.key) is item else None for item in items]


def _ours(tx: Transaction, item: Tick) -> bool:
    found = _locked(tx, item.schedule.key, skip=True)
    return found is not None and found.version == item.schedule.version


def run(tx: Transaction, items: Sequence[tuple[Key, str]]) -> list[Accepted | None]:
    """Submits a schedule's task at once, under the given id, beside its ticks; None: there is none."""
    answers: list[Accepted | None] = []
    for key, id_ in items:
        schedule = get(tx, key)
        found = [] if schedule is None else [schedule.submission(id_, None, tx.now)]
        answers.append(accept(tx, found)[0] if found else None)
    return answers


def pause(tx: Transaction, keys: Sequence[Key]) -> list[bool]:
    """Stops the ticks; whether there is such a schedule."""
    return [_steer(tx, key, _paused) for key in keys]


def resume(tx: Transaction, keys: Sequence[Key]) -> list[bool]:
    """Lets it tick again from now on: what fell into the pause is not made up for."""
    return [_steer(tx, key, _resumed) for key in keys]


def _steer(tx: Transaction, key: Key, change: Callable[[Transaction, Schedule], dict[str, Any]]) -> bool:
    schedule = _locked(tx, key)
    if schedule is not None and (values := change(tx, schedule)):
        _change(tx, schedule, **values)
    return schedule is not None


def _paused(tx: Transaction, schedule: Schedule) -> dict[str, Any]:
    return {} if schedule.paused_at is not None else {"paused_at": tx.now, "next_at": None}


def _resumed(tx: Transaction, schedule: Schedule) -> dict[str, Any]:
    if schedule.paused_at is None:
        return {}
    return {"paused_at": None, "next_at": schedule.rhythm.after(tx.now)}


def remove(tx: Transaction, keys: Sequence[Key]) -> list[bool]:
    """Forgets schedules that were made by hand; whether it was there. Their tasks stay."""
    gone = [sa.delete(TABLE).where(*_is(key), COLUMNS.source == "") for key in keys]
    return [bool(tx.core.execute(statement).rowcount) for statement in gone]


def sync(tx: Transaction, items: Sequence[Sequence[Declared]]) -> list[Synced]:
    """Makes the rows of a program's sources what its code says: new ones, changed ones, no others."""
    return [_sync(tx, item) for item in items]


def _sync(tx: Transaction, program: Sequence[Declared]) -> Synced:
    wanted = {schedule.key: schedule for declared in program for schedule in declared.schedules}
    became = {key: _keep(tx, Wish(wanted[key])) for key in sorted(wanted)}
    sources = [declared.source for declared in program]
    query = sa.select(COLUMNS.tenant, COLUMNS.name).where(COLUMNS.source.in_(sources))
    there = {(tenant, name) for tenant, name in tx.core.execute(query)}
    for key in sorted(there - wanted.keys()):
        tx.core.execute(sa.delete(TABLE).where(*_is(key), COLUMNS.source.in_(sources)))
    return Synced(
        created=_names(key for key, what in became.items() if what is Kept.CREATED),
        changed=_names(key for key, what in became.items() if what is Kept.CHANGED),
        removed=_names(there - wanted.keys()),
    )


def _names(keys: Iterable[Key]) -> tuple[str, ...]:
    return tuple(sorted(name for _, name in keys))


def declared_by(tx: Transaction, sources: Sequence[str]) -> bool:
    """Whether the code of any of these sources has declared a schedule."""
    query = sa.select(COLUMNS.name).where(COLUMNS.source.in_(sources)).limit(1)
    return tx.core.execute(query).first() is not None


def due(tx: Transaction, limit: int = 100) -> Due:
    """The schedules that have a tick to submit, the longest due first."""
    query = sa.select(TABLE).where(COLUMNS.next_at <= tx.now).order_by(COLUMNS.next_at).limit(limit)
    found = Due(tx.now, [], {})
    for row in tx.core.execute(query).mappings():
        try:
            found.schedules.append(_schedule(row))
        except InvalidInput as error:
            found.unreadable[row["name"]] = error.message
    return found


def get(tx: Transaction, key: Key) -> Schedule | None:
    """One schedule."""
    row = tx.core.execute(sa.select(TABLE).where(*_is(key))).mappings().first()
    return row and _schedule(row)


def page(
    tx: Transaction,
    tenant: str | None = None,
    owner: str | None = None,
    limit: int = 1000,
    after: Key | None = None,
) -> list[Schedule]:
    """Schedules by tenant and name, those behind `after`; None means all."""
    query = sa.select(TABLE).order_by(COLUMNS.tenant, COLUMNS.name).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(COLUMNS.tenant, COLUMNS.name) > after)
    for column, word in ((COLUMNS.tenant, tenant), (COLUMNS.owner, owner)):
        query = query if word is None else query.where(column == word)
    return [_schedule(row) for row in tx.core.execute(query).mappings()]


def _schedule(row: Any) -> Schedule:
    values = dict(row)
    cron, zone, every, anchor = (values.pop(name) for name in ("cron", "zone", "every_ms", "anchor_at"))
    rhythm: Rhythm = Cron(line=cron, zone=zone) if cron else Every(every_ms=every, anchor_at=anchor)
    for name in ("tenant", "owner", "task_type"):
        del values[name]
    values |= {"conditions": restored(values["conditions"]), "catch_up": CatchUp(values["catch_up"])}
    return Schedule(**values, rhythm=rhythm)
