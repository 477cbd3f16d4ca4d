"""Accepts tasks and steers them from outside; an answer means that it is on stable storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import uuid_utils

from duly.model.batch import BATCH
from duly.model.errors import (
    BatchTooLarge,
    DulyError,
    IdempotencyConflict,
    QueueFull,
    QuotaExceeded,
    StateConflict,
    TaskNotFound,
)
from duly.model.events import Emit
from duly.model.state import RETRYABLE, Status
from duly.model.task import Submission, Task
from duly.registry import Registry
from duly.store import lists, submissions
from duly.store.database import Database, join_caller
from duly.store.quotas import Beyond
from duly.store.signals import Signal, Signalled, signal
from duly.store.submissions import Accepted, Before
from duly.submit.admit import Options, admit
from duly.submit.answer import POLL_SECONDS, Ends


class Client:
    """Submits, waits, cancels, retries and signals, through one database."""

    def __init__(self, database: Database, registry: Registry, *, emit: Emit) -> None:
        self._database = database
        self._registry = registry
        self._emit = emit
        self._ends = Ends(database)

    async def submit(self, task_type: str, input_: Any, options: Options, *, wait: float = 0) -> Task:
        """The accepted task; after `wait` seconds at most, finished or not.

        Raises:
            InvalidInput: see `admit`; `IdempotencyConflict` when the key stands for another body,
                `BatchTooLarge` when it is larger than a quota.
            QuotaExceeded, QueueFull: too many wait to start.
        """
        asked = (self._registry, task_type, input_, options, self._database.clock.now_ms())
        many = task_type == BATCH  # as many looks as it has members: half a second in which others go on
        submission = await asyncio.to_thread(admit, *asked) if many else admit(*asked)
        accepted = await self._database.write(submissions.submit, submission)
        self._check(submission, accepted)
        if accepted.created and wait <= 0:
            return submission.conditions.accepted(accepted.id, accepted.at)
        await self._ends.wait(accepted.id, wait)
        return replace(await self.get(accepted.id), deduplicated=not accepted.created)

    async def submit_many(self, requests: Sequence[tuple[str, Any, Options]]) -> list[str]:
        """The ids of tasks that are accepted together: all of them, or none if one is invalid.

        Raises:
            IdempotencyConflict: a key stands for another body; the other tasks of the call are accepted.
            QuotaExceeded, QueueFull, BatchTooLarge: too many wait to start, or would; those that there was
                room for are accepted.
        """
        now = self._database.clock.now_ms()
        items = [admit(self._registry, *request, now) for request in requests]
        accepted = await self._database.write_many(submissions.submit, items)
        for submission, one in zip(items, accepted, strict=True):
            self._check(submission, one)
        return [one.id for one in accepted]

    def submit_in(self, connection: Any, task_type: str, input_: Any, options: Options) -> str:
        """Accepts a task inside the caller's own open transaction; it exists when that commits.

        `connection` is a DB-API or SQLAlchemy connection to the same database. On SQLite the transaction
        must have begun with BEGIN IMMEDIATE, and nothing of Duly may be awaited before it commits. Quotas are
        not asked.
        """
        tx = join_caller(self._database, connection)
        submission = admit(self._registry, task_type, input_, options, tx.now)
        [accepted] = submissions.accept(tx, [submission])
        self._check(submission, accepted)
        return accepted.id

    def admit(self, task_type: str, input_: Any, options: Mapping[str, Any]) -> Submission:
        """What a handler's child is made of; it is accepted with the step that remembers it."""
        return admit(self._registry, task_type, input_, Options(**options), self._database.clock.now_ms())

    def _check(self, submission: Submission, accepted: Accepted) -> None:
        if accepted.refused is not None:
            raise _refusal(accepted.refused)
        if not accepted.same_body:
            raise IdempotencyConflict(key=submission.conditions.idempotency_key, task_id=accepted.id)
        name = "task.accepted" if accepted.created else "task.deduplicated"
        told = submission.conditions
        self._emit(name, task_id=accepted.id, task_type=told.task_type, owner=told.owner)

    async def get(self, id_: str) -> Task:
        """The task as it stands.

        Raises:
            TaskNotFound: there is none.
        """
        task = await self._database.read(lists.get, id_)
        if task is None:
            raise TaskNotFound(f"there is no task {id_}")
        return task

    async def wait(self, id_: str, seconds: float) -> Task:
        """The task as it stands when it has ended, or after `seconds`."""
        await self._ends.wait(id_, seconds)
        return await self.get(id_)

    async def follow(self, id_: str, seconds: float, is_news: Callable[[Task], bool]) -> Task:
        """The task as soon as `is_news` says so of it, or as it stands after `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            mark = await self._ends.mark(id_)
            task = await self.get(id_)
            left = end - loop.time()
            if left <= 0 or is_news(task):
                return task
            # Members of a batch change without it.
            await self._ends.changed(id_, mark, left if task.batch is None else min(left, POLL_SECONDS))

    async def cancel(self, id_: str) -> Task:
        """Cancels the task, or asks its running attempt to stop; an ended task stays as it is."""
        status: Status | None = await self._database.write(submissions.cancel, id_)
        return await self._steered("task.cancel", id_, status)

    async def retry(self, id_: str) -> Task:
        """Gives a failed or cancelled task another run, with its recorded steps and all its retries.

        Raises:
            StateConflict: the task is in another state, or another living task holds its unique key.
        """
        before: Before | None = await self._database.write(submissions.retry, id_)
        if before is not None and before.status not in RETRYABLE:
            said = f"task {id_} is {before.status}; only a failed or cancelled task can be retried"
            raise StateConflict(said)
        if before is not None and before.kept_out:
            said = f"another task holds the unique key of task {id_}; retry it once that has ended"
            raise StateConflict(said, code="unique_taken")
        return await self._steered("task.retry", id_, before)

    async def signal(self, id_: str, name: str, data: Any = None, *, key: str | None = None) -> Task:
        """Tells a task something; kept until a `ctx.wait_for` of this name takes it. The same `key` again is
        the same signal.

        Raises:
            InvalidInput: a bad name or key, data that is not JSON or larger than 64 KB; `IdempotencyConflict`
                when the key stands for another signal.
            StateConflict: the task has ended.
        """
        said = Signal.of(id_, name, data, key=str(uuid_utils.uuid7()) if key is None else key)
        answer: Signalled = await self._database.write(signal, said)
        if answer.status is None:
            raise TaskNotFound(f"there is no task {id_}")
        if answer.conflict:
            raise IdempotencyConflict(f"another signal of task {id_} has the id {said.id}")
        if not answer.kept:
            raise StateConflict(f"task {id_} is {answer.status}; it takes no signals any more")
        self._emit("task.signalled", task_id=id_, signal=name)
        return await self.get(id_)

    async def _steered(self, event: str, id_: str, found: Status | Before | None) -> Task:
        if found is None:
            raise TaskNotFound(f"there is no task {id_}")
        self._emit(event, task_id=id_)
        return await self.get(id_)

    async def close(self) -> None:
        """Ends the waiting."""
        await self._ends.close()


def _refusal(beyond: Beyond) -> DulyError:
    quota, alone = beyond
    kind, _, name = quota.partition("/")
    whose = {"queue": f"the queue {name}", "owner": "this owner"}.get(kind, "this tenant")
    if alone is not None:
        count, most = alone
        return BatchTooLarge(
            f"the batch holds {count} tasks and the quota of {whose} is {most}: "
            "there can never be room for it; send smaller batches",
            quota=quota,
        )
    if kind == "queue":
        return QueueFull(f"{whose} is full: too many tasks wait in it; send it again later", quota=quota)
    return QuotaExceeded(f"too many tasks of {whose} wait to start; send it again later", quota=quota)
