"""The history checker knows bad histories: each is made by hand and has one thing wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from support.history import NEVER, Mark, Operation, Phase, repeated_steps, total_queue
from support.soak_register import explained, unexplained


def submit(key: str, task: str | None, phase: Phase = Phase.OK) -> Operation:
    """A client's try to submit, and what it was told."""
    return Operation(proc="client", f="submit", key=key, task=task, phase=phase, begin=0, end=1)


class TestTotalQueue:
    """Submissions against what is there in the end."""

    def test_what_was_acknowledged_and_ended_is_well(self) -> None:
        """One answer, one task, one end."""
        queue = total_queue([submit("a", "1")], [("a", "1")], ["1"])
        assert (queue.attempted, queue.acknowledged) == ({"a"}, {"a"})
        assert not queue.lost | queue.unexpected | queue.duplicated | queue.stuck | queue.recovered

    @pytest.mark.parametrize(
        ("kept", "ended"),
        [([], []), ([("a", "1")], []), ([("a", "2")], ["2"])],
        ids=["gone", "open", "other"],
    )
    def test_lost(self, kept: list[tuple[str, str]], ended: list[str]) -> None:
        """Acknowledged, and then gone, never ended, or another task than the one that was named."""
        assert total_queue([submit("a", "1")], kept, ended).lost == {"a"}

    def test_unexpected(self) -> None:
        """A task that nobody asked for, and one whose submission was surely refused."""
        refused = submit("b", None, Phase.FAIL)
        queue = total_queue([refused], [("a", "1"), ("b", "2")], ["1", "2"])
        assert queue.unexpected == {"a", "b"}

    @pytest.mark.parametrize(
        ("tries", "kept"),
        [
            ([submit("a", "1")], [("a", "1"), ("a", "2")]),
            ([submit("a", None, Phase.INFO)], [("a", "1"), ("a", "2")]),
            ([submit("a", "1"), submit("a", "2")], [("a", "2")]),
        ],
        ids=["two kept", "two kept of one unknown", "two named"],
    )
    def test_duplicated(self, tries: list[Operation], kept: list[tuple[str, str]]) -> None:
        """One key, two tasks: in the database, or in the answers."""
        assert total_queue(tries, kept, [id_ for _, id_ in kept]).duplicated == {"a"}

    def test_recovered_is_no_fault(self) -> None:
        """A submission with a lost answer that was carried out once."""
        queue = total_queue([submit("a", None, Phase.INFO)], [("a", "1")], ["1"])
        assert (queue.unknown, queue.recovered) == ({"a"}, {"a"})
        assert not queue.lost | queue.unexpected | queue.duplicated | queue.stuck

    def test_never_carried_out_is_no_fault_either(self) -> None:
        """A submission with a lost answer of which nothing is there."""
        queue = total_queue([submit("a", None, Phase.INFO)], [], [])
        assert (queue.unknown, queue.recovered) == ({"a"}, set())

    def test_stuck(self) -> None:
        """A submission with a lost answer whose task never ends."""
        assert total_queue([submit("a", None, Phase.INFO)], [("a", "1")], []).stuck == {"a"}

    def test_a_second_try_resolves_the_first(self) -> None:
        """Unknown, then acknowledged under the same key: one submission."""
        queue = total_queue([submit("a", None, Phase.INFO), submit("a", "1")], [("a", "1")], ["1"])
        assert (queue.unknown, queue.acknowledged, queue.duplicated) == (set(), {"a"}, set())


class TestRepeatedSteps:
    """The ledger of effects against the recorded steps."""

    def test_an_earlier_attempt_may_have_run_it_too(self) -> None:
        """It died, or lost its lease, before it could record."""
        marks = [Mark(task="1", n=0, attempt=1), Mark(task="1", n=0, attempt=2)]
        assert repeated_steps(marks, {("1", 0): 2}) == []

    def test_a_later_attempt_may_not(self) -> None:
        """The value was there to be remembered."""
        marks = [Mark(task="1", n=0, attempt=1), Mark(task="1", n=0, attempt=2)]
        assert len(repeated_steps(marks, {("1", 0): 1})) == 1

    def test_no_attempt_runs_a_step_twice(self) -> None:
        """Also one that recorded nothing."""
        assert len(repeated_steps([Mark(task="1", n=0, attempt=1)] * 2, {})) == 1


def seen(f: str, begin: float, end: float, **what: Any) -> Operation:
    """An operation on the task `1`; one that has no end may or may not have happened."""
    phase = Phase.INFO if end == NEVER else Phase.OK
    return Operation(proc="p", f=f, phase=phase, begin=begin, end=end, task="1", **what)


def read(begin: float, end: float, status: str, attempt: int) -> Operation:
    return seen("read", begin, end, status=status, attempt=attempt)


SUBMITTED = seen("submit", 0, 1, key="a")
CLAIMED = seen("claim", float("-inf"), 3, attempt=1)
CLAIMED_AGAIN = seen("claim", float("-inf"), 7, attempt=2)
RETURNED = seen("outcome", 5, NEVER, attempt=1, status="completed")
RETURNED_AGAIN = seen("outcome", 9, NEVER, attempt=2, status="completed")
CANCELLED = seen("cancel", 4, 5)

