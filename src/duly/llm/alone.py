"""The gates of a process without a database: its own rates, its own pauses. `shared` is those of a fleet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping

from duly.llm.bucket import Bucket
from duly.llm.failures import Failure, Kind
from duly.llm.lanes import Lane, Permit, Turn
from duly.llm.providers import LlmTable, Provider

#: Seconds that a provider whose account or address is wrong is left alone at first.
SWITCH_SECONDS = 60.0
#: The longest that one which answers too many with 429 is left alone, unless it says for how long: what it
#: counts is a minute, and one request finds out.
LIMITED_SECONDS = 8.0


class Alone:
    """Closes and opens lanes by what this process sees."""

    def __init__(
        self,
        table: LlmTable,
        providers: Collection[Provider],
        *,
        closed: Callable[[Lane, float], None] = lambda *_: None,
        opened: Callable[[Lane], None] = lambda _: None,
        draw: random.Random | None = None,
    ) -> None:
        self.lanes = {one.name: Lane(one) for one in providers}
        self._table, self._closed, self._opened = table, closed, opened
        self._draw = draw or random.Random()  # noqa: S311 - when somebody asks again is no secret
        self._buckets = {one.name: _buckets(one) for one in providers}

    async def look(self, *, again: bool = False) -> None:
        """Hears what others have seen: there are none."""

    async def close(self) -> None:
        """Ends what it began."""

    async def admit(self, lane: Lane, tokens: int) -> Permit | float:
        """A permit for a request of so many tokens, or the seconds after which to ask again."""
        now, counts = asyncio.get_running_loop().time(), {"requests": 1, "tokens": tokens}
        buckets = self._buckets[lane.name]
        wait = max([one.opens_in(now, counts[what]) for what, one in buckets.items()], default=0.0)
        if wait > 0:
            return wait
        for what, one in buckets.items():
            one.take(now, counts[what])
        return Permit(tokens=tokens)

    def answered(self, turn: Turn, used: int | None) -> None:
        """A provider has answered; `used`: tokens as it counted them."""
        lane, bucket = turn.lane, self._buckets[turn.name].get("tokens")
        if bucket is not None and used is not None:
            bucket.settle(turn.permit.tokens - used)
        lane.window = min(lane.window + 1, lane.provider.concurrency)
        lane.in_a_row = lane.openings = 0
        if lane.reason is not None:
            lane.reason = None
            self._opened(lane)

    def dropped(self, turn: Turn) -> None:
        """A request was given up before its end: nobody's failure."""

    def failed(self, turn: Turn, failure: Failure) -> None:
        """A failure closes the provider at once or as one of several."""
        lane, now = turn.lane, asyncio.get_running_loop().time()
        lane.in_a_row += failure.kind is Kind.RETRY
        if lane.closed_until > now and failure.after is None:
            return  # it was under way when another one closed it
        if failure.kind is not Kind.RETRY or lane.in_a_row >= self._table.failures or lane.reason is not None:
            first, most = self.spans(failure)
            seconds = (
                min(first * 2.0 ** min(lane.openings, 10), most) if failure.after is None else failure.after
            )
            seconds *= 1 + self._draw.random() / 10  # not all processes at the same moment
            self.shut(lane, seconds, failure)

    def spans(self, failure: Failure) -> tuple[float, float]:
        """Seconds that a provider is left alone at first and at most, if it does not say for how long."""
        table = self._table
        match failure.kind:
            case Kind.LIMITED:
                return table.cooldown, min(table.longest_cooldown, max(table.cooldown, LIMITED_SECONDS))
            case Kind.SWITCH:
                return SWITCH_SECONDS, table.longest_cooldown
            case _:
                return table.cooldown, table.longest_cooldown

    def shut(self, lane: Lane, seconds: float, failure: Failure) -> None:
        """Closes a lane, and tells of it."""
        lane.close(asyncio.get_running_loop().time(), seconds, failure)
        self._closed(lane, seconds)


def _buckets(provider: Provider) -> Mapping[str, Bucket]:
    """What a minute may bring: {tokens or requests: how many are left}."""
    rates = {"requests": provider.rpm, "tokens": provider.tpm}
    return {what: Bucket(rate) for what, rate in rates.items() if rate is not None}
