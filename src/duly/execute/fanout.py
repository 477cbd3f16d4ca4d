"""What a handler does with children: spawn them as steps, wait for them as for a signal."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from duly.execute.steps import Place, StepBook, outside_steps
from duly.execute.waiting import Parking
from duly.model.errors import ChildFailed, InvalidInput
from duly.model.state import Status
from duly.model.task import Step

#: What a child may be given besides its input: whose it is follows from the parent, and its step is its key.
OPTIONS = frozenset(
    {
        "queue",
        "priority",
        "due",
        "deadline",
        "timeout",
        "result_ttl",
        "max_retries",
        "tags",
        "metadata",
        "deliver",
    }
)
#: Children that one gather waits for.
MOST_CHILDREN = 10_000
Policy = Literal["fail_fast", "collect", "cancel_siblings"]
POLICIES = ("fail_fast", "collect", "cancel_siblings")


@dataclass(frozen=True, slots=True)
class Child:
    """A task that a handler has spawned."""

    id: str


class FanPen(Protocol):
    """Where a context writes of children."""

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str: ...

    async def gather(self, step: Step, children: tuple[str, ...]) -> Step: ...

    async def ends(self, step: Step, children: tuple[str, ...], cancel: bool) -> str: ...


class Fanout:
    """The part of `Context` that has to do with many."""

    attempt: Any
    parking: Parking
    _book: StepBook
    _pen: FanPen

    def spawn(
        self,
        name: str,
        task_type: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - as `submit` calls it
        /,
        *,
        key: str | None = None,
        **options: Any,
    ) -> Coroutine[Any, Any, Child]:
        """Submits a task as this one's child, once: it is a remembered step.

        The child has this task's owner and tenant; `options` are those of `submit` that are its own: queue,
        priority, due, deadline, timeout, result_ttl, max_retries, tags, metadata, deliver. When this task fails
        or is cancelled, its children that have not ended are cancelled; when it completes, they go on.

        Raises:
            InvalidInput: an unknown task type, an input that its handler does not take, an unknown option.
            LeaseLost: another attempt owns the task.
        """
        outside_steps(name)
        if strange := sorted(options.keys() - OPTIONS):
            raise InvalidInput(f"a child takes no {strange[0]!r}; only: {', '.join(sorted(OPTIONS))}")
        given = dict(input or {})
        return self._spawn(self._book.take(name, key, ["spawn", task_type, given]), task_type, given, options)

    async def _spawn(
        self, place: Place, task_type: str, given: dict[str, Any], options: dict[str, Any]
    ) -> Child:
        if place.recorded is not None:
            return Child(place.value())
        with self.parking.active():
            step = place.step(self.attempt, value="null")
            return Child(await self._pen.spawn(step, task_type, given, options))

    def gather(
        self, *children: Child, policy: Policy = "fail_fast", name: str = "gather", key: str | None = None
    ) -> Coroutine[Any, Any, list[Any]]:
        """The children's results, in this order; holds no worker until they have ended. A remembered wait.

        `policy`: `fail_fast` raises `ChildFailed` as soon as one has failed or was cancelled;
        `cancel_siblings` too, and cancels those that have not ended; `collect` waits for all, and
        has a `ChildFailed` in the place of a result.

        Raises:
            ChildFailed: see `policy`; its `child_id` says which.
            InvalidInput: one of them is not this task's child, or more than 10,000.
        """
        if policy not in POLICIES:
            raise InvalidInput(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
        if len(children) > MOST_CHILDREN or not all(isinstance(child, Child) for child in children):
            raise InvalidInput(f"gather takes at most {MOST_CHILDREN} children, as `spawn` answers them")
        ids = tuple(dict.fromkeys(child.id for child in children))
        place = self._book.take_gather(name, key, ids, eager=policy != "collect")
        return self._gather(place, [child.id for child in children], ids, policy)

    async def _gather(
        self, place: Place, order: list[str], ids: tuple[str, ...], policy: Policy
    ) -> list[Any]:
        step = place.recorded
        if step is None or step.taken is None:
            asked = replace(place.step(self.attempt, value=""), eager=int(policy != "collect"))
            with self.parking.active():
                step = await self._pen.gather(asked, ids)
        if step.taken is None:
            await self.parking.park(step)
        told = step.value
        if not told:
            with self.parking.active():
                told = await self._pen.ends(step, ids, policy == "cancel_siblings")
        ends = {one["id"]: one for one in json.loads(told)}
        return _results([ends.get(id_, {"id": id_, "status": None}) for id_ in order], policy)


def _results(ends: list[dict[str, Any]], policy: Policy) -> list[Any]:
    failures = [one for one in ends if one["status"] != Status.COMPLETED]
    if failures and policy != "collect":
        raise _failure(min(failures, key=_weight))
    return [one.get("result") if one["status"] == Status.COMPLETED else _failure(one) for one in ends]


def _weight(end: dict[str, Any]) -> tuple[bool, int]:
    """The first that failed, before those that have not ended."""
    return end["status"] not in (Status.FAILED, Status.CANCELLED), end.get("ended_at") or 0


def _failure(end: dict[str, Any]) -> ChildFailed:
    said = " ".join(str(part) for part in (end.get("error_code"), end.get("error")) if part)
    match end["status"]:
        case Status.FAILED | Status.CANCELLED as status:
            text = f"child {end['id']} was {status}" if status == "cancelled" else f"child {end['id']} failed"
        case None:
            text = f"child {end['id']} is gone"
        case status:  # an operator was quicker than this task
            text = f"child {end['id']} had failed, and is {status} again"
    fields = {"status": end["status"], "error_code": end.get("error_code"), "error": end.get("error")}
    return ChildFailed(f"{text}: {said}" if said else text, child_id=end["id"], **fields)


class BlockingFanout:
    """`Fanout` for plain handlers."""

    _context: Any
    _run: Callable[[Coroutine[Any, Any, Any]], Any]

    def spawn(self, *what: Any, **options: Any) -> Child:
        """See `Context.spawn`."""
        child: Child = self._run(self._context.spawn(*what, **options))
        return child

    def gather(self, *children: Child, **how: Any) -> list[Any]:
        """See `Context.gather` and `sleep`."""
        results: list[Any] = self._run(self._context.gather(*children, **how))
        return results