GOOD = {
    "an ordinary life": [
        SUBMITTED,
        read(1, 2, "pending", 0),
        CLAIMED,
        read(3, 4, "running", 1),
        RETURNED,
        read(6, 7, "completed", 1),
    ],
    "reads that overlap the end": [
        SUBMITTED,
        CLAIMED,
        RETURNED,
        read(5, 9, "completed", 1),
        read(5, 9, "running", 1),
    ],
    "a loss between two attempts": [
        SUBMITTED,
        CLAIMED,
        read(4, 5, "pending", 1),
        CLAIMED_AGAIN,
        RETURNED_AGAIN,
        read(10, 11, "completed", 2),
    ],
    "an outcome that was not recorded": [
        SUBMITTED,
        CLAIMED,
        RETURNED,
        CLAIMED_AGAIN,
        read(8, 9, "running", 2),
    ],
    "a submission without an answer": [seen("submit", 0, NEVER, key="a"), CLAIMED],
    "the same submission twice": [
        SUBMITTED,
        seen("submit", 6, 7, key="a"),
        CLAIMED,
        read(4, 5, "running", 1),
    ],
    "a cancel while it ran": [SUBMITTED, CLAIMED, CANCELLED, read(6, 7, "cancelled", 1)],
    "a cancel that came too late": [SUBMITTED, CLAIMED, CANCELLED, RETURNED, read(6, 7, "completed", 1)],
    "a retry": [
        SUBMITTED,
        CLAIMED,
        seen("outcome", 4, NEVER, attempt=1, status="retry"),
        read(4, 5, "retry", 1),
        CLAIMED_AGAIN,
    ],
    "given up after four deaths": [
        SUBMITTED,
        *(seen("claim", float("-inf"), 2 + n, attempt=n) for n in (1, 2, 3, 4)),
        read(8, 9, "failed", 4),
    ],
}

BAD = {
    "a claim that nobody submitted": [CLAIMED],
    "the same attempt claimed twice": [SUBMITTED, CLAIMED, seen("claim", float("-inf"), 4, attempt=1)],
    "an attempt left out": [SUBMITTED, CLAIMED_AGAIN],
    "back to an earlier attempt": [
        SUBMITTED,
        CLAIMED,
        CLAIMED_AGAIN,
        read(8, 9, "running", 2),
        read(10, 11, "running", 1),
    ],
    "back to life": [SUBMITTED, CLAIMED, RETURNED, read(6, 7, "completed", 1), read(8, 9, "running", 1)],
    "claimed after its end": [SUBMITTED, CLAIMED, RETURNED, read(6, 7, "completed", 1), CLAIMED_AGAIN],
    "completed without an outcome": [SUBMITTED, CLAIMED, read(6, 7, "completed", 1)],
    "completed by an attempt that had lost it": [
        SUBMITTED,
        CLAIMED,
        CLAIMED_AGAIN,
        seen("outcome", 8, NEVER, attempt=1, status="completed"),
        read(9, 10, "completed", 1),
    ],
    "completed before the handler returned": [SUBMITTED, CLAIMED, read(3, 4, "completed", 1), RETURNED],
    "cancelled and then run": [SUBMITTED, seen("cancel", 1, 2), seen("claim", 2.5, 3, attempt=1)],
    "cancelled though nobody asked": [SUBMITTED, CLAIMED, read(6, 7, "cancelled", 1)],
    "started again although a stop was asked for": [
        SUBMITTED,
        CLAIMED,
        CANCELLED,
        read(5.5, 6, "running", 1),
        CLAIMED_AGAIN,
    ],
    "seen before it was there": [seen("submit", 5, 6, key="a"), read(1, 2, "pending", 0)],
    "given up too early": [SUBMITTED, CLAIMED, read(6, 7, "failed", 1)],
    "a retry that ended it": [
        SUBMITTED,
        CLAIMED,
        seen("outcome", 4, NEVER, attempt=1, status="retry"),
        read(5, 6, "completed", 1),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_an_order_is_found(name: str) -> None:
    """What can happen is explained, in whatever order it was written down."""
    assert explained(GOOD[name])
    assert explained(GOOD[name][::-1])


@pytest.mark.parametrize("name", BAD)
def test_no_order_is_found(name: str) -> None:
    """What cannot happen is seen, in whatever order it was written down."""
    assert not explained(BAD[name])
    assert not explained(BAD[name][::-1])


def test_the_complaint_names_the_task() -> None:
    """It says which task, and what was seen of it; others are not named."""
    other = Operation(proc="p", f="submit", task="2", key="b", begin=0, end=1)
    [complaint] = unexplained([other, *BAD["back to life"]])
    assert complaint.startswith("1: ")
    assert "completed 1" in complaint


def test_many_reads_are_no_burden() -> None:
    """A task that was looked at three hundred times, three at once, is judged at once."""
    looks = [read(3 + n / 100, 3.05 + n / 100, "running", 1) for n in range(300)]
    assert explained([SUBMITTED, CLAIMED, *looks])
    assert not explained([SUBMITTED, CLAIMED, *looks, read(8, 9, "pending", 0)])
