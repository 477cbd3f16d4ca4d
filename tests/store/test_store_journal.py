"""What a running attempt writes: steps once, timeline lines without a gap, streamed output until it ends."""

from __future__ import annotations

import json

import pytest

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import journal, lists, recall
from duly.store.journal import Lines, Part
from duly.store.transaction import Row, Transaction
from support.stores import Store, lines, step


def superseded(store: Store) -> tuple[Claimed, Claimed]:
    """A lost attempt and the current one of the same task."""
    stale = store.running(session="old")
    store.rescue("old")
    [current] = store.claim("new")
    return stale, current


def part(claimed: Claimed, number: int, text: str) -> Part:
    return Part(id=claimed.id, attempt=claimed.attempt, part=number, text=text)


def test_a_step_is_remembered_with_its_value(store: Store) -> None:
    """Name, number, digest and value come back; the timeline has a line of it."""
    claimed = store.running()
    one = step(claimed, value='{"n":[1,"界"]}')
    assert store.write(journal.record_steps, one) == [True]
    assert store.read(recall.steps, claimed.id) == [one.step]
    assert store.events(claimed.id)[-1] == "step"


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_the_first_recorded_value_of_a_step_stands(store: Store, together: bool) -> None:
    """A second record of the same step, sent again or in error, changes neither value nor timeline."""
    claimed = store.running()
    items = [step(claimed, value='"first"'), step(claimed, value='"second"')]
    for group in [items] if together else [[one] for one in items]:
        assert store.write(journal.record_steps, *group) == [True] * len(group)
    assert [one.value for one in store.read(recall.steps, claimed.id)] == ['"first"']
    assert store.events(claimed.id).count("step") == 1


def test_steps_of_one_name_are_told_apart_by_their_numbers(store: Store) -> None:
    """In one batch and with values of all sizes."""
    claimed = store.running()
    values = [json.dumps("v" * size) for size in (1, 5_000, 1_500_000)]
    store.write(journal.record_steps, *(step(claimed, n=n, value=text) for n, text in enumerate(values, 1)))
    assert [one.value for one in store.read(recall.steps, claimed.id)] == values


