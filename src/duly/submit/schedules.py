"""Schedules from outside: what is asked for or declared becomes a valid `Schedule`; the steering of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import uuid_utils

from duly.model.calendar import Rhythm, rhythm, upcoming
from duly.model.errors import DulyError, InvalidInput, ScheduleNotFound, StateConflict
from duly.model.events import Emit
from duly.model.schedule import CATCH_UP_MOST, CatchUp, Schedule
from duly.model.task import Task, check_name
from duly.registry import Registry
from duly.store import lists, schedules
from duly.store.database import Database
from duly.store.schedules import Kept, Wish
from duly.submit.admit import Options, admit

NEXT_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """When a schedule ticks: a cron line in a time zone, or every so many seconds."""

    cron: str | None = None
    zone: str | None = None
    every: float | None = None
    catch_up: str = "one"
    catch_up_most: int = CATCH_UP_MOST


def split(options: Mapping[str, Any]) -> tuple[Beat, Options]:
    """The words of a request: when it ticks, and what each tick's task is told."""
    beats = {field.name for field in fields(Beat)}
    told = {name: value for name, value in options.items() if name not in beats}
    if unknown := told.keys() - {field.name for field in fields(Options)}:
        raise InvalidInput(f"a schedule has no {', '.join(sorted(unknown))}")
    return Beat(**{name: options[name] for name in beats & options.keys()}), Options(**told)


def make(
    registry: Registry,
    name: str,
    task_type: str,
    input_: Any,
    options: Mapping[str, Any],
    *,
    now: int,
    source: str = "",
) -> Schedule:
    """A valid schedule; `due` and `deadline` among the options are seconds after each tick.

    Raises:
        InvalidInput: a calendar that is none, or what a submit of that task would be refused for.
    """
    beat, told = split(options)
    for word in ("due", "deadline"):
        if isinstance(getattr(told, word), str | dt.datetime):
            raise InvalidInput(f"{word} of a schedule must be seconds after its tick, not a moment")
    if told.idempotency_key is not None:
        raise InvalidInput("a schedule makes an idempotency key for each of its ticks; give it none")
    beats, catch_up = _check_beat(beat, now)
    submission = admit(registry, task_type, input_, told, 0)
    if any(place.valid_until is not None for to in submission.conditions.deliver for place in to.places):
        raise InvalidInput("valid_until of a target is a moment; a schedule's task has none yet")
    return Schedule(
        name=name,
        rhythm=beats,
        input=submission.input,
        conditions=submission.conditions,
        catch_up=catch_up,
        catch_up_most=beat.catch_up_most,
        source=source,
    )


