"""What an attempt writes of its children and of a map's items; a part of `execute.journal`."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from duly.failpoints import failpoint
from duly.model.errors import InvalidInput, LeaseLost
from duly.model.events import Emit
from duly.model.state import Status
from duly.model.task import Claimed, Step, Submission
from duly.store import children, deeds, items, journal, lists, submissions
from duly.store.bulk import Chosen
from duly.store.database import Database
from duly.store.items import Item
from duly.store.lists import Filter
from duly.store.writer import Verb

#: Makes what is submitted of a child's type, input and options.
Admit = Callable[[str, Any, Mapping[str, Any]], Submission]
#: A child that is wanted: task type, input, options.
Asked = tuple[str, Any, Mapping[str, Any]]
#: So many of the children that did not succeed are named in a tally, and so much of their errors.
FAILURES, SAID = 50, 200
_GONE = {"status": None, "error_code": None, "error": None}


def no_children(task_type: str, *_: Any) -> Submission:
    """Refuses them, where nothing says what they are made of."""
    raise InvalidInput(f"nothing can be submitted here: {task_type}")


def tallied(ids: Sequence[str], ends: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many children ended how, and the first of those without success: index, id, status, error_code,
    error. A child that is gone has no status; it, and one that runs again, count in the total only."""
    counted, places = Counter(one["status"] for one in ends), {id_: place for place, id_ in enumerate(ids)}
    gone = places.keys() - {one["id"] for one in ends}
    unwell = [one for one in ends if one["status"] in children.UNWELL]
    unwell += [one for one in ends if one["status"] not in children.ENDED]
    unwell += [{**_GONE, "id": id_} for id_ in ids if id_ in gone]
    failures = [
        {
            "index": places[one["id"]],
            "id": one["id"],
            "status": one["status"],
            "error_code": one["error_code"],
            "error": one["error"] and one["error"][:SAID],
        }
        for one in unwell[:FAILURES]
    ]
    return {"total": len(ids), **{status: counted[status] for status in children.ENDED}, "failures": failures}


