"""Schedules in the store: kept, steered, ticked once per slot, and what becomes of ticks that were missed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa

from duly.claim.ticker import plan
from duly.clock import iso
from duly.model.calendar import Cron, Every
from duly.model.schedule import CatchUp, Schedule
from duly.model.state import Status
from duly.model.task import Conditions, Target
from duly.store import lists, migrate, schedules
from duly.store.migrations.versions import r0004_schedules
from duly.store.schedules import Declared, Kept, Wish
from support.stores import Store, new_id

KEY = ("", "pulse")


def schedule(name: str = "pulse", *, every: float = 10, **overrides: Any) -> Schedule:
    """A valid schedule, each ten seconds."""
    told = overrides.pop("conditions", None) or Conditions(task_type="demo")
    values = {"rhythm": Every(every_ms=round(every * 1000)), "input": '{"n":1}', "conditions": told}
    return Schedule(name=name, **{**values, **overrides})


def keep(store: Store, one: Schedule, **wish: Any) -> Kept:
    return store.write(schedules.keep, Wish(one, **wish))[0]  # type: ignore[no-any-return]


def kept(store: Store, **overrides: Any) -> Schedule:
    """It, as it stands in the store."""
    one = schedule(**overrides)
    assert keep(store, one) is Kept.CREATED
    return row(store, one.key)


def row(store: Store, key: tuple[str, str] = KEY) -> Schedule:
    found = store.read(schedules.get, key)
    assert found is not None
    return found  # type: ignore[no-any-return]


def tick(store: Store) -> list[Any]:
    """One look of a worker: what was accepted for each schedule that was due."""
    found = store.read(schedules.due)
    if not found.schedules:
        return []
    return store.write(schedules.tick, *[plan(one, found.now) for one in found.schedules])


def ticks(store: Store) -> list[str]:
    """The ticks whose tasks there are, oldest first."""
    return [task.metadata["tick"] for task in reversed(store.read(lists.page, lists.Filter(), limit=2000))]


def at(store: Store, seconds: float) -> str | None:
    """A moment, in seconds from now, as a task's metadata says it."""
    return iso(store.clock.now_ms() + round(seconds * 1000))


def test_the_table_comes_and_goes(store: Store) -> None:
    """An older database gets it, and loses only it on the way back; up twice is up once."""
    database = store.database
    task = store.submit()
    migrate.downgrade(database, r0004_schedules.down_revision)
    with database.engine().connect() as connection:
        assert not sa.inspect(connection).has_table("schedule")
    for _ in range(2):
        migrate.upgrade(database)
    assert migrate.differences(database) == []
    kept(store)
    assert store.status(task) is Status.PENDING


FULL = Conditions(
    task_type="demo",
    queue="side",
    tenant="acme",
    owner="ann",
    priority=7,
    due_at=1_000,
    deadline_at=60_000,
    timeout_ms=5_000,
    max_retries=1,
    result_ttl_ms=90_000,
    unique="one at a time",
    tags=("daily", "报告"),
    metadata={"who": "ann", "n": [1, 2]},
    deliver=(Target(channel="inbox"), Target(channel="webhook", url="https://example.org/hook")),
    limit_key="key/demo/acme/a",
)


def test_a_tick_is_told_all_that_a_submit_can_be_told(store: Store) -> None:
    """Each field of the conditions travels; moments count from the tick. A new field must join this test."""
    own = {"body_hash", "idempotency_key"}
    for field in dataclasses.fields(Conditions):
        default = field.default if field.default is not dataclasses.MISSING else {}
        assert field.name in own or getattr(FULL, field.name) != default, f"say {field.name} in FULL"
    one = kept(store, conditions=FULL)
    assert one.conditions == FULL
    store.clock.advance(10)
    now = store.clock.now_ms()
    [submission] = plan(one, now).submissions
    assert dataclasses.replace(
        submission.conditions, body_hash="", idempotency_key=None
    ) == dataclasses.replace(
        FULL,
        due_at=now + 1_000,
        deadline_at=now + 60_000,
        metadata={**FULL.metadata, "schedule": "pulse", "tick": iso(now)},
    )
    [[accepted]] = tick(store)
    task = store.task(accepted.id)
    assert (task.status, task.tags, task.owner) == (Status.SCHEDULED, ("daily", "报告"), "ann")
    assert store.deliveries(task.id) == ["held", "held"]


def test_each_tick_is_one_task(store: Store) -> None:
    """With the schedule's input; the next one is not before its time."""
    kept(store)
    assert tick(store) == []
    for _ in range(3):
        store.clock.advance(10)
        [[accepted]] = tick(store)
        assert store.status(accepted.id) is Status.PENDING
        assert tick(store) == []
    assert row(store).last_task_id == accepted.id
    assert ticks(store) == [at(store, -20), at(store, -10), at(store, 0)]


