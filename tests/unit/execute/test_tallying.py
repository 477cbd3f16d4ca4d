"""How many children ended how, when an operator was quicker than their parent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from duly.execute.family import tallied
from duly.execute.fanout import Child, Fanout
from duly.execute.steps import StepBook
from duly.execute.waiting import Parking
from duly.model.errors import ChildFailed
from duly.model.task import Step

#: Three children of a gather that is over; the one that failed was given another run since.
ENDS = [
    {"id": id_, "status": status, "error_code": None, "error": None}
    for id_, status in (("a", "completed"), ("b", "pending"), ("c", "cancelled"))
]


class Pen:
    """A gather that is over, with what it told."""

    async def gather(self, step: Step, children: tuple[str, ...]) -> Step:
        return step._replace(taken=1)

    async def tally(self, step: Step, children: tuple[str, ...]) -> str:
        return json.dumps(tallied(children, ENDS[:2]))


class Parent(Fanout):
    """A handler's context, without the rest."""

    def __init__(self) -> None:
        self.attempt, self.parking, self._book = 1, Parking(), StepBook([])
        self._pen: Any = Pen()


def test_a_child_that_runs_again_is_among_those_without_success() -> None:
    """Behind those that ended so: the first is what a parent fails with."""
    said = tallied(["a", "b", "c"], ENDS)
    assert {name: said[name] for name in ("total", "completed", "failed", "cancelled")} == {
        "total": 3,
        "completed": 1,
        "failed": 0,
        "cancelled": 1,
    }
    assert [(one["index"], one["status"]) for one in said["failures"]] == [(2, "cancelled"), (1, "pending")]


async def test_a_child_that_runs_again_is_no_success() -> None:
    """`fail_fast` says so as `gather` does; `collect` knows that another round may find it otherwise."""
    children = Child("a"), Child("b")
    with pytest.raises(ChildFailed, match="b had failed, and is pending again"):
        await Parent().tally(*children, policy="fail_fast")
    parent = Parent()
    assert (await parent.tally(*children))["completed"] == 1
    assert parent._book.take("next", None, []).shaken