def test_remembered_steps_are_read_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, in the order they were recorded: one look at the steps, none for each."""
    claimed = store.running()
    looks: list[str] = []
    run = Transaction.run

    def counted(tx: Transaction, name: str, *batch: object, **more: object) -> list[Row]:
        looks.append(name)
        return run(tx, name, *batch, **more)

    monkeypatch.setattr(Transaction, "run", counted)
    for group in ("a", "b"):
        items = [step(claimed, name=group, n=n, value=f'"{group}{n}"') for n in range(1, 41)]
        store.write(journal.record_steps, *items)
    looks.clear()
    found = store.read(recall.steps, claimed.id)
    assert [one.value for one in found] == [f'"{group}{n}"' for group in ("a", "b") for n in range(1, 41)]
    assert looks == ["recalled"]


def test_steps_of_an_earlier_attempt_are_remembered(store: Store) -> None:
    """What was paid for by a lost attempt is there for the next."""
    stale = store.running(session="old")
    store.write(journal.record_steps, step(stale))
    store.rescue("old")
    store.claim("new")
    assert [one.attempt for one in store.read(recall.steps, stale.id)] == [1]


def test_several_lines_of_one_task_in_one_batch_are_all_kept(store: Store) -> None:
    """Three writes of one task and one of another, in one group: every line, in order, without a gap."""
    one, two = store.running(), store.running()
    store.write(journal.append, lines(one, "a", "b"), lines(two, "x"), lines(one, "c"), lines(one, "d"))
    told = [event.data["message"] for event in store.read(lists.events, one.id, 2)]
    assert told == ["a", "b", "c", "d"]
    assert [event.seq for event in store.read(lists.events, one.id)] == [1, 2, 3, 4, 5, 6]
    assert store.task(one.id).seq == 6


def test_a_line_keeps_its_data(store: Store) -> None:
    """JSON in, JSON out, whatever the characters."""
    claimed = store.running()
    data = {"text": '界 \u2028 "quoted" \' -- ; \\', "n": [1, 2.5, None, True]}
    item = Lines(id=claimed.id, attempt=claimed.attempt, events=((EventType.USAGE, data),))
    store.write(journal.append, item)
    assert store.read(lists.events, claimed.id)[-1].data == data


def test_the_latest_progress_of_a_batch_counts(store: Store) -> None:
    """Progress is a state, not a history; lines without progress leave it as it is."""
    claimed = store.running()
    items = [
        lines(claimed, progress=0.2, message="a"),
        lines(claimed, progress=0.7, message="b"),
        lines(claimed, "x"),
    ]
    store.write(journal.append, *items)
    task = store.task(claimed.id)
    assert (task.progress, task.progress_message) == (0.7, "b")


@pytest.mark.parametrize("verb", [journal.record_steps, journal.append, journal.stream])
def test_a_stale_attempt_writes_nothing(store: Store, verb: journal.Fenced) -> None:
    """In one group with the current attempt, each item is fenced by itself."""
    stale, current = superseded(store)
    before = store.task(stale.id).seq
    items = {
        journal.record_steps: [step(stale, "stale"), step(current, "current")],
        journal.append: [lines(stale, "stale", progress=0.9), lines(current, "current")],
        journal.stream: [part(stale, 0, "stale"), part(current, 0, "current")],
    }[verb]
    assert store.write(verb, *items) == [False, True]
    assert store.task(stale.id).seq - before == (0 if verb is journal.stream else 1)
    kept = store.rows(
        "SELECT name FROM step UNION ALL SELECT text FROM partial UNION ALL SELECT data FROM event"
    )
    assert "stale" not in str(kept)


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.RETRY, Status.WAITING], ids=str)
def test_an_attempt_that_has_ended_writes_nothing(store: Store, end: Status) -> None:
    """Late lines of a handler that went on are refused, also while nobody else has the task."""
    claimed = store.running()
    store.finish(claimed, end)
    assert store.write(journal.append, lines(claimed, "late")) == [False]
    assert store.write(journal.record_steps, step(claimed)) == [False]


def test_streamed_output_is_read_from_a_place_on(store: Store) -> None:
    """A reader that knows a part gets what follows; the same part again changes nothing."""
    claimed = store.running()
    store.write(journal.stream, part(claimed, 0, "one "), part(claimed, 1, "two "))
    store.write(journal.stream, part(claimed, 1, "again"), part(claimed, 2, "three"))
    assert store.read(lists.partial, claimed.id) == [(1, 0, "one "), (1, 1, "two "), (1, 2, "three")]
    assert store.read(lists.partial, claimed.id, (1, 1)) == [(1, 2, "three")]


@pytest.mark.parametrize("end", [Status.COMPLETED, Status.RETRY], ids=str)
def test_streamed_output_is_deleted_when_its_attempt_ends(store: Store, end: Status) -> None:
    """The result has taken its place, or the next attempt begins anew."""
    claimed, other = store.running(), store.running()
    store.write(journal.stream, part(claimed, 0, "text"), part(other, 0, "kept"))
    store.finish(claimed, end)
    assert store.rows("SELECT text FROM partial") == [("kept",)]


def test_a_batch_may_hold_steps_of_several_tasks(store: Store) -> None:
    """Each task's steps and numbers are its own."""
    runs = [store.running() for _ in range(3)]
    store.write(journal.record_steps, *(step(one, value=f'"{one.id}"') for one in runs))
    assert [store.read(recall.steps, one.id)[0].value for one in runs] == [f'"{one.id}"' for one in runs]


def test_the_order_of_steps_is_that_of_their_recording(store: Store) -> None:
    """A reader sees the steps as they happened."""
    claimed = store.running()
    for name in ("zeta", "alpha"):
        store.write(journal.record_steps, step(claimed, name))
        store.clock.advance(1)
    assert [one.name for one in store.read(recall.steps, claimed.id)] == ["zeta", "alpha"]


def test_a_recorded_step_can_be_read(store: Store) -> None:
    """Its value as JSON, while the task runs too; nothing of one that is not there."""
    claimed = store.running()
    assert store.read(lists.recorded, claimed.id, "facts") is None
    store.write(journal.record_steps, step(claimed, value='{"a": [1]}'))
    assert store.read(lists.recorded, claimed.id, "facts") == '{"a": [1]}'
    assert store.read(lists.recorded, claimed.id, "others") is None
