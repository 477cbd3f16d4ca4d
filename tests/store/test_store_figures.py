"""What is watched: how tasks ended, how long they took, how often they were tried again."""

from __future__ import annotations

from duly.model.state import Status
from duly.observe.figures import figures_wire
from duly.store import figures
from support.stores import Store

DAY_MS = 86_400_000


def test_the_figures_of_a_day(store: Store) -> None:
    """Of tasks accepted since then only; zeros too; the backlog and the living workers are of now."""
    store.ended(Status.COMPLETED)
    store.advance(2 * 86_400)
    slow = store.running(task_type="demo")
    store.clock.advance(3)
    store.finish(slow)
    store.ended(Status.COMPLETED)
    store.ended(Status.FAILED)
    store.ended(Status.RETRY)
    store.submit()
    seen = store.read(figures.figures, DAY_MS)
    counted = {status: count for status, count in seen.statuses.items() if count}
    assert counted == {"completed": 2, "failed": 1, "retry": 1, "pending": 1}
    [(count, mean)] = seen.durations.values()
    assert (count, 1000 <= mean <= 3000) == (2, True)
    assert seen.retries == {0: 4, 1: 1}
    assert seen.backlog == 1


def test_alarms_fire_above_their_limits(store: Store) -> None:
    """More than 10 % failed, more than 2 minutes in the mean, more than 50 pending, no living worker."""
    told = figures_wire(store.read(figures.figures, DAY_MS), 24)
    assert [alert["code"] for alert in told["alerts"] if alert["firing"]] == ["no_worker"]
    assert (told["success_rate"], told["failure_rate"]) == (None, None)
    slow = store.running()
    store.clock.advance(121)
    store.finish(slow)
    store.ended(Status.FAILED)
    for _ in range(51):
        store.submit()
    told = figures_wire(store.read(figures.figures, DAY_MS), 24)
    firing = {alert["code"]: alert["value"] for alert in told["alerts"] if alert["firing"]}
    assert firing.pop("mean_duration") > 120
    assert {name: firing[name] for name in ("failure_rate", "backlog")} == {
        "failure_rate": 50.0,
        "backlog": 51,
    }
