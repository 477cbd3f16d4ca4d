"""Who may be asked now, in this process: order, weights, concurrency, cool-downs, one probe, then a ramp.

A provider begins with a few requests at once and gets one more with each success. Once it is closed nobody
asks; then one request is let through, and its success lets more follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from duly.llm.bucket import Bucket
from duly.llm.failures import Failure, Kind
from duly.llm.providers import LlmTable, Provider
from duly.model.chat import ModelAway, ModelFailed, ModelPaused

#: Requests at once to a provider that nothing is known of.
FIRST_WINDOW = 4
#: Seconds that a call waits here for a provider to open; a longer pause is the task's.
PATIENCE = 2.0
#: Seconds that a provider whose account or address is wrong is left alone at first.
SWITCH_SECONDS = 60.0


@dataclass(slots=True)
class Lane:
    """One provider as this process knows it. Moments are those of the event loop's clock."""

    provider: Provider
    busy: int = 0
    window: int = FIRST_WINDOW
    in_a_row: int = 0
    openings: int = 0
    closed_until: float = 0.0
    reason: Failure | None = None
    #: What a minute may bring: {tokens or requests: how many are left}.
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rates = {"requests": self.provider.rpm, "tokens": self.provider.tpm}
        self.buckets = {what: Bucket(rate) for what, rate in rates.items() if rate is not None}

    def opens_in(self, now: float, tokens: int) -> float:
        """Seconds until a minute's rates let a request of so many tokens through."""
        counts = {"requests": 1, "tokens": tokens}
        return max([one.opens_in(now, counts[what]) for what, one in self.buckets.items()], default=0)

    def reserve(self, now: float, tokens: int) -> None:
        """One request of so many tokens, about."""
        for what, one in self.buckets.items():
            one.take(now, 1 if what == "requests" else tokens)

    def settle(self, unused: int) -> None:
        """The provider has counted: so many tokens fewer than were reserved."""
        if "tokens" in self.buckets:
            self.buckets["tokens"].settle(unused)

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    @property
    def room(self) -> bool:
        """Whether one more request may be under way."""
        return self.busy < min(self.window, self.provider.concurrency)

    def close(self, now: float, seconds: float, reason: Failure) -> None:
        """Nobody asks for so long; then one does."""
        self.closed_until = max(self.closed_until, now + seconds)
        self.window, self.reason, self.in_a_row = 1, reason, 0
        self.openings += 1


class Pool:
    """The providers of this process. `told` hears when one is closed or opens again."""

    def __init__(
        self,
        table: LlmTable,
        providers: Collection[Provider],
        *,
        closed: Callable[[Lane, float], None] = lambda *_: None,
        opened: Callable[[Lane], None] = lambda _: None,
        draw: random.Random | None = None,
    ) -> None:
        self._table = table
        self.lanes = {one.name: Lane(one) for one in providers}
        self._closed = closed
        self._opened = opened
        self._draw = draw or random.Random()  # noqa: S311 - who is asked is no secret
        self._changed = asyncio.Event()

    async def take(self, model: str, tried: Collection[str], ends_by: float, tokens: int = 0) -> Lane:
        """A provider for one more request, which `give_back` ends; those that were tried come last.

        Raises:
            ModelFailed: no provider has this model.
            ModelPaused: each is closed for longer than a call should wait.
            ModelAway: each is closed because its account or address is wrong.
        """
        some = [lane for lane in self.lanes.values() if lane.provider.serves(model)]
        if not some:
            raise ModelFailed(f"no provider has the model {model!r}", code="no_provider")
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            open_ = [one for one in some if one.closed_until <= now and one.room]
            lane = self._choice([one for one in open_ if one.opens_in(now, tokens) <= 0], tried)
            if lane is not None:
                lane.busy += 1
                lane.reserve(now, tokens)
                return lane
            await self._wait(some, ends_by, [now + one.opens_in(now, tokens) for one in open_])

    def _choice(self, ready: list[Lane], tried: Collection[str]) -> Lane | None:
        if not ready:
            return None
        fresh = [one for one in ready if one.name not in tried] or ready
        first = min(one.provider.order for one in fresh)
        fresh = [one for one in fresh if one.provider.order == first]
        return self._draw.choices(fresh, [one.provider.weight for one in fresh])[0]

    async def _wait(self, some: Collection[Lane], ends_by: float, rates: list[float]) -> None:
        """Until a request has ended, a rate lets one through, or a provider opens, if that is soon enough."""
        now = asyncio.get_running_loop().time()
        opens = min(one.closed_until for one in some)
        if opens > now + PATIENCE:
            raise self._pause(some, opens - now)
        if now >= ends_by:
            raise ModelPaused("all providers are busy", after=1)
        self._changed.clear()
        until = min([ends_by, *rates, *(one.closed_until for one in some if one.closed_until > now)])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()

    @staticmethod
    def _pause(some: Collection[Lane], seconds: float) -> ModelPaused | ModelAway:
        names = ", ".join(f"{one.name} ({one.reason.code})" for one in some if one.reason)
        if all(one.reason and one.reason.kind is Kind.SWITCH for one in some):
            return ModelAway(f"somebody must look at {names}", code="provider_refuses", after=seconds)
        return ModelPaused(f"paused for {seconds:.0f} s: {names}", after=seconds)

    def give_back(self, lane: Lane, failure: Failure | None = None, *, answered: bool = True) -> None:
        """A request has ended: with an answer, with a failure, or with neither."""
        lane.busy -= 1
        if failure is not None:
            self._failed(lane, failure)
        elif answered:
            lane.window = min(lane.window + 1, lane.provider.concurrency)
            lane.in_a_row = lane.openings = 0
            if lane.reason is not None:
                lane.reason = None
                self._opened(lane)
        self._changed.set()

    def _failed(self, lane: Lane, failure: Failure) -> None:
        """A failure closes the provider at once or as one of several; a fatal one is not its fault."""
        table, grown = self._table, 2.0 ** min(lane.openings, 10)
        lane.in_a_row += failure.kind is Kind.RETRY
        now = asyncio.get_running_loop().time()
        if lane.closed_until > now and failure.after is None:
            return  # it was under way when another one closed it
        match failure.kind:
            case Kind.LIMITED:
                seconds = failure.after if failure.after is not None else table.cooldown * grown
            case Kind.SWITCH:
                seconds = SWITCH_SECONDS * grown
            case Kind.RETRY if lane.in_a_row >= table.failures or lane.reason is not None:
                seconds = failure.after if failure.after is not None else table.cooldown * grown
            case _:
                return
        seconds = min(seconds, max(table.longest_cooldown, failure.after or 0))
        seconds *= 1 + self._draw.random() / 10  # not all processes at the same moment
        lane.close(now, seconds, failure)
        self._closed(lane, seconds)

    def opens_in(self, model: str) -> float | None:
        """Seconds until the first provider for this model opens; None if one is open."""
        now = asyncio.get_running_loop().time()
        closed = [one.closed_until for one in self.lanes.values() if one.provider.serves(model)]
        return None if not closed or min(closed) <= now else min(closed) - now
