"""What is looked at again and again without an SQL file, on the busy database of `crowd`: for plans, work."""

from __future__ import annotations

from collections.abc import Callable

from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Step
from duly.store import children, claims, family, limit_care, lists, schedules, signals, waits
from duly.store.transaction import Transaction
from support.calls import ids

#: Parents of some twenty children each; those of the first one.
HERE = ids("running")
CHILDREN = [f"completed-{number:06d}" for number in range(2_000, 20_000, 1_000)]
GATHER = Step(name="gather", n=1, digest="d", value="null", attempt=1, waits_for="", children=20)
SIGNAL = Step(name="go", n=1, digest="d", value="null", attempt=1, waits_for="go")


def suspended(*steps: Step) -> list[claims.Finish]:
    """Twenty attempts that wait."""
    how = {"target": Status.WAITING, "event": EventType.WAITING, "outcome": "waiting", "wait_kind": "signal"}
    return [claims.Finish(id=id_, attempt=1, waits=steps, **how) for id_ in HERE]


#: By the function that reads.
LOOKS: dict[str, Callable[[Transaction], object]] = {
    "children.bereft": children.bereft,
    "children.pass_on": lambda tx: children.pass_on(tx, [children.PassOn(id_) for id_ in HERE]),
    "family.count": lambda tx: family.count(
        tx, [family.Turn(HERE[0], id_, Status.COMPLETED) for id_ in CHILDREN]
    ),
    "family.counts": lambda tx: family.counts(tx, HERE[0]),
    "family.note": lambda tx: family.note(tx, dict.fromkeys(HERE, Status.FAILED)),
    "family.note, of new runs": lambda tx: family.note(tx, dict.fromkeys(HERE, Status.PENDING)),
    "family.open_gathers": lambda tx: family.open_gathers(tx, HERE[0]),
    "limit_care.forget": lambda tx: limit_care.forget(tx, [None]),
    "limit_care.look": limit_care.look,
    "lists.cancelling": lambda tx: lists.cancelling(tx, HERE),
    "lists.front": lambda tx: lists.front(tx, "queue1"),
    "lists.marks": lambda tx: lists.marks(tx, HERE),
    "schedules.due": schedules.due,
    "signals.signal": lambda tx: signals.signal(
        tx, [signals.Signal(id_, "go", "two", "1") for id_ in (*HERE, *ids("waiting", 3))]
    ),
    "waits.arrived": lambda tx: waits.arrived(tx, suspended(GATHER, SIGNAL)),
    "waits.wait": lambda tx: waits.wait(
        tx, [waits.WaitRecord(id=id_, attempt=1, step=SIGNAL) for id_ in HERE]
    ),
}
#: The table that a read may walk along, and why.
WALKED = {
    "children.bereft": "bereft",  # to its first fifty
    "limit_care.look": "limits",  # each is verified
}
