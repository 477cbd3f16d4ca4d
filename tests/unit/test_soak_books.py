"""What a soak reads in the end: bad rows, made by hand, are seen; the recovery of a kill is told right."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from support import soak_kin
from support.history import Mark, Operation, Phase
from support.receiver import Received
from support.soak_books import Kept, judge
from support.soak_ledger import Line
from support.soak_recovery import percentile, recoveries
from support.soak_storm import Kill

END = {"attempt": 2}


def event(seq: int, type_: str, **data: Any) -> Any:
    """A line of the task's timeline."""
    return SimpleNamespace(task_id="1", seq=seq, type=type_, data=json.dumps(data))


def attempt(number: int, outcome: str, pid: int, started_at: float = 0, ended_at: float = 0) -> Any:
    """An attempt's row, joined with its worker's."""
    times = {"started_at": started_at * 1000, "ended_at": ended_at * 1000}
    return SimpleNamespace(task_id="1", attempt=number, outcome=outcome, pid=pid, **times)


TASK = SimpleNamespace(
    id="1",
    task_type="soak.work",
    idempotency_key="a",
    parent_id=None,
    status="completed",
    attempt=2,
    error_code=None,
    error=None,
    completed_at=1,
)
DELIVERY = SimpleNamespace(id="d", task_id="1", status="delivered", last_error=None)
KEPT = Kept(
    tasks=[TASK],
    events=[event(1, "step", name="mark", n=1, attempt=1), event(2, "completed", **END)],
    attempts=[attempt(1, "lost", 7), attempt(2, "completed", 8)],
    deliveries=[DELIVERY],
    results={"1": {"attempt": 2, "steps": [{"n": 0, "attempt": 1}]}},
    broken=[],
)
MARKS = [Mark(task="1", n=0, attempt=1)]


def sent(body: str = '{"data":{"id":"1","status":"completed"}}', id_: str = "d") -> Received:
    """A request at the receiver."""
    return Received(path="/hook", headers={"webhook-id": id_}, body=body.encode())


def history(phase: Phase = Phase.OK) -> list[Operation]:
    """The submission, and what the handlers noted."""
    first = Operation(
        proc="client", f="submit", key="a", task="1" if phase is Phase.OK else None, phase=phase
    )
    told = {"task": "1", "attempt": 2, "proc": "8"}
    claim = Operation(**told, f="claim", end=2)
    end = Operation(**told, f="outcome", begin=3, phase=Phase.INFO, status="completed")
    return [replace(first, begin=0, end=1), claim, end]


def wrong(kept: Kept = KEPT, **given: Any) -> set[str]:
    """The promises that are broken."""
    values = {"history": history(), "marks": MARKS, "hook": [sent(), sent()], **given}
    return {promise for promise, lines in judge(kept, **values).wrong.items() if lines}


def test_all_is_well() -> None:
    """A death, a second attempt that replays a step, an end, an answer sent twice: nothing is wrong."""
    assert wrong() == set()


def test_a_submission_without_an_answer_is_found_by_its_key() -> None:
    """It is counted as unknown and as recovered, and its task is explained."""
    verdict = judge(KEPT, history(Phase.INFO), MARKS, [sent()])
    assert (verdict.violations, verdict.unknown, verdict.recovered, verdict.acknowledged) == (0, 1, 1, 0)


@pytest.mark.parametrize(
    ("promise", "change"),
    [
        ("lost", {"tasks": []}),
        ("lost", {"tasks": [SimpleNamespace(**{**vars(TASK), "status": "running"})]}),
        ("recorded twice", {"events": [*KEPT.events, event(3, "completed", **END)]}),
        ("recorded twice", {"events": [*KEPT.events, event(3, "step", name="mark", n=1, attempt=1)]}),
        ("steps twice", {"events": [event(1, "step", name="mark", n=1, attempt=0), KEPT.events[1]]}),
        ("results", {"results": {"1": {"attempt": 1, "steps": []}}}),
        ("results", {"results": {"1": {"attempt": 2, "steps": [{"n": 0, "attempt": 2}]}}}),
        (
            "results",
            {"tasks": [SimpleNamespace(**{**vars(TASK), "status": "failed", "error_code": "timeout"})]},
        ),
        ("register", {"tasks": [SimpleNamespace(**{**vars(TASK), "attempt": 1})]}),
        ("deliveries", {"deliveries": [SimpleNamespace(**{**vars(DELIVERY), "status": "dead"})]}),
        ("deliveries", {"deliveries": [DELIVERY, SimpleNamespace(**{**vars(DELIVERY), "id": "e"})]}),
        ("deliveries", {"deliveries": []}),
        ("invariants", {"broken": ["not so"]}),
    ],
)
def test_a_bad_row_is_seen(promise: str, change: dict[str, Any]) -> None:
    """One thing is wrong in the database, and the promise it breaks is named."""
    assert promise in wrong(replace(KEPT, **change))


