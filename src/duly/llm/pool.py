"""Who is asked next: order, weights, concurrency; how long a call waits here for somebody who may be asked.

Which provider is open, and how much it takes, is its gate's matter: `shared`, or `alone` without a database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Collection

from duly.llm.alone import Alone
from duly.llm.failures import Failure, Kind
from duly.llm.lanes import Lane, Turn
from duly.model.chat import ModelAway, ModelFailed, ModelPaused

#: Seconds that a call waits here for a provider to open; a longer pause is the task's.
PATIENCE = 2.0
#: How often a call that waits for another process's probe looks, in seconds.
LOOK_SECONDS = 0.25
#: Tasks do not come back at the same moment: a quarter of a pause later, at most so many seconds.
SPREAD_SECONDS = 3.0


class Pool:
    """The providers of this process, behind their gates."""

    def __init__(self, gates: Alone, *, draw: random.Random | None = None) -> None:
        self._gates = gates
        self.lanes = gates.lanes
        self._draw = draw or random.Random()  # noqa: S311 - who is asked is no secret
        self._changed = asyncio.Event()

    async def close(self) -> None:
        """Ends what it began."""
        await self._gates.close()

    async def take(self, model: str, tried: Collection[str], ends_by: float, tokens: int = 0) -> Turn:
        """A turn at a provider for one more request, which `give_back` ends; those that were tried come last.

        Raises:
            ModelFailed: no provider has this model.
            ModelPaused: each is closed for longer than a call should wait.
            ModelAway: each is closed because its account or address is wrong.
        """
        some = [lane for lane in self.lanes.values() if lane.provider.serves(model)]
        if not some:
            raise ModelFailed(f"no provider has the model {model!r}", code="no_provider")
        loop = asyncio.get_running_loop()
        patient_until, later, sure = loop.time() + PATIENCE, dict[str, float](), False
        while True:
            await self._gates.look()
            now = loop.time()
            ready = [one for one in some if one.ready(now) and later.get(one.name, 0) <= now]
            lane = self._choice(ready, tried)
            if lane is not None:
                if (turn := await self._turn(lane, tokens, later)) is not None:
                    return turn
                continue
            try:
                await self._wait(some, min(patient_until, ends_by), ends_by, later)
            except (ModelAway, ModelPaused):
                if sure:
                    raise
                sure = True  # a gate may have been opened a moment ago: nobody sleeps for what is old
                await self._gates.look(again=True)

    def _choice(self, ready: list[Lane], tried: Collection[str]) -> Lane | None:
        if not ready:
            return None
        fresh = [one for one in ready if one.name not in tried] or ready
        first = min(one.provider.order for one in fresh)
        fresh = [one for one in fresh if one.provider.order == first]
        return self._draw.choices(fresh, [one.provider.weight for one in fresh])[0]

    async def _turn(self, lane: Lane, tokens: int, later: dict[str, float]) -> Turn | None:
        """A turn, unless its gate says when to ask again."""
        lane.busy += 1
        try:
            permit = await self._gates.admit(lane, tokens)
        except BaseException:
            self._free(lane)
            raise
        if not isinstance(permit, float):
            return Turn(lane, permit)
        later[lane.name] = asyncio.get_running_loop().time() + permit
        self._free(lane)
        return None

    def _free(self, lane: Lane) -> None:
        lane.busy -= 1
        self._changed.set()

    async def _wait(
        self, some: Collection[Lane], patient_until: float, ends_by: float, later: dict[str, float]
    ) -> None:
        """Until a request has ended, a rate lets one through, or a provider opens, if that is soon enough."""
        now = asyncio.get_running_loop().time()
        opens = min(one.closed_until for one in some)
        if opens > now + PATIENCE:
            raise self._pause(some, opens - now)
        if all(one.shut(now) for one in some) and now >= patient_until:
            raise self._pause(some, max(PATIENCE, opens - now))
        if now >= ends_by:
            raise ModelPaused("all providers are busy", after=1)
        self._changed.clear()
        looks = [now + LOOK_SECONDS] if any(one.shut(now) for one in some) else []
        moments = [*later.values(), *(one.closed_until for one in some)]
        until = min([ends_by, *looks, *(one for one in moments if one > now)])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()

    def _pause(self, some: Collection[Lane], seconds: float, why: str = "") -> ModelPaused | ModelAway:
        closed = [one for one in some if one.reason]
        names = ", ".join(f"{one.name} ({one.reason.code})" for one in closed if one.reason)
        if not why and closed and all(one.reason and one.reason.kind is Kind.SWITCH for one in some):
            return ModelAway(f"somebody must look at {names}", code="provider_refuses", after=seconds)
        later = self._draw.random() * min(SPREAD_SECONDS, seconds / 4)
        message = f"paused for {seconds:.0f} s: {why or names}"
        return ModelPaused(message, after=seconds + later, gates=[one.name for one in closed])

    def give_back(
        self, turn: Turn, failure: Failure | None = None, *, answered: bool = True, used: int | None = None
    ) -> None:
        """A request has ended: with an answer, for which the provider counted so many tokens, with a failure,
        or with neither. A question that no provider answers shows that this one is there."""
        self._free(turn.lane)
        if failure is not None and failure.kind is not Kind.FATAL:
            self._gates.failed(turn, failure)
        elif failure is not None or answered:
            self._gates.answered(turn, used)
        else:
            self._gates.dropped(turn)

    def paused(self, model: str, why: str) -> tuple[ModelPaused | None, float | None]:
        """What a call that has failed leaves its task with, and the seconds until the first provider for this
        model opens; None: one is open."""
        now = asyncio.get_running_loop().time()
        some = [one for one in self.lanes.values() if one.provider.serves(model)]
        opens = min((one.closed_until for one in some), default=0.0)
        if opens <= now:
            return None, None
        paused = self._pause(some, opens - now, why)
        return paused if isinstance(paused, ModelPaused) else None, opens - now
