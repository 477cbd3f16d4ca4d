"""What clients asked for and were told, compared with what came of it: the classes of Jepsen's total queue.

A timeout, a reset or an answer of 5xx leaves open whether the request was carried out: its phase is INFO.
`support.soak_register` looks at the same operations task by task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

#: Before all that was observed, and after it.
ALWAYS, NEVER = float("-inf"), float("inf")


class Phase(StrEnum):
    """How an operation ended, as the one who asked for it knows."""

    OK = "ok"
    #: It was surely not carried out.
    FAIL = "fail"
    #: It may or may not have been carried out, now or later.
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one process, from `begin` to `end` on the host's monotonic clock.

    `f` is submit, read, cancel, claim or outcome; `key` the idempotency key; `status` what was answered.
    """

    proc: str
    f: str
    phase: Phase = Phase.OK
    begin: float = ALWAYS
    end: float = NEVER
    task: str | None = None
    key: str | None = None
    attempt: int | None = None
    status: str | None = None

    def line(self) -> dict[str, Any]:
        """As JSON values."""
        ends = {"begin": self.begin if self.begin > ALWAYS else None, "end": self.end if self.sure else None}
        return {**asdict(self), "phase": self.phase.value, **ends}

    @property
    def sure(self) -> bool:
        """Whether it has an end that somebody saw."""
        return self.end < NEVER


@dataclass(slots=True)
class Queue:
    """Keys of submissions by what became of them. The last four must be empty, `recovered` need not be."""

    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    #: Unknown to their submitter, and yet done: fine.
    recovered: set[str] = field(default_factory=set)
    #: Acknowledged, and not ended; or the task that was named is not the one that is kept.
    lost: set[str] = field(default_factory=set)
    #: Kept, and never asked for, or asked for and refused.
    unexpected: set[str] = field(default_factory=set)
    #: One submission, several tasks.
    duplicated: set[str] = field(default_factory=set)
    #: Kept, of a submitter who does not know it, and not ended.
    stuck: set[str] = field(default_factory=set)


def total_queue(submits: Iterable[Operation], kept: Iterable[tuple[str, str]], ended: Iterable[str]) -> Queue:
    """Compares submissions with the tasks that are there.

    Args:
        submits: every try; several with one key are one submission.
        kept: (key, task id) of every task in the database.
        ended: ids of the tasks that have ended.
    """
    tries = [one for one in submits if one.key is not None]
    named = {(str(one.key), str(one.task)) for one in tries if one.phase is Phase.OK}
    queue = Queue(attempted={str(one.key) for one in tries}, acknowledged={key for key, _ in named})
    possible = queue.acknowledged | {str(one.key) for one in tries if one.phase is Phase.INFO}
    queue.unknown = possible - queue.acknowledged
    pairs, done = list(kept), set(ended)
    finished = {(key, id_) for key, id_ in pairs if id_ in done}
    queue.lost = {key for key, id_ in named if (key, id_) not in finished}
    queue.recovered = {key for key, _ in finished} & queue.unknown
    queue.stuck = ({key for key, _ in pairs} & queue.unknown) - queue.recovered
    queue.unexpected = {key for key, _ in pairs} - possible
    counts = Counter(key for key, _ in pairs) + Counter(key for key, _ in named - set(pairs))
    queue.duplicated = {key for key, count in counts.items() if count > 1}
    return queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Step number `n` of a task was carried out by an attempt: a line in the ledger of effects."""

    task: str
    n: int
    attempt: int


def repeated_steps(marks: Iterable[Mark], recorded: Mapping[tuple[str, int], int]) -> list[str]:
    """The steps that ran although a value was there to be remembered.

    `recorded` has, for (task, n), the attempt whose value is kept. An earlier attempt may have run the step
    too: it died, or lost its lease, before it could record. A later one may not, and none may run it twice.
    """
    counts = Counter(marks)
    twice = [f"{mark.task}: attempt {mark.attempt} ran step {mark.n} {count} times"
             for mark, count in counts.items() if count > 1]  # fmt: skip
    later = [
        f"{mark.task}: step {mark.n} is of attempt {first}, and attempt {mark.attempt} ran it again"
        for mark in counts
        if (first := recorded.get((mark.task, mark.n))) is not None and mark.attempt > first
    ]
    return twice + later
