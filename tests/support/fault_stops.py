"""Whether a worker without its database stopped its handlers in time, by what these noted on its own disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.fault_case import Case
from support.fault_trial import ELSEWHERE_SECONDS, Trial

#: The lease of production, which every trial runs with.
LEASE_SECONDS = 30.0


@dataclass(slots=True)
class Held:
    """What a worker ran when it lost its database: tasks, its processes, and the moment."""

    tasks: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    at: float = 0.0


def judge_stop(case: Case, trial: Trial, held: Held) -> None:
    """The handlers ended with the lease, before any other attempt began, and their tasks ended elsewhere."""
    beats = [one for one in trial.lines("beat", held.tasks) if one.pid in held.pids]
    starts, ends = trial.lines("start", held.tasks), trial.lines("completed", held.tasks)
    stopped, overlaps, elsewhere = [], [], []
    for id_ in held.tasks:
        own = [one for one in beats if one.task == id_]
        last, attempt = max(one.at for one in own), max(one.attempt for one in own)
        later = [one.at for one in starts if one.task == id_ and one.attempt > attempt]
        done = [one.at for one in ends if one.task == id_ and one.attempt > attempt]
        stopped.append(last - held.at)
        overlaps.append(last - min(later, default=float("inf")))
        elsewhere.append(min(done, default=float("inf")) - held.at)
    case.figure(held=len(held.tasks), handlers_ran_on_s=round(max(stopped), 1))
    case.figure(overlap_s=round(max(overlaps), 1), elsewhere_s=round(max(elsewhere), 1))
    case.holds("handlers end with the lease", max(stopped) <= LEASE_SECONDS, f"after {max(stopped):.1f} s")
    case.holds("one attempt at a time", max(overlaps) < 0, f"both ran for {max(overlaps):.1f} s")
    slow = max(elsewhere)
    case.holds("tasks end elsewhere in time", slow <= ELSEWHERE_SECONDS, f"after {slow:.1f} s")