class FamilyPen(ABC):
    """Children and items, written and read by who has patience with the database."""

    _database: Database
    _claimed: Claimed
    _version: str
    _emit: Emit
    _admit: Admit
    #: What is being written, whoever still waits for it.
    _background: set[asyncio.Task[Any]]

    @abstractmethod
    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What `ask` answers, asked again for as long as the database cannot be used: a restart of the
        database costs a handler time, never its attempt."""

    async def _surely(self, verb: Verb, item: Any) -> Any:
        return await self._patiently(lambda: self._beside(self._database.write(verb, item)))

    def _beside(self, write: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Who is cancelled takes back nothing that is being written; the attempt's outcome follows it."""
        task = asyncio.create_task(write)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return asyncio.shield(task)

    async def _read(self, query: Callable[..., Any], *args: Any, **more: Any) -> Any:
        return await self._patiently(lambda: self._database.read(query, *args, **more))

    @abstractmethod
    def _check(self, owned: bool) -> None:
        """Raises LeaseLost unless the attempt still owns its task."""

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str:
        """Submits a child as a remembered step; answers its id, which is fixed before.

        Raises:
            InvalidInput: the child cannot be accepted.
            LeaseLost: another attempt owns the task; there is no child.
        """
        child = self._child(task_type, input_, options)
        await self._spawned(step._replace(value=json.dumps(child.id)), (child,))
        return child.id

    async def spawn_many(self, step: Step, asked: Sequence[Asked]) -> list[str]:
        """Submits children as one remembered step; answers their ids. See `spawn`."""
        these = tuple(self._child(*one) for one in asked)
        ids = [child.id for child in these]
        await self._spawned(step._replace(value=json.dumps(ids)), these)
        return ids

    def _child(self, task_type: str, input_: Any, options: Mapping[str, Any]) -> Submission:
        claimed = self._claimed
        return self._admit(task_type, input_, {"owner": claimed.owner, "tenant": claimed.tenant, **options})

    async def _spawned(self, step: Step, these: tuple[Submission, ...]) -> None:
        claimed = self._claimed
        item = children.Spawn(
            id=claimed.id, attempt=claimed.attempt, step=step, children=these, version=self._version
        )
        failpoint("spawn.before_record")
        self._check(await self._surely(children.spawn, item))
        for child in these:
            kind = child.conditions.task_type
            self._emit("task.spawned", task_id=child.id, task_type=kind, parent_id=claimed.id)
        failpoint("spawn.recorded")

    async def gather(self, step: Step, ids: tuple[str, ...]) -> Step:
        """Remembers a wait for children and answers how it stands.

        Raises:
            InvalidInput: one of them is not the task's child.
            LeaseLost: another attempt owns the task.
        """
        claimed = self._claimed
        item = children.Gather(
            id=claimed.id, attempt=claimed.attempt, step=step, children=ids, version=self._version
        )
        found: Step | None = await self._surely(children.gather, item)
        self._check(found is not None)
        return found or step

    async def ends(self, step: Step, ids: tuple[str, ...], cancel: bool) -> str:
        """Remembers how the children of a gather that is over have ended, as JSON; the living ones are
        told to stop if asked so."""
        claimed = self._claimed
        ends = await self._read(children.outcomes, claimed.id, ids)
        living = [one["id"] for one in ends if not Status(one["status"]).terminal]
        if cancel and living:
            await self._patiently(lambda: self._database.write_many(submissions.cancel, living))
        return await self._answered(step, ends)

    async def tally(self, step: Step, ids: tuple[str, ...]) -> str:
        """Remembers how many children of a gather that is over have ended how, as JSON; see `tallied`."""
        ends = await self._read(children.outcomes, self._claimed.id, ids, results=False)
        return await self._answered(step, tallied(ids, ends))

    async def _answered(self, step: Step, answer: Any) -> str:
        told = json.dumps(answer, ensure_ascii=False)
        claimed, record = self._claimed, step._replace(value=told)
        item = journal.StepRecord(id=claimed.id, attempt=claimed.attempt, step=record)
        self._check(await self._surely(children.answer, item))
        return told

    async def items(self, name: str, after: int) -> list[Item]:
        """What is known of a map's items behind number `after`: a page of them."""
        found: list[Item] = await self._read(items.items, self._claimed.id, name, after)
        return found

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None:
        """Remembers what became of items.

        Raises:
            LeaseLost: another attempt owns the task; nothing was kept.
        """
        claimed = self._claimed
        batch = items.Items(
            id=claimed.id,
            attempt=claimed.attempt,
            name=name,
            items=some,
            progress=progress,
            version=self._version,
        )
        failpoint("items.before_record")
        self._check(await self._surely(items.record_items, batch))
        failpoint("items.recorded")

    async def fitting(self, wanted: Filter) -> int:
        """How many tasks that were accepted before this one fit."""
        found: int = await self._read(deeds.count, wanted, self._claimed.id)
        return found

    async def act(
        self, step: Step, action: str, wanted: Filter, to: Mapping[str, Any], after: str, limit: int
    ) -> str:
        """Acts on the next tasks behind `after` that were accepted before this one, as a remembered step;
        answers what it remembers.

        Raises:
            LeaseLost: another attempt owns the task; nothing was done.
        """
        claimed = self._claimed
        ids = await self._read(lists.chosen, wanted, after=after, before=claimed.id, limit=limit)
        chosen = Chosen(ids=tuple(ids), wanted=wanted)
        item = deeds.Deed(
            id=claimed.id, attempt=claimed.attempt, step=step, action=action, chosen=chosen, to=to
        )
        failpoint("deed.before_record")
        try:
            said: str = await self._surely(deeds.act, item)
        except LeaseLost:
            self._check(False)
            raise
        failpoint("deed.recorded")
        return said
