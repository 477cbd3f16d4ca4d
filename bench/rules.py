"""What Duly promises of its speed, as ratios to the peers of the same run; judged on medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: (system, metric, figure), as the lines of a run have them.
Figure = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Our figure, divided by the best of theirs if there are any, is at least or at most `bound`."""

    ours: Figure
    theirs: tuple[Figure, ...] = ()
    at_least: float | None = None
    at_most: float | None = None

    @property
    def name(self) -> str:
        """For people."""
        peers = " or ".join(dict.fromkeys(system for system, _, _ in self.theirs))
        return f"{' '.join(self.ours)}{f' / {peers}' if peers else ''}"

    def judge(self, medians: Mapping[Figure, float]) -> dict[str, object]:
        """The rule's line: value, bound, and whether it holds; None when something was not measured."""
        value = self._value(medians)
        holds = None if value is None else self._holds(value)
        bound = {"at_least": self.at_least} if self.at_most is None else {"at_most": self.at_most}
        return {
            "rule": self.name,
            "value": None if value is None else round(value, 2),
            **bound,
            "holds": holds,
        }

    def _value(self, medians: Mapping[Figure, float]) -> float | None:
        if not {self.ours, *self.theirs} <= set(medians):
            return None
        best = max if self.at_most is None else min
        return medians[self.ours] / (best(medians[one] for one in self.theirs) if self.theirs else 1.0)

    def _holds(self, value: float) -> bool:
        if self.at_most is not None:
            return value <= self.at_most
        return self.at_least is None or value >= self.at_least


def _rate(system: str, metric: str = "drain") -> Figure:
    return (system, metric, "per_s")


def _both(system: str) -> tuple[Rule, ...]:
    return (
        Rule(ours=(system, "waits", "wall_s"), at_most=1.15),
        Rule(ours=(system, "waits", "above_idle_mb"), at_most=60),
    )


SQLITE = (
    Rule(ours=_rate("duly-sqlite"), theirs=(_rate("huey"),), at_least=4),
    Rule(ours=_rate("duly-sqlite"), theirs=(_rate("dbos-sqlite"),), at_least=15),
    Rule(ours=_rate("duly-sqlite", "submit_64"), theirs=(_rate("huey", "submit_one"),), at_least=4),
    Rule(ours=("duly-sqlite", "latency_inside", "p50_ms"), at_most=4),
    Rule(ours=("duly-sqlite", "latency_inside", "p99_ms"), at_most=15),
    Rule(ours=("duly-sqlite", "latency", "p50_ms"), at_most=15),
    Rule(ours=("duly-sqlite", "latency", "p99_ms"), at_most=50),
    *_both("duly-sqlite"),
)
POSTGRES = (
    Rule(ours=_rate("duly-postgres"), theirs=(_rate("oban"), _rate("oban-1000")), at_least=2.5),
    Rule(ours=_rate("duly-postgres"), theirs=(_rate("dbos-postgres"),), at_least=5),
    Rule(ours=_rate("duly-postgres"), theirs=(_rate("procrastinate"),), at_least=10),
    Rule(ours=_rate("duly-postgres"), theirs=(_rate("pgqueuer"),), at_least=0.7),
    Rule(
        ours=_rate("duly-postgres", "submit_bulk"), theirs=(_rate("pgqueuer", "submit_bulk"),), at_least=0.8
    ),
    *(
        Rule(ours=("duly-postgres", "latency", part), theirs=(("pgqueuer", "latency", part),), at_most=1)
        for part in ("p50_ms", "p99_ms")
    ),
    *_both("duly-postgres"),
)
