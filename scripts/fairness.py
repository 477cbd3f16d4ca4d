"""How a queue is shared, with real claims. Prints one JSON line: `make fairness DATABASE=postgres`, or `all`.

`place`: behind 10,000 tasks of one owner, which start is the newcomer's only one (at most 3).
`shares`: of three owners with long backlogs and weights 1, 1 and 2, which part of 2,000 starts is whose (a
quarter, a quarter, a half, each within a tenth of it).
`claim_ratio`: what a claim of 64 and its finish cost with 10,000 tasks of 100 owners pending, against 10,000
of one owner; `_double`: the same with weights 1 and 2 (both at most 1.2). `_weighted`: with weights 1..5,
where the tasks of one claim, submitted in turn, lie on up to five times as many pages; told, and not judged.
Exits 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uuid_utils

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed, Submission
from duly.store import claims, migrate, sessions, submissions, weights
from duly.store.database import Database
from duly.store.weights import Share, Sharer
from support import servers  # type: ignore[import-not-found]

BACKLOG, STARTS, OWNERS, ROUNDS, AT_ONCE = 10_000, 2_000, 100, 100, 64
MOST_PLACE, MOST_RATIO, WITHIN = 3, 1.2, 0.1
SHARES = {"ann": 0.25, "bob": 0.25, "double": 0.5}


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


def measure(url: str) -> dict[str, Any]:
    """The figures of one empty database."""
    database = Database(url)
    migrate.ensure(database)
    database.open()
    try:
        figures = {"place": place(database), "shares": shares(database), **claim_ratio(database, "", 1)}
        return figures | claim_ratio(database, "_double", 2) | claim_ratio(database, "_weighted", 5)
    finally:
        database.close()


def kept(figures: dict[str, Any]) -> bool:
    """Whether all that is promised holds."""
    shared = all(abs(figures["shares"][owner] - part) <= WITHIN * part for owner, part in SHARES.items())
    cheap = max(figures["claim_ratio"], figures["claim_ratio_double"]) <= MOST_RATIO
    return bool(shared and cheap and figures["place"] <= MOST_PLACE)


def main() -> int:
    """Reads the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--database", choices=["sqlite", *servers.KINDS, "all"], default="sqlite")
    database = parser.parse_args().database
    figures = []
    with tempfile.TemporaryDirectory(prefix="duly-fairness-") as folder:
        for kind in ["sqlite", *servers.KINDS] if database == "all" else [database]:
            url = f"sqlite:///{folder}/duly.db" if kind == "sqlite" else servers.database_url(kind)
            figures.append({"database": kind, **measure(url)})
            print(f"fairness: {figures[-1]}", file=sys.stderr, flush=True)
    print(json.dumps(figures[0] if len(figures) == 1 else figures))
    return 0 if all(map(kept, figures)) else 1


if __name__ == "__main__":
    sys.exit(main())