@pytest.mark.parametrize(
    "hook",
    [
        [],
        [sent(), sent('{"data":{"id":"1","status":"completed"},"more":1}')],
        [sent('{"data":{"id":"1","status":"failed"}}')],
        [sent('{"data":{"id":"2","status":"completed"}}')],
        [sent(), sent(id_="x")],
    ],
    ids=["nothing came", "two bodies", "another end", "another task", "an unknown id"],
)
def test_a_bad_answer_is_seen(hook: list[Received]) -> None:
    """Delivered is what the receiver has, unchanged, with the task's own end."""
    assert wrong(hook=hook) == {"deliveries"}


def line(number: int, at: float) -> Line:
    """The start of an attempt."""
    return Line(what="start", task="1", attempt=number, n=0, pid=6 + number, at=at)


NOW, WALL = time.monotonic(), time.time()
KILL = Kill(what="worker child", at=NOW - 10, pids=(7,))


def killed(*attempts: Any) -> Kept:
    """The task had these attempts, and ended just now."""
    task = SimpleNamespace(**{**vars(TASK), "completed_at": 1000 * WALL})
    return replace(KEPT, tasks=[task], attempts=attempts)


def test_recovery_counts_from_the_kill_to_the_next_start() -> None:
    """The handler's first line tells that it runs again."""
    found = killed(attempt(1, "lost", 7, WALL - 20, WALL - 9))
    assert recoveries(found, [line(1, NOW - 20), line(2, NOW - 7)], [KILL]) == {"worker child": [3.0]}


def test_losses_before_a_kill_are_not_its_doing() -> None:
    """A worker was paused, lost its tasks, and is killed later."""
    found = killed(attempt(1, "lost", 7, WALL - 20, WALL - 12))
    assert recoveries(found, [line(1, NOW - 20), line(2, NOW - 7)], [KILL]) == {"worker child": []}


def test_each_kill_has_its_own_recovery() -> None:
    """The next attempt dies of another kill before its handler's first line: it had been claimed in time."""
    found = killed(attempt(1, "lost", 7, WALL - 20, WALL - 9), attempt(2, "lost", 9, WALL - 8, WALL - 5))
    assert recoveries(found, [line(1, NOW - 20), line(3, NOW - 4)], [KILL]) == {"worker child": [2.0]}


def test_no_time_passes_while_the_database_is_away() -> None:
    """Of the three seconds it was away for one and a half."""
    found = killed(attempt(1, "lost", 7, WALL - 20, WALL - 9))
    away = [(NOW - 30, NOW - 25), (NOW - 11, NOW - 9), (NOW - 7.5, NOW)]
    seen = recoveries(found, [line(1, NOW - 20), line(2, NOW - 7)], [KILL], away)
    assert seen == {"worker child": [1.5]}


def test_a_task_that_only_ended_is_recovered() -> None:
    """It was cancelled while it waited."""
    found = killed(attempt(1, "lost", 7, WALL - 20, WALL - 9))
    assert recoveries(found, [line(1, NOW - 20)], [KILL]) == {"worker child": [10.0]}


def test_percentiles_are_values_that_were_seen() -> None:
    """The 99th of fifty is the largest; of nothing there is none."""
    assert percentile([float(n) for n in range(50, 0, -1)], 0.99) == 50
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2
    assert percentile([], 0.5) is None


def test_more_than_a_limit_allows_is_seen() -> None:
    """Three at once of a type of which two may; a third that begins when one ends is none too many."""
    tasks = [SimpleNamespace(id=str(n), task_type="soak.limited") for n in range(3)]

    def lines(third: int) -> list[Any]:
        times = [(0, 0, "started"), (0, 9, "lost"), (1, 1, "started"), (1, 9, "completed")]
        times += [(2, third, "started"), (2, 20, "completed")]
        return [SimpleNamespace(task_id=str(n), at=at, type=type_) for n, at, type_ in times]

    assert not list(soak_kin.exceeded(tasks, lines(9)))
    assert len(list(soak_kin.exceeded(tasks, lines(8)))) == 1


def test_a_tick_that_was_left_out_is_seen() -> None:
    """Ticks come every two seconds, whatever died meanwhile."""
    rows = [SimpleNamespace(idempotency_key=f"schedule/beat/{at}") for at in (2000, 4000, 8000)]
    assert not list(soak_kin.strange_ticks(rows[:2]))
    assert len(list(soak_kin.strange_ticks(rows))) == 1


def test_a_parent_that_heard_something_else_is_seen() -> None:
    """What it heard of its children is what they became, and none is left alive."""
    parent = SimpleNamespace(id="p", parent_id=None, status="completed")
    child = SimpleNamespace(id="c", parent_id="p", status="completed")
    results = {"p": {"kin": {"c": 1}}, "c": 1}
    assert not list(soak_kin.strange_families([parent, child], results))
    assert list(soak_kin.strange_families([parent, child], results | {"c": 2}))
    child.status = "pending"
    assert list(soak_kin.strange_families([parent, child], results))
