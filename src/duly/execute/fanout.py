"""What a handler does with many: children, spawned as steps and waited for as for a signal; a map's items."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from duly.execute.family import Asked
from duly.execute.mapping import MOST_ITEMS, ItemPen, MapResult, MapRun, Terms, failure
from duly.execute.steps import Place, StepBook, outside_steps
from duly.execute.waiting import Parking
from duly.model import wire
from duly.model.errors import ChildFailed, InvalidInput
from duly.model.policy import RetryPolicy
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
#: Children, and characters of their inputs, that are spawned in one transaction.
PART, PART_CHARACTERS = 200, 1_000_000
Policy = Literal["fail_fast", "collect", "cancel_siblings"]
POLICIES = ("fail_fast", "collect", "cancel_siblings")


@dataclass(frozen=True, slots=True)
class Child:
    """A task that a handler has spawned."""

    id: str


class FanPen(ItemPen, Protocol):
    """Where a context writes of children and items."""

    async def spawn(self, step: Step, task_type: str, input_: Any, options: Mapping[str, Any]) -> str: ...

    async def spawn_many(self, step: Step, asked: Sequence[Asked]) -> list[str]: ...

    async def gather(self, step: Step, children: tuple[str, ...]) -> Step: ...

    async def ends(self, step: Step, children: tuple[str, ...], cancel: bool) -> str: ...

    async def tally(self, step: Step, children: tuple[str, ...]) -> str: ...


class Fanout:
    """The part of `Context` that has to do with many."""

    attempt: Any
    parking: Parking
    _book: StepBook
    _pen: FanPen
    _value: Callable[[functools.partial[Any]], Awaitable[Any]]

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
        priority, due, deadline, timeout, result_ttl, max_retries, tags, metadata, deliver. When this task
        fails or is cancelled, its children that have not ended are cancelled; when it completes, they go on.

        Raises:
            InvalidInput: an unknown task type, an input that its handler does not take, an unknown option.
            LeaseLost: another attempt owns the task.
        """
        outside_steps(name)
        _check_options(options)
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

    def spawn_many(
        self, name: str, tasks: Iterable[Mapping[str, Any]], /, *, key: str | None = None
    ) -> Coroutine[Any, Any, list[Child]]:
        """Submits many children, each once; in parts of 200, each one remembered step.

        A task is {"task_type": …, "input": {…}} and may have what `spawn` takes as options. A crash
        between two parts loses and doubles nothing: those that are remembered are not spawned again.

        Raises:
            InvalidInput: see `spawn`; or more than 10,000.
            LeaseLost: another attempt owns the task.
        """
        outside_steps(name)
        asked = [_asked(task) for task in tasks]
        if len(asked) > MOST_CHILDREN:
            raise InvalidInput(f"at most {MOST_CHILDREN} children are spawned at once, not {len(asked)}")
        parts = [
            (self._book.take(name, key, ["spawn_many", [one[:2] for one in part]]), part)
            for part in _parts(asked)
        ]
        return self._spawn_many(parts)

    async def _spawn_many(self, parts: list[tuple[Place, list[Asked]]]) -> list[Child]:
        ids: list[str] = []
        for place, part in parts:
            if place.recorded is not None:
                ids += place.value()
                continue
            with self.parking.active():
                ids += await self._pen.spawn_many(place.step(self.attempt, value="null"), part)
        return [Child(id_) for id_ in ids]

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
        ids = _ids(children, policy, POLICIES)
        place = self._book.take_gather(name, key, ids, eager=policy != "collect")
        return self._gather(place, [child.id for child in children], ids, policy)

    async def _gather(
        self, place: Place, order: list[str], ids: tuple[str, ...], policy: Policy
    ) -> list[Any]:
        step = await self._all_ended(place, ids, policy)
        told = step.value
        if not told:
            with self.parking.active():
                told = await self._pen.ends(step, ids, policy == "cancel_siblings")
        known = {one["id"]: one for one in json.loads(told)}
        ends = [known.get(id_, {"id": id_, "status": None}) for id_ in order]
        if any(one["status"] != Status.COMPLETED for one in ends):  # a retry by hand asks them anew
            self._book.shake()
        return _results(ends, policy)

    async def _all_ended(self, place: Place, ids: tuple[str, ...], policy: Policy) -> Step:
        """The wait for these children, once it is over."""
        step = place.recorded
        if step is None or step.taken is None:
            asked = place.step(self.attempt, value="", eager=int(policy != "collect"))
            with self.parking.active():
                step = await self._pen.gather(asked, ids)
        if step.taken is None:
            await self.parking.park(step)
        return step

    def tally(
        self, *children: Child, policy: Policy = "collect", name: str = "tally", key: str | None = None
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """How many children ended how: as `gather`, for many whose results nobody reads.

        {"total", "completed", "failed", "cancelled", "failures"}; the last are the first 50 that did not
        succeed: index, id, status, error_code, error. With `policy="fail_fast"` one that failed is an error.

        Raises:
            ChildFailed: see `policy`.
            InvalidInput: see `gather`.
        """
        ids = _ids(children, policy, ("collect", "fail_fast"))
        place = self._book.take_gather(name, key, ids, eager=policy != "collect")
        return self._tally(place, ids, policy)

    async def _tally(self, place: Place, ids: tuple[str, ...], policy: Policy) -> dict[str, Any]:
        step = await self._all_ended(place, ids, policy)
        told = step.value
        if not told:
            with self.parking.active():
                told = await self._pen.tally(step, ids)
        tally: dict[str, Any] = json.loads(told)
        if tally["completed"] != tally["total"]:
            self._book.shake()
            if policy != "collect":
                raise _failure(tally["failures"][0])
        return tally

    def map(
        self,
        name: str,
        items: Iterable[Any],
        fn: Callable[[Any], Any],
        /,
        *,
        policy: Literal["raise", "collect"] = "raise",
        key: str | None = None,
        **terms: Any,
    ) -> Coroutine[Any, Any, MapResult]:
        """Calls `fn(item)` for each item in this process and remembers each result: none is made twice.

        `terms`: `concurrency`, how many run at once (8); `max_retries` of each item (3) and `backoff`, the
        seconds before the first of them (2, then doubled); `progress`, the part of the task's progress that
        it stands for ((0, 1)). Items and results must be JSON; a plain `fn` runs in threads. An item that
        raises `Fail` is not tried again. With `policy="raise"` items that failed for good are an error, and a
        further run of the task tries them anew; with "collect" their errors stand. When the worker stops, no
        further item begins; the rest is the next worker's.

        Raises:
            ItemsFailed: see `policy`; its `result` has what there is.
            ReplayMismatch: an item was recorded as another value.
        """
        if policy not in ("raise", "collect"):
            raise InvalidInput(f"policy must be raise or collect, not {policy!r}")
        outside_steps(name)
        values = list(items)
        if len(values) > MOST_ITEMS:
            raise InvalidInput(f"a map takes at most {MOST_ITEMS} items, not {len(values)}")
        return self._map(self._book.take(name, key, ["map"]), values, fn, _terms(policy == "raise", **terms))

    async def _map(
        self, place: Place, values: list[Any], fn: Callable[[Any], Any], terms: Terms
    ) -> MapResult:
        def call(item: Any) -> Awaitable[Any]:
            return self._value(functools.partial(fn, item))

        with self.parking.active():
            result = await self.parking.until_stopped(MapRun(place, values, call, self._pen, terms).run())
        if result is None:
            return await self.parking.park()
        if result.errors and terms.again:
            self._book.shake()
            raise failure(place.name, result)
        return result


def _check_options(options: Mapping[str, Any]) -> None:
    if strange := sorted(options.keys() - OPTIONS):
        raise InvalidInput(f"a child takes no {strange[0]!r}; only: {', '.join(sorted(OPTIONS))}")


def _asked(task: Mapping[str, Any]) -> Asked:
    options = {key: value for key, value in task.items() if key not in ("task_type", "input")}
    options = {key: value for key, value in options.items() if value is not None}
    _check_options(options)
    return task["task_type"], dict(task.get("input") or {}), options


def _parts(asked: list[Asked]) -> Iterator[list[Asked]]:
    """As many at a time as go into one transaction, by number and by size; the same each time."""
    part: list[Asked] = []
    size = 0
    for one in asked:
        weight = len(wire.dumps(one[1], what="a child's input"))
        if part and (len(part) == PART or size + weight > PART_CHARACTERS):
            yield part
            part, size = [], 0
        part.append(one)
        size += weight
    if part:
        yield part


def _ids(children: tuple[Child, ...], policy: str, policies: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of children that may be waited for so."""
    if policy not in policies:
        raise InvalidInput(f"policy must be one of {', '.join(policies)}, not {policy!r}")
    if len(children) > MOST_CHILDREN or not all(isinstance(child, Child) for child in children):
        raise InvalidInput(f"gather takes at most {MOST_CHILDREN} children, as `spawn` answers them")
    return tuple(dict.fromkeys(child.id for child in children))


def _terms(
    again: bool,
    *,
    concurrency: int = 8,
    max_retries: int = 3,
    backoff: float = 2.0,
    progress: tuple[float, float] = (0.0, 1.0),
) -> Terms:
    try:
        policy = RetryPolicy(max_retries=max_retries, base=max(backoff, 1e-6))
    except ValueError as error:
        raise InvalidInput(f"a map's items: {error}") from None
    return Terms(concurrency=concurrency, policy=policy, again=again, share=progress)


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

    def spawn_many(self, name: str, tasks: Iterable[Mapping[str, Any]], /, **how: Any) -> list[Child]:
        """See `Context.spawn_many`."""
        children: list[Child] = self._run(self._context.spawn_many(name, tasks, **how))
        return children

    def tally(self, *children: Child, **how: Any) -> dict[str, Any]:
        """See `Context.tally` and `sleep`."""
        tally: dict[str, Any] = self._run(self._context.tally(*children, **how))
        return tally

    def gather(self, *children: Child, **how: Any) -> list[Any]:
        """See `Context.gather` and `sleep`."""
        results: list[Any] = self._run(self._context.gather(*children, **how))
        return results

    def map(self, name: str, items: Iterable[Any], fn: Callable[[Any], Any], /, **how: Any) -> MapResult:
        """See `Context.map`: a plain `fn` runs in threads of the worker's, as steps do.

        A cancel, a timeout or a lost lease ends it as in a coroutine, by an exception that is no `Exception`:
        `asyncio.CancelledError`. Items that run in threads go on to their end.
        """
        result: MapResult = self._run(self._context.map(name, items, fn, **how))
        return result
