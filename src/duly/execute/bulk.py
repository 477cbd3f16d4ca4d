"""The handler of bulk jobs: part after part of the tasks that fit, each acted on and remembered at once.

It walks through ids, so it looks at no task twice, and stops at its own: what is accepted later is not meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from duly.execute.steps import Place
from duly.model.bulk import BULK
from duly.model.task import Step
from duly.registry import TaskType
from duly.store.deeds import wanted_of
from duly.store.lists import Filter

if TYPE_CHECKING:
    from duly.execute.context import Context

#: Tasks that one transaction acts on.
PART = 200
#: A timeline has so many lines of progress at most, one for each tenth.
LINES = 10
#: A job goes on where it was after each; a million tasks take minutes.
TIMEOUT_SECONDS = 6 * 3600.0


class ActPen(Protocol):
    """Where a job acts."""

    async def fitting(self, wanted: Filter) -> int: ...

    async def act(
        self, step: Step, action: str, wanted: Filter, to: Mapping[str, Any], after: str, limit: int
    ) -> str: ...


@dataclass(slots=True)
class _Run:
    """One attempt at a job."""

    ctx: Context
    action: str
    wanted: Filter
    to: Mapping[str, Any]
    after: str = ""
    looked: int = 0
    changed: int = 0

    @property
    def pen(self) -> ActPen:
        """The worker's journal: what is built in runs nowhere else."""
        return cast("ActPen", self.ctx._pen)  # noqa: SLF001 - a handler of this package

    async def run(self) -> dict[str, Any]:
        matched: int = await self.ctx.step("count", self._fitting)
        while True:
            said = await self._part()
            before = self.looked
            self.after = said["last"]
            self.looked += said["looked"]
            self.changed += said["changed"]
            if said["looked"] < PART:
                break
            await self._tell(before, max(matched, self.looked))
        return {
            "action": self.action,
            "matched": matched,
            "changed": self.changed,
            "unchanged": self.looked - self.changed,
        }

    async def _fitting(self) -> int:
        return await self.pen.fitting(self.wanted)

    async def _part(self) -> dict[str, Any]:
        """What is remembered of the next part, or becomes of it."""
        place: Place = self.ctx._book.take("part", None, [self.after])  # noqa: SLF001 - as above
        if place.recorded is None:
            with self.ctx.parking.active():
                if not await self.ctx._pen.leaving():  # noqa: SLF001 - as above
                    step = place.step(self.ctx.attempt, value="null")
                    told = await self.pen.act(step, self.action, self.wanted, self.to, self.after, PART)
                    return dict(json.loads(told))
            await self.ctx.parking.park()
        return dict(place.value())

    async def _tell(self, before: int, total: int) -> None:
        """How far it is, at each tenth."""
        if self.looked * LINES // total > before * LINES // total:
            await self.ctx.progress(self.looked / total, f"{self.looked} of {total}, {self.changed} changed")


async def _bulk(
    ctx: Context,
    action: Literal["cancel", "retry", "move"],
    where: dict[str, Any],
    to: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return await _Run(ctx, action, wanted_of(where), to or {}).run()


#: Every program has it, so that any worker can do a job.
BULKS = TaskType(name=BULK, handler=_bulk, timeout=TIMEOUT_SECONDS)
