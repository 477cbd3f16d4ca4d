"""One function over many items: at most some at once, each remembered, a failed one tried again alone.

What is learned of items is gathered and recorded in batches; a crash loses at most the last quarter second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from duly.execute.steps import Place
from duly.execute.verdict import raised
from duly.model import wire
from duly.model.errors import InvalidInput, ItemsFailed, LeaseLost, ReplayMismatch, TooLarge
from duly.model.outcome import Failed
from duly.model.policy import RetryPolicy
from duly.store.items import PAGE, Item

GATHER_SECONDS = 0.25
#: How often an item that waits for its next try asks whether the worker stays, in seconds.
LOOK_SECONDS = 1.0
#: So many items, or characters of results, are recorded without waiting for more.
BATCH, BATCH_CHARACTERS = 200, 1_000_000
MOST_ITEMS = 100_000
RESULT_LIMIT = 262_144


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item failed for good, and after how many tries."""

    code: str
    message: str
    tries: int


@dataclass(frozen=True, slots=True)
class MapResult:
    """What a map made of its items: their results in order (None where there is none), errors by number."""

    results: list[Any]
    errors: dict[int, ItemError]

    @property
    def ok(self) -> list[Any]:
        """The results of the items that completed, in order."""
        return [value for n, value in enumerate(self.results) if n not in self.errors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How items are tried: so many at once, retried by this policy; `again`: those that failed before too.

    `share` is the part of the task's progress that the map stands for.
    """

    concurrency: int
    policy: RetryPolicy
    again: bool
    share: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        low, high = self.share
        if isinstance(self.concurrency, bool) or not 1 <= self.concurrency <= 1000:
            raise InvalidInput(f"concurrency must be 1..1000, not {self.concurrency!r}")
        if not 0 <= low <= high <= 1:
            raise InvalidInput(f"progress must be two numbers from 0 to 1 in order, not {self.share!r}")


class ItemPen(Protocol):
    """Where a map is remembered."""

    async def items(self, name: str, after: int) -> list[Item]: ...

    async def record_items(self, name: str, some: tuple[Item, ...], progress: float) -> None: ...

    async def leaving(self) -> bool: ...


@dataclass(slots=True)
class MapRun:
    """One map of one attempt."""

    place: Place
    values: Sequence[Any]
    call: Callable[[Any], Awaitable[Any]]
    pen: ItemPen
    terms: Terms
    _known: dict[int, Item] = field(default_factory=dict)
    _fresh: dict[int, Item] = field(default_factory=dict)
    _size: int = 0
    _done: int = 0
    _leaves: bool = False
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _timer: asyncio.TimerHandle | None = None
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Under which its items are remembered: a name used again is another map."""
        return self.place.name if self.place.n == 1 else f"{self.place.name}/{self.place.n}"

    async def run(self) -> MapResult | None:
        """Tries every item that is not remembered; returns once all of it is recorded. None: the worker
        stops, and items are left."""
        await self._read()
        pending = self._pending()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.terms.concurrency, len(self.values))):
                    group.create_task(self._work(pending))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._stop_timer()
            if self._background:
                await asyncio.gather(*self._background, return_exceptions=True)
            await self._flush()  # also when the attempt must stop: what was made was paid for
        return None if self._leaves else self._result()

    async def _read(self) -> None:
        after = -1
        while page := await self.pen.items(self.name, after):
            self._known |= {one.n: one for one in page if one.n < len(self.values)}
            after = page[-1].n
            if len(page) < PAGE:
                break
        self._done = sum(self._stands(one) for one in self._known.values())

    def _stands(self, one: Item) -> bool:
        return one.status == "completed" or (one.status == "failed" and not self.terms.again)

    def _pending(self) -> Iterator[tuple[int, str, int]]:
        """Number, digest and tries of each item that is still to be done; one iterator for all workers."""
        for n, value in enumerate(self.values):
            known, digest = self._known.get(n), self._digest(n, value)
            if known is not None and known.digest != digest:
                raise ReplayMismatch(f"item {n} of map {self.name!r} was recorded as another value")
            if known is None or not self._stands(known):
                tries = 0 if known is None or known.status == "failed" else known.tries
                yield n, digest, tries

    def _digest(self, n: int, value: Any) -> str:
        try:
            return wire.digest(value)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"item {n} of map {self.name!r} must be JSON: {error}") from None

    async def _work(self, pending: Iterator[tuple[int, str, int]]) -> None:
        for n, digest, tries in pending:
            if not await self._may_begin():
                return
            item = await self._try(n, digest, tries + 1)
            while item.status == "retry":
                await self._learn(item)
                if not await self._may_begin(after=self.terms.policy.delay_ms(item.tries) / 1000):
                    return
                item = await self._try(n, digest, item.tries + 1)
            self._done += 1
            await self._learn(item)

    async def _may_begin(self, *, after: float = 0) -> bool:
        """Whether the worker stays, for so many seconds too."""
        loop = asyncio.get_running_loop()
        ends_by = loop.time() + after
        leaves = await self.pen.leaving()
        while not leaves and (left := ends_by - loop.time()) > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            leaves = await self.pen.leaving()
        self._leaves |= leaves
        return not leaves

    async def _try(self, n: int, digest: str, tries: int) -> Item:
        try:
            text = _text(await self.call(self.values[n]))
            return Item(n=n, status="completed", tries=tries, digest=digest, result=text)
        except LeaseLost:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - an item's outcome
            return self._failed(raised(error), n=n, digest=digest, tries=tries)

    def _failed(self, outcome: Any, *, n: int, digest: str, tries: int) -> Item:
        failed = outcome if isinstance(outcome, Failed) else Failed(code="retry", message=str(outcome))
        final = not failed.retryable or tries > self.terms.policy.max_retries
        said = {"error_code": failed.code, "error": failed.message}
        return Item(n=n, status="failed" if final else "retry", tries=tries, digest=digest, **said)

    async def _learn(self, item: Item) -> None:
        self._known[item.n] = self._fresh[item.n] = item
        self._size += len(item.result or "")
        if len(self._fresh) >= BATCH or self._size >= BATCH_CHARACTERS:
            await self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._flush_later)

    def _flush_later(self) -> None:
        self._timer = None
        task = asyncio.create_task(self._flush())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _flush(self) -> None:
        async with self._writing:
            self._stop_timer()
            fresh, self._fresh, self._size = self._fresh, {}, 0
            if not fresh:
                return
            low, high = self.terms.share
            progress = low + (high - low) * self._done / max(1, len(self.values))
            await self.pen.record_items(self.name, tuple(fresh.values()), progress)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _result(self) -> MapResult:
        known = [self._known[n] for n in range(len(self.values))]
        results = [None if one.result is None else json.loads(one.result) for one in known]
        errors = {
            one.n: ItemError(one.error_code or "", one.error or "", one.tries)
            for one in known
            if one.status == "failed"
        }
        return MapResult(results, errors)


def _text(value: Any) -> str:
    text = wire.dumps(value, what="an item's result")
    if len(text) > RESULT_LIMIT:
        raise TooLarge(f"an item's result may hold {RESULT_LIMIT} characters, not {len(text)}")
    return text


def failure(name: str, result: MapResult) -> ItemsFailed:
    """The error of a map that wants all of its items."""
    n, first = min(result.errors.items())
    count, total = len(result.errors), len(result.results)
    return ItemsFailed(
        f"map {name!r}: {count} of {total} items failed; item {n}: {first.message}", result=result
    )