def test_a_tick_that_two_processes_work_out_is_submitted_once(store: Store) -> None:
    """Whoever comes second finds the row moved on, and writes nothing."""
    one = kept(store)
    store.clock.advance(10)
    first, second = (plan(one, store.clock.now_ms()) for _ in range(2))
    assert store.write(schedules.tick, first)[0] is not None
    assert store.write(schedules.tick, second) == [None]
    assert store.write(schedules.tick, first) == [None]
    assert len(ticks(store)) == 1


def test_a_tick_worked_out_twice_in_one_transaction_is_submitted_once(store: Store) -> None:
    """Also when the writer gathers both into one group."""
    one = kept(store)
    store.clock.advance(10)
    answers = store.write(schedules.tick, *[plan(one, store.clock.now_ms()) for _ in range(2)])
    assert [answer is None for answer in answers] == [False, True]
    assert len(ticks(store)) == 1


def test_a_tick_has_a_key_of_its_own(store: Store) -> None:
    """Even a schedule that was forgotten and made anew does not submit a tick again."""
    one = kept(store)
    store.clock.advance(10)
    tick(store)
    again = plan(one, store.clock.now_ms())
    store.write(schedules.remove, KEY)
    fresh = kept(store)
    [[accepted]] = store.write(schedules.tick, again._replace(schedule=fresh))
    assert not accepted.created
    assert len(ticks(store)) == 1


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [(CatchUp.SKIP, []), (CatchUp.ONE, [-70]), (CatchUp.ALL, [-370, -270, -170, -70])],
)
def test_missed_ticks_are_made_up_for_as_the_schedule_says(
    store: Store, catch_up: CatchUp, expected: list[int]
) -> None:
    """After an absence: none of them, the last one, or all; then it goes on in its old beat."""
    kept(store, every=100, catch_up=catch_up)
    store.clock.advance(470)
    tick(store)
    assert ticks(store) == [at(store, seconds) for seconds in expected]
    assert row(store).next_at == store.clock.now_ms() + 30_000


def test_a_tick_that_is_a_little_late_is_not_missed(store: Store) -> None:
    """`skip` drops what is more than a minute late, not what a busy worker comes to a moment later."""
    kept(store, every=100, catch_up=CatchUp.SKIP)
    store.clock.advance(159)
    tick(store)
    assert ticks(store) == [at(store, -59)]


def test_a_long_absence_is_made_up_for_up_to_a_number(store: Store) -> None:
    """Of 8,640 missed ticks the last 150 are submitted, in portions, in order."""
    kept(store, catch_up=CatchUp.ALL, catch_up_most=150)
    store.clock.advance(86_400)
    counts = []
    while answers := tick(store):
        counts.append(len(answers[0]))
    assert counts == [100, 50]
    assert ticks(store) == [at(store, -10 * back) for back in range(149, -1, -1)]


def test_a_schedule_in_a_zone_ticks_by_its_clocks(store: Store) -> None:
    """The fake clock starts at 2027-01-15 08:00 UTC: 16:00 in Shanghai."""
    one = kept(store, rhythm=Cron(line="30 16 * * *", zone="Asia/Shanghai"))
    assert one.next_at == store.clock.now_ms() + 1_800_000
    store.clock.advance(1_800)
    tick(store)
    assert row(store).next_at == store.clock.now_ms() + 86_400_000


def test_a_paused_schedule_does_not_tick_and_does_not_catch_up(store: Store) -> None:
    """What falls into the pause is gone; afterwards it keeps its beat."""
    kept(store, catch_up=CatchUp.ALL)
    store.clock.advance(5)
    assert store.write(schedules.pause, KEY, KEY) == [True, True]
    store.clock.advance(100)
    assert tick(store) == []
    assert store.write(schedules.resume, KEY, KEY) == [True, True]
    assert row(store).next_at == store.clock.now_ms() + 5_000
    assert store.write(schedules.pause, ("", "none")) == [False]


def test_a_tick_that_was_worked_out_before_a_pause_is_not_submitted(store: Store) -> None:
    """Neither one worked out before any other change: its task would be the old one."""
    for number, change in enumerate((schedules.pause, schedules.keep)):
        one = kept(store, name=f"s{number}")
        store.clock.advance(10)
        old = plan(one, store.clock.now_ms())
        store.write(change, one.key if change is schedules.pause else Wish(schedule(one.name, input="{}")))
        assert store.write(schedules.tick, old) == [None]
    assert ticks(store) == []


def test_run_now_is_beside_the_ticks(store: Store) -> None:
    """A task at once, even while paused; the next tick stays where it was. Sent again it is the same task."""
    one = kept(store)
    id_ = new_id()
    for _ in range(2):
        [accepted] = store.write(schedules.run, (KEY, id_))
        assert (accepted.id, accepted.created) == (id_, True)
    assert store.task(id_).metadata == {"schedule": "pulse"}
    assert row(store) == one
    store.write(schedules.pause, KEY)
    assert store.write(schedules.run, (KEY, new_id()), (("", "none"), new_id()))[1] is None


