"""Which version of its code a task belongs to, and that only workers that have it take the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from duly.model.job import Opened, Submitted, Word, signal_name
from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import children, claims, items, jobs, journal, recall
from support.families import gathering, spawning
from support.stores import Store, lines, request, step, words

#: A verb, and what an attempt gives it.
Deed = tuple[Callable[..., Any], Any]


def begun(store: Store, version: str = "1", **overrides: object) -> Claimed:
    """A running task with a step of this version; nothing else may be pending."""
    claimed = store.running(**overrides)  # type: ignore[arg-type]
    assert store.write(journal.record_steps, step(claimed, version=version)) == [True]
    return claimed


def parked(store: Store, version: str = "1", **overrides: object) -> str:
    """A task that was handed back after a step of this version."""
    claimed = begun(store, version, **overrides)
    assert store.finish(claimed, Status.PENDING) is Status.PENDING
    return claimed.id


def taken(store: Store, *versions: str, session: str = "w2", **more: object) -> list[str]:
    """The ids of what a worker with these versions claims."""
    return [one.id for one in store.claim(session, types=words(*versions), **more)]


def test_a_task_without_a_step_is_nobodys(store: Store) -> None:
    """A worker of any version takes it; so it does after lines, output and a hand-back."""
    claimed = store.running()
    store.write(journal.append, lines(claimed, "hello", progress=0.5))
    store.finish(claimed, Status.PENDING)
    assert store.task(claimed.id).code_version is None
    assert taken(store, "9") == [claimed.id]


def test_the_first_step_makes_it_its_versions(store: Store) -> None:
    """From the step's own commit on the row says so."""
    claimed = store.running()
    store.write(journal.record_steps, step(claimed, version="1"))
    assert store.task(claimed.id).code_version == "1"


def test_so_does_a_wait(store: Store) -> None:
    """It is a step too."""
    claimed = store.running()
    store.wait(claimed, "go", version="1")
    assert store.task(claimed.id).code_version == "1"


def spawned(claimed: Claimed) -> Deed:
    return children.spawn, spawning(claimed)


def gathered(claimed: Claimed) -> Deed:
    return children.gather, gathering(claimed)


def mapped(claimed: Claimed) -> Deed:
    one = items.Item(n=0, status="completed", tries=1, digest="d", result="1")
    batch = items.Items(id=claimed.id, attempt=claimed.attempt, name="pages", items=(one,), progress=0.5)
    return items.record_items, batch


def opened(claimed: Claimed) -> Deed:
    return told(claimed, Opened("hash"))


def tracked(claimed: Claimed) -> Deed:
    vendors = Step(name="film", n=1, digest="s", value='"v-1"', attempt=claimed.attempt)
    return told(claimed, Submitted(vendors, "v-1", 60_000, None, None))


def told(claimed: Claimed, word: Word) -> Deed:
    waits_for = signal_name("film", 1)
    end = Step(name="film", n=2, digest="w", value="null", attempt=claimed.attempt, waits_for=waits_for)
    return jobs.report, jobs.Report(
        id=claimed.id, attempt=claimed.attempt, name="film", n=1, wait=end, word=word
    )


@pytest.mark.parametrize("deed", [spawned, gathered, mapped, opened, tracked])
def test_so_does_whatever_is_recorded_first(store: Store, deed: Callable[[Claimed], Deed]) -> None:
    """A child, a gather, an item of a map, a job that is opened or submitted; once it stands it changes no
    version, and the timeline goes on behind what it had."""
    claimed = store.running()
    store.write(journal.append, lines(claimed, "hello"))
    verb, item = deed(claimed)
    for version in ("1", "2"):
        store.write(verb, replace(item, version=version))
        assert store.task(claimed.id).code_version == "1"
    store.write(journal.append, lines(claimed, "bye"))
    assert (store.events(claimed.id)[2], store.events(claimed.id)[-1]) == ("log", "log")


def test_code_without_a_version_has_the_empty_one(store: Store) -> None:
    """A worker that names a version by now leaves such a task alone unless it can continue it."""
    id_ = parked(store, "")
    assert store.task(id_).code_version == ""
    assert taken(store, "2") == []
    assert taken(store, "2", "") == [id_]


