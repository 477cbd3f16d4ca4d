"""Suspend against the end of the last child, 400 times, on servers: no parent waits for ever (DESIGN 4.6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import children, claims, submissions
from support.families import gather, gathering, spawn, spawning
from support.races import RACES, race
from support.stores import Store, ending, submission, suspension

pytestmark = pytest.mark.only("postgres", "mariadb")


def families(store: Store) -> list[tuple[Claimed, Step, Claimed]]:
    """Parents that have come to a gather, and the one running child that each waits for."""
    store.write(submissions.submit, *[submission() for _ in range(RACES)])
    parents = store.claim(free=RACES)
    spawns = [spawning(parent, task_type="child") for parent in parents]
    store.write(children.spawn, *spawns)
    running = {one.id: one for one in store.claim(free=RACES, types=("child",))}
    asked = [gathering(parent, item.children[0].id) for parent, item in zip(parents, spawns, strict=True)]
    steps = store.write(children.gather, *asked)
    theirs = [running[item.children[0].id] for item in spawns]
    return list(zip(parents, steps, theirs, strict=True))


def test_no_suspension_misses_the_end_of_its_last_child(store: Store, others: list[Store]) -> None:
    """Whichever is first, the parent is pending, and was woken once."""

    def suspend(one: Store, family: tuple[Claimed, Step, Claimed]) -> None:
        parent, step, _ = family
        one.write(claims.finish, suspension(parent, step))

    race(
        others, families(store), suspend, lambda other, family: other.write(claims.finish, ending(family[2]))
    )
    statuses = store.rows("SELECT status, count(*) FROM task GROUP BY status ORDER BY status")
    assert statuses == [(Status.COMPLETED.value, RACES), (Status.PENDING.value, RACES)]
    assert store.rows("SELECT count(*) FROM event WHERE type = 'woken'") == [(RACES,)]


def test_children_that_end_at_once_are_all_counted(store: Store, others: list[Store]) -> None:
    """Of 200 children, ended by eight processes, none is missed and none counted twice."""
    parent = store.running()
    ids = spawn(store, parent, 200)
    running = store.claim(free=200)
    step = gather(store, parent, *ids)
    assert step is not None
    assert store.suspend(parent, step) is Status.WAITING

    def finish(lane: int) -> None:
        for child in running[lane :: len(others)]:
            others[lane].write(claims.finish, ending(child))

    with ThreadPoolExecutor(len(others)) as lanes:
        list(lanes.map(finish, range(len(others))))
    assert store.status(parent.id) is Status.PENDING
    assert store.rows("SELECT children, taken FROM step WHERE name = 'gather'") == [(0, 0)]
    assert store.events(parent.id).count("woken") == 1
