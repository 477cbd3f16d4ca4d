"""Measures how a queue is shared, with real claims: prints one JSON line. `scripts/fairness.py [URL]`.

`place`: behind 10,000 tasks of one owner, which start is the newcomer's only one (at most 3).
`shares`: of three owners with long backlogs and weights 1, 1 and 2, which part of 2,000 starts is whose.
`claim_ratio`: what a claim of 64 and its finish cost with 10,000 tasks of 100 owners pending, against 10,000
of one owner (at most 1.2); `_double`: the same with weights 1 and 2; `_weighted`: with weights 1..5, where
the tasks of one claim, submitted in turn, lie on up to five times as many pages.
URL is an empty database; without one it is a SQLite file that is thrown away.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from typing import Any

import uuid_utils

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed, Submission
from duly.store import claims, migrate, sessions, submissions, weights
from duly.store.database import Database
from duly.store.weights import Share, Sharer

BACKLOG, STARTS, OWNERS, ROUNDS, AT_ONCE = 10_000, 2_000, 100, 100, 64


class Line:
    """A queue of a database, and what is done to it."""

    def __init__(self, database: Database, queue: str) -> None:
        self._database = database
        self._queue = queue
        session = sessions.Session(id=queue, host="bench", pid=1, queues=(queue,))
        database.write_blocking(sessions.start, [session])

    def submit(self, *owners: str) -> None:
        """A task of each, a thousand in a transaction."""
        made = [self._submission(owner) for owner in owners]
        for begin in range(0, len(made), 1000):
            self._database.write_blocking(submissions.submit, made[begin : begin + 1000])

    def _submission(self, owner: str) -> Submission:
        words: dict[str, Any] = {"queue": self._queue, "task_type": "demo", "owner": owner}
        return Submission.of(id=str(uuid_utils.uuid7()), input="{}", body_hash="h", **words)

    def start(self, count: int) -> list[Claimed]:
        """One claim, which must bring so many; ended at once."""
        lane = claims.Lane(types=("demo",), free=count)
        request = claims.ClaimRequest(session=self._queue, queues=(self._queue,), lanes=(lane,))
        [claimed] = self._database.write_blocking(claims.claim, [request])
        if len(claimed) != count:
            raise SystemExit(f"a claim brought {len(claimed)} tasks, not {count}")
        self._database.write_blocking(claims.finish, [_end(one) for one in claimed])
        return list(claimed)

    def timed(self) -> float:
        """Milliseconds of a claim and its finish."""
        begun = time.perf_counter()
        self.start(AT_ONCE)
        return (time.perf_counter() - begun) * 1000


def _end(one: Claimed) -> claims.Finish:
    target, event = Status.COMPLETED, EventType.COMPLETED
    return claims.Finish(
        id=one.id, attempt=one.attempt, target=target, event=event, outcome="completed", result="null"
    )


def place(database: Database) -> int:
    """Which start from now on is the newcomer's."""
    line = Line(database, "place")
    line.submit(*["ann"] * BACKLOG)
    line.start(AT_ONCE)
    line.submit("bob")
    return next(number for number in range(1, BACKLOG) if line.start(1)[0].owner == "bob")


def shares(database: Database) -> dict[str, float]:
    """Each owner's part of the first starts."""
    database.write_blocking(weights.put, [Share(of=Sharer(owner="double"), weight=2)])
    line = Line(database, "shares")
    for owner in ("ann", "bob", "double"):
        line.submit(*[owner] * STARTS)
    seen = Counter(one.owner for _ in range(STARTS // 50) for one in line.start(50))
    return {owner: round(count / STARTS, 3) for owner, count in sorted(seen.items())}


def claim_ratio(database: Database, name: str, most: int) -> dict[str, float]:
    """Medians of turns taken in alternation, so that what else the machine does falls on both."""
    given = [Share(of=Sharer(owner=f"owner{number}"), weight=1 + number % most) for number in range(OWNERS)]
    database.write_blocking(weights.put, given)
    alone, many = Line(database, f"alone{name}"), Line(database, f"many{name}")
    alone.submit(*["ann"] * BACKLOG)
    many.submit(*[f"owner{number % OWNERS}" for number in range(BACKLOG)])
    times: dict[Line, list[float]] = {alone: [], many: []}
    for number in range(2 * ROUNDS):
        line = (alone, many, many, alone)[number % 4]
        times[line].append(line.timed())
    single, fair = statistics.median(times[alone]), statistics.median(times[many])
    return {
        f"alone{name}_ms": round(single, 2),
        f"many{name}_ms": round(fair, 2),
        f"claim_ratio{name}": round(fair / single, 3),
    }


def main() -> None:
    """Measures, and prints."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/duly.db")
        migrate.ensure(database)
        database.open()
        try:
            figures = {"place": place(database), "shares": shares(database), **claim_ratio(database, "", 1)}
            figures |= claim_ratio(database, "_double", 2) | claim_ratio(database, "_weighted", 5)
        finally:
            database.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
