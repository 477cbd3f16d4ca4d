"""Whether what was seen of one task can be explained by one order of operations (Wing and Gong's search).

The register holds (phase, attempt, whether a stop was asked for). Claims and outcomes come from the ledger of
the handlers, submits, reads and cancels from the clients; losses of workers are nobody's operation, so the
register may move by itself from running to open at any time. An order is an explanation if each operation
takes effect between its begin and its end; one whose end nobody saw may have no effect at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from duly.model.policy import MOST_LOSSES
from duly.model.state import TERMINAL, Status
from support.history import Operation, Phase

ABSENT, OPEN, RUNNING = "absent", "open", str(Status.RUNNING)
#: Phase, attempt, whether a stop was asked for.
State = tuple[str, int, bool]
NOTHING: State = (ABSENT, 0, False)


def unexplained(history: Iterable[Operation]) -> list[str]:
    """The tasks of which things were seen that no order of operations can bring about."""
    tasks: dict[str, list[Operation]] = defaultdict(list)
    for one in history:
        if one.task is not None and one.phase is not Phase.FAIL:
            tasks[one.task].append(one)
    return [told(id_, seen) for id_, seen in tasks.items() if not explained(seen)]


def told(id_: str, seen: Sequence[Operation]) -> str:
    """What was seen, in the order of its begin, for people."""
    lines = sorted(seen, key=lambda one: (one.begin, one.end))
    words = [f"{one.f} {one.status or ''} {one.attempt if one.attempt is not None else ''}" for one in lines]
    return f"{id_}: no order explains: " + "; ".join(" ".join(word.split()) for word in words)


def explained(seen: Sequence[Operation]) -> bool:
    """Whether there is an order of `seen`, all of one task, that each operation agrees with."""
    everything = sum(1 << number for number, one in enumerate(seen) if one.sure)
    known = {(0, NOTHING)}
    todo = [(0, NOTHING)]
    while todo:
        done, state = todo.pop()
        if done & everything == everything:
            return True
        for step in _next(seen, done, state):
            if step not in known:
                known.add(step)
                todo.append(step)
    return False


def _next(seen: Sequence[Operation], done: int, state: State) -> Iterator[tuple[int, State]]:
    """Where one operation more, or the register's own move, can lead."""
    for alone in _by_itself(state):
        yield done, alone
    open_ = [(number, one) for number, one in enumerate(seen) if not done >> number & 1]
    first_end = min(one.end for _, one in open_)
    for number, one in open_:
        if one.begin <= first_end:
            after = _apply(state, one)
            if after is not None:
                yield done | 1 << number, after


def _by_itself(state: State) -> Iterator[State]:
    """A worker dies or hands back; a stop is heeded; a task that killed too many is given up."""
    phase, attempt, asked = state
    if phase == RUNNING:
        yield (str(Status.CANCELLED) if asked else OPEN, attempt, False)
        if attempt > MOST_LOSSES:
            yield (str(Status.FAILED), attempt, False)


def _apply(state: State, one: Operation) -> State | None:
    """The register afterwards; None: the operation does not agree with it."""
    phase, attempt, _ = state
    match one.f:
        case "submit":
            return (OPEN, 0, False) if phase == ABSENT else state
        case "claim":
            fits = (phase, attempt + 1) == (OPEN, one.attempt)
            return (RUNNING, attempt + 1, False) if fits else None
        case "outcome":
            fits = (phase, attempt) == (RUNNING, one.attempt)
            return _after(state, str(one.status)) if fits else None
        case "cancel":
            after = {OPEN: (str(Status.CANCELLED), attempt, False), RUNNING: (RUNNING, attempt, True)}
            return after.get(phase, None if phase == ABSENT else state)
        case _:
            return state if (phase, attempt) == (seen_phase(str(one.status)), one.attempt) else None


def _after(state: State, outcome: str) -> State:
    """A stop that was asked for beats a retry, never a result."""
    _, attempt, asked = state
    if outcome in TERMINAL:
        return (outcome, attempt, False)
    return (str(Status.CANCELLED), attempt, False) if asked else (OPEN, attempt, False)


def seen_phase(status: str) -> str:
    """A status as the register tells them apart: all that neither runs nor has ended is open."""
    return status if status == RUNNING or status in TERMINAL else OPEN