def _check_beat(beat: Beat, now: int) -> tuple[Rhythm, CatchUp]:
    try:
        catch_up = CatchUp(beat.catch_up)
    except ValueError:
        raise InvalidInput(f"catch_up must be {', '.join(CatchUp)}, not {beat.catch_up!r}") from None
    return rhythm(cron=beat.cron, zone=beat.zone, every=beat.every, anchor_at=now), catch_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A schedule as the code declares it; its task type may come further down."""

    name: str
    task_type: str
    input: Any
    options: Mapping[str, Any]


def declared(name: str, task_type: str, input_: Any, options: Mapping[str, Any]) -> Planned:
    """What the code declares, its words and its calendar checked.

    Raises:
        InvalidInput: a name, a cron line, a zone, an interval or an option that is none.
    """
    check_name(name, "a schedule's name", 100)
    beat, _ = split(options)
    _check_beat(beat, 0)
    return Planned(name=name, task_type=task_type, input=input_, options=options)


class Schedules:
    """All that can be asked of schedules, through one database. A key is (tenant, name).

    `owner`, where it can be given, is the only one whose schedules are seen; None sees all.
    """

    def __init__(self, database: Database, registry: Registry, *, emit: Emit) -> None:
        self._database = database
        self._registry = registry
        self._emit = emit

    async def keep(
        self,
        name: str,
        task_type: str,
        input_: Any,
        options: Mapping[str, Any],
        *,
        replaces: bool = False,
        by: str | None = None,
    ) -> tuple[Schedule, bool]:
        """Keeps a schedule; answers it and whether it is new. `by`: who alone may replace his own.

        Raises:
            InvalidInput: see `make`.
            StateConflict: the name is another schedule's, or one that the code declares.
        """
        made = make(self._registry, name, task_type, input_, options, now=self._database.clock.now_ms())
        kept: Kept = await self._database.write(schedules.keep, Wish(made, replaces, by))
        if kept is Kept.TAKEN:
            raise StateConflict(f"there is a schedule {name} already", code="schedule_taken")
        if kept is Kept.DECLARED:
            raise _declared(name)
        self._emit("schedule.kept", schedule=name, kept=kept.value)
        return await self.get(made.key), kept is Kept.CREATED

    async def get(self, key: schedules.Key, *, owner: str | None = None) -> Schedule:
        """One schedule.

        Raises:
            ScheduleNotFound: there is none, or it is somebody else's: the same answer.
        """
        found = await self._database.read(schedules.get, key) if _is_name(key[1]) else None
        if found is None or owner not in (None, found.conditions.owner):
            raise ScheduleNotFound(f"there is no schedule {key[1]}")
        return found

    async def page(
        self,
        tenant: str | None = None,
        owner: str | None = None,
        *,
        limit: int = 1000,
        after: schedules.Key | None = None,
    ) -> list[Schedule]:
        """Schedules by tenant and name, those behind `after`; None means all."""
        return await self._database.read(schedules.page, tenant, owner, limit, after)

    async def pause(self, key: schedules.Key) -> Schedule:
        """Stops the ticks until it is resumed; tasks that were submitted run on."""
        return await self._steer(schedules.pause, key)

    async def resume(self, key: schedules.Key) -> Schedule:
        """Lets it tick again; what fell into the pause is not made up for."""
        return await self._steer(schedules.resume, key)

    async def _steer(self, verb: Callable[..., Sequence[bool]], key: schedules.Key) -> Schedule:
        if not await self._database.write(verb, key):
            raise ScheduleNotFound(f"there is no schedule {key[1]}")
        self._emit(f"schedule.{verb.__name__}", schedule=key[1])
        return await self.get(key)

    async def run(self, key: schedules.Key) -> Task:
        """Submits its task now, beside its ticks; or answers the living one that holds its `unique` key."""
        accepted = await self._database.write(schedules.run, (key, str(uuid_utils.uuid7())))
        if accepted is None:
            raise ScheduleNotFound(f"there is no schedule {key[1]}")
        self._emit("schedule.run", schedule=key[1], task_id=accepted.id)
        task = await self._database.read(lists.get, accepted.id)
        if task is None:
            raise DulyError(f"the task {accepted.id} was deleted at once")
        return task

    async def remove(self, key: schedules.Key) -> None:
        """Forgets it; tasks that were submitted stay.

        Raises:
            StateConflict: the code declares it.
        """
        if (await self.get(key)).source:
            raise _declared(key[1])
        await self._database.write(schedules.remove, key)
        self._emit("schedule.removed", schedule=key[1])

    async def sync(self, sources: Mapping[str, Sequence[Planned]]) -> None:
        """Writes down what the code declares; see `duly.store.schedules.sync`.

        Raises:
            InvalidInput: a task type or an input that no handler takes, a name that is declared twice.
        """
        if not any(sources.values()) and not await self._database.read(schedules.declared_by, list(sources)):
            return
        program = [
            schedules.Declared(source=source, schedules=tuple(self._made(one, source) for one in planned))
            for source, planned in sources.items()
        ]
        keys = [schedule.key for declared in program for schedule in declared.schedules]
        if twice := sorted({name for tenant, name in keys if keys.count((tenant, name)) > 1}):
            raise InvalidInput(f"declared twice: the schedule {', '.join(twice)}")
        done = await self._database.write(schedules.sync, program)
        if any(done):
            told = {what: ", ".join(names) for what, names in done._asdict().items() if names}
            self._emit("schedule.synced", **told)

    def _made(self, planned: Planned, source: str) -> Schedule:
        now = self._database.clock.now_ms()
        try:
            return make(
                self._registry,
                planned.name,
                planned.task_type,
                planned.input,
                planned.options,
                now=now,
                source=source,
            )
        except InvalidInput as error:
            raise InvalidInput(f"schedule {planned.name}: {error.message}") from None

    def upcoming(self, schedule: Schedule, count: int = 5) -> list[int]:
        """Its next ticks, in milliseconds UTC; of a paused one those it would have."""
        if not 1 <= count <= NEXT_MOST:
            raise InvalidInput(f"count must be 1..{NEXT_MOST}, not {count}")
        now = self._database.clock.now_ms()
        return upcoming(schedule.rhythm, now if schedule.next_at is None else schedule.next_at - 1, count)


def _declared(name: str) -> StateConflict:
    said = f"the schedule {name} is declared in the code: change it there; it can be paused here"
    return StateConflict(said, code="schedule_declared")


def _is_name(text: str) -> bool:
    try:
        return bool(check_name(text, "name", 100))
    except InvalidInput:
        return False