def test_a_unique_schedule_does_not_overlap_itself(store: Store) -> None:
    """While the task of one tick lives, the next ticks are that task."""
    kept(store, conditions=Conditions(task_type="demo", unique="pulse"))
    for created in (True, False):
        store.clock.advance(10)
        [[accepted]] = tick(store)
        assert accepted.created is created
    assert len(ticks(store)) == 1


def test_a_change_keeps_the_beat_and_the_pause(store: Store) -> None:
    """Another input moves no tick; another interval counts from the change; a pause stays either way."""
    one = kept(store)
    store.clock.advance(3)
    assert keep(store, schedule(input="{}")) is Kept.CHANGED
    assert keep(store, schedule(input="{}")) is Kept.SAME
    assert row(store).next_at == one.next_at
    store.write(schedules.pause, KEY)
    assert keep(store, schedule(every=7)) is Kept.CHANGED
    assert (row(store).paused_at, row(store).next_at) == (store.clock.now_ms(), None)
    store.write(schedules.resume, KEY)
    assert row(store).next_at == store.clock.now_ms() + 7_000


def test_a_name_is_one_schedule_in_its_tenant(store: Store) -> None:
    """Nobody replaces another owner's, and creating does not replace."""
    anns = Conditions(task_type="demo", tenant="acme", owner="ann")
    kept(store, conditions=anns)
    kept(store)
    assert keep(store, schedule(conditions=anns), replaces=False) is Kept.TAKEN
    bobs = schedule(conditions=dataclasses.replace(anns, owner="bob"))
    assert keep(store, bobs, owner="bob") is Kept.TAKEN
    assert keep(store, bobs) is Kept.CHANGED
    assert [one.conditions.owner for one in store.read(schedules.page)] == ["", "bob"]
    assert store.read(schedules.page, "acme", "ann") == []


def declare(store: Store, *programs: tuple[str, tuple[Schedule, ...]]) -> Any:
    declared = [
        Declared(source=source, schedules=tuple(dataclasses.replace(one, source=source) for one in them))
        for source, them in programs
    ]
    [done] = store.write(schedules.sync, declared)
    return done


def test_what_the_code_declares_is_written_down(store: Store) -> None:
    """New ones, changed ones, and none that it no longer has; those of other programs and by hand stay."""
    kept(store, name="by.hand")
    declare(store, ("theirs", (schedule("other"),)))
    assert declare(store, ("ours", (schedule("a"), schedule("b")))).created == ("a", "b")
    assert not any(declare(store, ("ours", (schedule("a"), schedule("b")))))
    done = declare(store, ("ours", (schedule("a", input="{}"),)))
    assert (done.created, done.changed, done.removed) == ((), ("a",), ("b",))
    assert [one.name for one in store.read(schedules.page)] == ["a", "by.hand", "other"]
    assert declare(store, ("ours", ())).removed == ("a",)


def test_a_users_pause_survives_a_sync(store: Store) -> None:
    """Also when the code changed meanwhile, and when the schedule moved to another module."""
    declare(store, ("ours", (schedule(),)))
    store.write(schedules.pause, KEY)
    store.clock.advance(100)
    declare(store, ("ours", (schedule(every=20),)))
    declare(store, ("ours", ()), ("moved", (schedule(every=20),)))
    assert row(store).paused_at is not None
    assert row(store).source == "moved"
    assert tick(store) == []


def test_what_the_code_declares_is_the_codes(store: Store) -> None:
    """It is not replaced or removed from outside: the next start would bring it back."""
    declare(store, ("ours", (schedule(),)))
    assert keep(store, schedule(every=5)) is Kept.DECLARED
    assert store.write(schedules.remove, KEY) == [False]
    assert row(store).source == "ours"


def test_a_row_that_this_host_cannot_read_stops_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may lack a time zone; it says so, and ticks the rest."""
    kept(store, name="strange", rhythm=Cron(line="* * * * *", zone="Asia/Tokyo"))
    kept(store)
    store.clock.advance(60)
    read = schedules._schedule

    def reading(values: Any) -> Schedule:
        if values["zone"] == "Asia/Tokyo":
            return read({**values, "zone": "Mars/Olympus"})
        return read(values)

    monkeypatch.setattr(schedules, "_schedule", reading)
    found = store.read(schedules.due)
    assert [one.name for one in found.schedules] == ["pulse"]
    assert "Mars/Olympus" in found.unreadable["strange"]


def test_the_next_tick_is_the_next_thing_that_is_due(store: Store) -> None:
    """What asks when the clock must act next, hears of schedules too."""
    one = kept(store)
    assert store.read(lists.next_due) == one.next_at
    store.write(schedules.pause, KEY)
    assert store.read(lists.next_due) is None
