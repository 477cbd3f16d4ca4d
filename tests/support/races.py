"""Races between stores of several processes: two verbs for one task, begun at the same moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from support.stores import Store

#: So many tasks are raced for. With a planted bug the first ones tell.
RACES = int(os.environ.get("DULY_TEST_RACES", "400"))
#: So many at once, each verb for one task: groups that wait for each other would hide the race.
LANES = 4
#: Seconds one verb waits for the other: one that takes longer hangs.
PATIENCE_SECONDS = 30

T = TypeVar("T")


def race(
    stores: Sequence[Store],
    tasks: Sequence[T],
    one: Callable[[Store, T], Any],
    other: Callable[[Store, T], Any],
    *,
    before: Callable[[Store, T], Any] = lambda _store, _task: None,
) -> list[tuple[Any, Any]]:
    """What `one` and `other` answered for each task, by lanes; `before` is called ahead of each `other`.

    `stores` are two for each lane. The first error ends its lane and is raised.
    """

    def run(lane: int) -> list[tuple[Any, Any]]:
        mine, theirs = stores[2 * lane], stores[2 * lane + 1]
        start = threading.Barrier(2, timeout=PATIENCE_SECONDS)

        def first() -> list[Any]:
            with _told(start):
                return [(start.wait(), one(mine, task))[1] for task in tasks[lane::LANES]]

        def second() -> list[Any]:
            with _told(start):
                return [
                    (before(theirs, task), start.wait(), other(theirs, task))[2]
                    for task in tasks[lane::LANES]
                ]

        with ThreadPoolExecutor(2) as threads:
            ends = [threads.submit(first), threads.submit(second)]
        errors = [error for end in ends if (error := end.exception())]
        for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
            raise error
        return list(zip(*(end.result() for end in ends), strict=True))

    with ThreadPoolExecutor(LANES) as lanes:
        return [said for lane in lanes.map(run, range(LANES)) for said in lane]


@contextmanager
def _told(start: threading.Barrier) -> Iterator[None]:
    """Who fails says so, and the other one need not wait for it."""
    try:
        yield
    except BaseException:
        start.abort()
        raise
