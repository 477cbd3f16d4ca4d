"""`Schedule`: what is submitted at each tick, under which conditions, and how it stands in the store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from duly.clock import iso
from duly.model import wire
from duly.model.calendar import Cron, Every, Rhythm, due_ticks, upcoming
from duly.model.errors import InvalidInput
from duly.model.task import Conditions, Submission, Target, check_name

#: How late a tick may be and still counts as met, in milliseconds; what is later was missed.
GRACE_MS = 60_000
#: How many missed ticks `CatchUp.ALL` makes up for, unless a schedule says; and the most it may say.
CATCH_UP_MOST = 100
CATCH_UP_LIMIT = 1_000
#: What each tick says of its own; a schedule keeps none of it.
OF_THE_TICK = ("body_hash", "idempotency_key")


class CatchUp(StrEnum):
    """What becomes of the ticks that fell while nobody was there to submit them."""

    #: The last one, if it is less than a minute late; else none.
    SKIP = "skip"
    #: The last one.
    ONE = "one"
    #: All of them, oldest first; of very many the last ones.
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A task that is submitted once per tick. (tenant, name) is its key; times are milliseconds UTC.

    `conditions` holds tenant, owner and task type too; its `due_at` and `deadline_at` count from the tick.
    `source`: the program that declares it in its code; empty for one that was made by hand.
    `next_at` is the first tick not yet submitted; None while it is paused.
    """

    name: str
    rhythm: Rhythm
    input: str
    conditions: Conditions
    catch_up: CatchUp = CatchUp.ONE
    catch_up_most: int = CATCH_UP_MOST
    source: str = ""
    next_at: int | None = None
    last_at: int | None = None
    last_task_id: str | None = None
    paused_at: int | None = None
    version: int = 1
    created_at: int = 0
    updated_at: int = 0

    def __post_init__(self) -> None:
        check_name(self.name, "a schedule's name", 100)
        most = self.catch_up_most
        if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= CATCH_UP_LIMIT:
            raise InvalidInput(f"catch_up_most must be 1..{CATCH_UP_LIMIT}, not {most!r}")
        if any(getattr(self.conditions, name) for name in OF_THE_TICK):
            raise InvalidInput("a schedule makes an idempotency key for each of its ticks; give it none")

    @property
    def key(self) -> tuple[str, str]:
        """What tells it apart: a name is one schedule in its tenant."""
        return self.conditions.tenant, self.name

    def same(self, other: Schedule) -> bool:
        """Whether both say the same, wherever they stand."""
        return _definition(self) == _definition(other) and same_beat(self.rhythm, other.rhythm)

    def due(self, now: int) -> list[int]:
        """The ticks that are to be submitted now, by its catch-up; perhaps none of those that have come."""
        if self.next_at is None or self.next_at > now:
            return []
        if self.catch_up is CatchUp.ALL:
            return due_ticks(self.rhythm, self.next_at, now, self.catch_up_most)
        [last] = due_ticks(self.rhythm, self.next_at, now, 1)
        late = self.catch_up is CatchUp.SKIP and now - last > GRACE_MS
        return [] if late else [last]

    def submission(self, id_: str, tick: int | None, now: int) -> Submission:
        """The task of one tick; None is a run beside the ticks. It knows its schedule by its metadata."""
        told = self.conditions
        at = now if tick is None else tick
        metadata = {**told.metadata, "schedule": self.name}
        own: dict[str, Any] = {
            "due_at": None if told.due_at is None else at + told.due_at,
            "deadline_at": None if told.deadline_at is None else at + told.deadline_at,
        }
        if tick is not None:
            metadata["tick"] = iso(tick)
            own |= {"idempotency_key": f"schedule/{self.name}/{tick}", "body_hash": "schedule"}
        return Submission(id_, self.input, dataclasses.replace(told, metadata=metadata, **own))


def same_beat(one: Rhythm, other: Rhythm) -> bool:
    """Whether two calendars are the same, whatever moment an interval is counted from."""
    if isinstance(one, Every) and isinstance(other, Every):
        return one.every_ms == other.every_ms
    return one == other


def _definition(schedule: Schedule) -> tuple[Any, ...]:
    told = (schedule.key, schedule.input, kept(schedule.conditions), schedule.source)
    return (*told, schedule.catch_up, schedule.catch_up_most)


def kept(conditions: Conditions) -> str:
    """Conditions as the JSON text that a schedule's row holds."""
    fields = {
        field.name: getattr(conditions, field.name)
        for field in dataclasses.fields(conditions)
        if field.name not in OF_THE_TICK
    }
    deliver = [dataclasses.asdict(to) for to in conditions.deliver]
    return wire.dumps({**fields, "metadata": dict(conditions.metadata), "deliver": deliver})


def restored(text: str) -> Conditions:
    """The conditions of such a text."""
    fields = json.loads(text)
    fields |= {"tags": tuple(fields["tags"]), "deliver": tuple(map(Target.of, fields["deliver"]))}
    return Conditions(**fields)


def schedule_wire(schedule: Schedule, now: int, *, ahead: int = 5) -> dict[str, Any]:
    """A schedule as every surface shows it: times as ISO 8601, spans in seconds, its next ticks."""
    told, beat = schedule.conditions, schedule.rhythm
    coming = [] if schedule.next_at is None else upcoming(beat, max(now, schedule.next_at - 1), ahead)
    return {
        "name": schedule.name,
        "task_type": told.task_type,
        "cron": beat.line if isinstance(beat, Cron) else None,
        "zone": beat.zone if isinstance(beat, Cron) else None,
        "every": beat.every_ms / 1000 if isinstance(beat, Every) else None,
        "catch_up": schedule.catch_up.value,
        "catch_up_most": schedule.catch_up_most,
        "paused": schedule.paused_at is not None,
        "next_at": iso(schedule.next_at),
        "next": [iso(tick) for tick in coming],
        "last_at": iso(schedule.last_at),
        "last_task_id": schedule.last_task_id,
        "source": schedule.source or None,
        "input": json.loads(schedule.input),
        **_terms(told),
        "paused_at": iso(schedule.paused_at),
        "created_at": iso(schedule.created_at),
        "updated_at": iso(schedule.updated_at),
    }


def _terms(told: Conditions) -> dict[str, Any]:
    """The conditions in the words of a request."""
    words: Mapping[str, Any] = {
        "tenant": told.tenant,
        "owner": told.owner,
        "queue": told.queue,
        "priority": told.priority,
        "due": None if told.due_at is None else told.due_at / 1000,
        "deadline": None if told.deadline_at is None else told.deadline_at / 1000,
        "timeout": told.timeout_ms / 1000,
        "max_retries": told.max_retries,
        "result_ttl": None if told.result_ttl_ms is None else told.result_ttl_ms / 1000,
        "unique": told.unique,
        "tags": list(told.tags),
        "metadata": dict(told.metadata),
        "deliver": [_target(to) for to in told.deliver],
    }
    return dict(words)


def _target(to: Target) -> dict[str, Any]:
    """A target as a request names it."""
    if to.first_of:
        return {"first_of": [_target(one) for one in to.first_of]}
    return {"channel": to.channel, **{name: value for name, value in to.stored.items() if value != ""}}