def test_only_a_worker_that_has_its_version_takes_it(store: Store) -> None:
    """Another one neither finds nor charges it; the one that has it does at once."""
    id_ = parked(store)
    other = request(types=words("2"))
    before = store.events(id_)
    assert not store.read(claims.startable, other)
    assert taken(store, "2") == taken(store, "10", "11") == taken(store) == []
    assert (store.events(id_), store.task(id_).retry_count) == (before, 0)
    assert store.read(claims.startable, request(types=words("1")))
    assert taken(store, "2", "1") == [id_]


def test_the_version_of_one_type_is_none_of_anothers(store: Store) -> None:
    """Both have a version 1."""
    id_ = parked(store, task_type="demo")
    others = (*words("1", task_type="other"), *words("2"))
    assert store.claim("w2", types=others) == []
    assert [one.id for one in store.claim("w2", types=(*others, "demo@1"))] == [id_]


def test_suspects_are_left_to_their_version_too(store: Store) -> None:
    """In a quarantine as outside of it."""
    claimed = begun(store)
    store.rescue("w1")
    [again] = store.claim("w3", types=words("1"))
    store.rescue("w3")
    assert (again.id, store.task(again.id).suspect) == (claimed.id, 1)
    assert not store.read(claims.startable, request(types=words("2"), beside=()))
    assert taken(store, "2", beside=()) == []
    assert store.read(claims.startable, request(types=words("1"), beside=()))
    assert taken(store, "1", beside=()) == [claimed.id]


def test_what_one_cannot_run_hides_nothing_that_it_can(store: Store) -> None:
    """Two versions share a queue: each finds its own behind the other's, in the queue's order."""
    ids = [parked(store, str(1 + number % 2), priority=10 - number) for number in range(6)]
    new = store.submit(priority=1)
    assert taken(store, "2", free=10) == [*ids[1::2], new]
    assert taken(store, "1", free=10) == ids[0::2]


def test_a_late_step_of_a_lost_attempt_changes_no_version(store: Store) -> None:
    """It is refused whole, whatever code the current attempt runs."""
    stale = store.running(session="old")
    store.rescue("old")
    [current] = store.claim("new")
    group = [step(stale, "late", version="1"), step(current, version="2")]
    assert store.write(journal.record_steps, *group) == [False, True]
    assert store.task(current.id).code_version == "2"
    assert store.wait(stale, "go", version="1") is None
    assert store.write(journal.record_steps, step(stale, "later", version="1")) == [False]
    assert store.task(current.id).code_version == "2"


def test_a_step_that_stands_already_changes_no_version(store: Store) -> None:
    """Only what is new is anybody's; a wait that is asked for again is not."""
    claimed = begun(store)
    store.wait(claimed, "go", version="1")
    store.write(journal.record_steps, step(claimed, version="2"))
    store.wait(claimed, "go", version="2")
    assert store.task(claimed.id).code_version == "1"


def test_who_continues_a_task_makes_it_its_own(store: Store) -> None:
    """From its first new step on the old code, which does not know that step, must not run it again."""
    id_ = parked(store)
    [claimed] = store.claim("w2", types=words("2", "1"))
    store.write(journal.record_steps, step(claimed, "more", version="2"))
    store.finish(claimed, Status.PENDING)
    assert taken(store, "1") == []
    assert taken(store, "2") == [id_]


@pytest.mark.parametrize("end", [Status.RETRY, Status.FAILED])
def test_a_retry_keeps_the_version_with_the_steps(store: Store, end: Status) -> None:
    """The clock's as well as an operator's."""
    claimed = begun(store)
    store.finish(claimed, end)
    if end is Status.RETRY:
        store.advance(10)
    else:
        store.retry(claimed.id)
    assert store.read(recall.steps, claimed.id)
    assert taken(store, "2") == []
    assert taken(store, "1") == [claimed.id]


def test_versions_compare_byte_by_byte(store: Store) -> None:
    """To the last of their 64 characters."""
    id_ = parked(store, "v1.2-a_B:" + "x" * 55)
    assert taken(store, "v1.2-a_b:" + "x" * 55) == taken(store, "v1.2-a_B:" + "x" * 54) == []
    assert taken(store, "v1.2-a_B:" + "x" * 55) == [id_]
