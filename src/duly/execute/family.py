"""What an attempt writes of its children and of a map's items; a part of `execute.journal`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from duly.failpoints import failpoint
from duly.model.errors import InvalidInput
from duly.model.events import Emit
from duly.model.state import Status
from duly.model.task import Claimed, Step, Submission
from duly.store import children, items, journal, submissions
from duly.store.database import Database
from duly.store.items import Item
from duly.store.writer import Verb

#: Makes what is submitted of a child's type, input and options.
Admit = Callable[[str, Any, Mapping[str, Any]], Submission]


def no_children(task_type: str, *_: Any) -> Submission:
    """Refuses them, where nothing says what they are made of."""
    raise InvalidInput(f"nothing can be submitted here: {task_type}")


class FamilyPen(ABC):
    """Children and items, written by who can write surely."""

    _database: Database
    _claimed: Claimed
    _emit: Emit
    _admit: Admit

    @abstractmethod
    async def _surely(self, verb: Verb, item: Any) -> Any:
        """Writes, however long the database cannot be used."""

    @abstractmethod
    def _check(self, owned: bool) -> None:
        """Raises LeaseLost unless the attempt still owns its task."""

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str:
        """Submits a child as a remembered step; answers its id, which is fixed before.

        Raises:
            InvalidInput: the child cannot be accepted.
            LeaseLost: another attempt owns the task; there is no child.
        """
        claimed = self._claimed
        child = self._admit(task_type, input_, {"owner": claimed.owner, "tenant": claimed.tenant, **options})
        step = replace(step, value=json.dumps(child.id))
        item = children.Spawn(id=claimed.id, attempt=claimed.attempt, step=step, child=child)
        failpoint("spawn.before_record")
        self._check(await self._surely(children.spawn, item))
        self._emit("task.spawned", task_id=child.id, task_type=task_type, parent_id=claimed.id)
        failpoint("spawn.recorded")
        return child.id

    async def gather(self, step: Step, ids: tuple[str, ...]) -> Step:
        """Remembers a wait for children and answers how it stands.

        Raises:
            InvalidInput: one of them is not the task's child.
            LeaseLost: another attempt owns the task.
        """
        claimed = self._claimed
        item = children.Gather(id=claimed.id, attempt=claimed.attempt, step=step, children=ids)
        found: Step | None = await self._surely(children.gather, item)
        self._check(found is not None)
        return found or step

    async def ends(self, step: Step, ids: tuple[str, ...], cancel: bool) -> str:
        """Remembers how the children of a gather that is over have ended, as JSON; the living ones are
        told to stop if asked so."""
        claimed = self._claimed
        ends = await self._database.read(children.outcomes, claimed.id, ids)
        living = [one["id"] for one in ends if not Status(one["status"]).terminal]
        if cancel and living:
            await self._database.write_many(submissions.cancel, living)
        told = json.dumps(ends, ensure_ascii=False)
        record = replace(step, value=told)
        item = journal.StepRecord(id=claimed.id, attempt=claimed.attempt, step=record)
        self._check(await self._surely(children.answer, item))
        return told

    async def items(self, name: str, after: int) -> list[Item]:
        """What is known of a map's items behind number `after`: a page of them."""
        return await self._database.read(items.items, self._claimed.id, name, after)

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None:
        """Remembers what became of items.

        Raises:
            LeaseLost: another attempt owns the task; nothing was kept.
        """
        claimed = self._claimed
        batch = items.Items(id=claimed.id, attempt=claimed.attempt, name=name, items=some, progress=progress)
        failpoint("items.before_record")
        self._check(await self._surely(items.record_items, batch))
        failpoint("items.recorded")
