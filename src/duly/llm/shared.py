"""The gates of a fleet: rows of the database, by which all processes agree (`store.gates`).

Nothing runs here by itself. Whoever asks for a turn reads the rows if that was longer ago than a quarter of a
second; a provider that is open and has no rates costs no more than this. Permits of a rate are taken for the
call that needs one, and a few for those that will come at once if as many came just before.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

from duly.llm.alone import Alone
from duly.llm.failures import Failure, Kind
from duly.llm.lanes import Lane, Permit, Turn
from duly.llm.providers import LlmTable, Provider
from duly.model import wire
from duly.model.chat import ModelPaused
from duly.model.errors import DulyError, NotReady
from duly.model.events import Emit
from duly.store import gates
from duly.store.database import Database
from duly.store.gates import Answered, Failed, Granted, Lease, Probe, View
from duly.store.minute import Unused

#: How old what is known of gates may be, in seconds; and a permit that was taken ahead of its call.
FRESH_SECONDS = 0.25
#: Permits that are taken ahead at most.
MOST_AHEAD = 8
#: How often a process says that its probe is still under way, in seconds.
KEEP_SECONDS = 3.0


@dataclass(slots=True)
class _Known:
    """What a process knows of one gate, and holds of its permits."""

    leased: bool = True
    version: int = 0
    failures: int = 0
    #: Closings of this process that were not committed yet: until then what is read is older than they are.
    untold: int = 0
    #: Permits taken ahead: (until when they are good, the permit).
    ahead: deque[tuple[float, Permit]] = field(default_factory=deque)
    unused: list[Unused] = field(default_factory=list)
    #: Turns since `since`, and in the quarter second before.
    since: float = 0.0
    turns: int = 0
    before: int = 0

    def count(self, now: float) -> None:
        """One more turn."""
        if now - self.since > FRESH_SECONDS:
            self.before = self.turns if now - self.since < 2 * FRESH_SECONDS else 0
            self.since, self.turns = now, 0
        self.turns += 1


class Shared(Alone):
    """Gates that all processes share."""

    def __init__(
        self,
        table: LlmTable,
        providers: Collection[Provider],
        *,
        database: Database,
        emit: Emit,
        closed: Callable[[Lane, float], None] = lambda *_: None,
        opened: Callable[[Lane], None] = lambda _: None,
    ) -> None:
        super().__init__(table, providers, closed=closed, opened=opened)
        self._database, self._emit = database, emit
        self._holder = secrets.token_hex(8)
        # A provider that answers by rules is no one to agree about.
        self._known = {one.name: _Known() for one in providers if one.kind != "offline"}
        #: When the last look ended, and when it began: what it says is as of some moment between.
        self._looked = self._as_of = float("-inf")
        self._looking = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()
        self._probes: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Waits until what is to be told is told."""
        for one in self._probes.values():
            one.cancel()
        await asyncio.gather(*self._telling, *self._probes.values(), return_exceptions=True)

    async def look(self, *, again: bool = False) -> None:
        """Reads the rows, if that was long ago, or `again`; one look serves all who wait for it."""
        time = asyncio.get_running_loop().time
        asked = time()

        def known() -> bool:
            return self._as_of > asked if again else time() - self._looked < FRESH_SECONDS

        if not self._known or known():
            return
        async with self._looking:
            if not known():
                await self._look()

    async def _look(self) -> None:
        time = asyncio.get_running_loop().time
        began = time()
        with contextlib.suppress(DulyError):  # what was known stays so; who needs a permit will hear of it
            for view in await self._database.read(gates.views, list(self._known)):
                self._heed(view)
        self._as_of, self._looked = began, time()

    def _heed(self, view: View) -> None:
        """Takes over what a row says, unless this process knows better."""
        lane, known = self.lanes[view.name], self._known[view.name]
        if known.untold or view.version < known.version:
            return
        known.version, known.leased, known.failures = view.version, view.leased, view.failures
        shut = view.shut_ms / 1000
        lane.closed_until = asyncio.get_running_loop().time() + shut if shut else 0.0
        lane.openings, lane.probed = view.closings, view.probed
        lane.reason = None
        if view.kind is not None:
            lane.reason = Failure(kind=Kind(view.kind), code=view.code or "", message=view.message or "")
        lane.window = lane.provider.concurrency  # how many more follow is the gate's to say

    async def admit(self, lane: Lane, tokens: int) -> Permit | float:
        """A permit for a request of so many tokens, or the seconds after which to ask again."""
        known, rates = self._known.get(lane.name), (lane.provider.rpm, lane.provider.tpm)
        if known is None or (rates == (None, None) and not known.leased):
            return Permit(tokens=tokens)
        asked = asyncio.get_running_loop().time()
        if (permit := self._ahead(known, tokens, asked)) is None:
            ahead = 0 if known.leased else min(MOST_AHEAD, known.before)
            needs, unused = (tokens,) * (1 + ahead), tuple(known.unused)
            known.unused.clear()
            item = Lease(name=lane.name, holder=self._holder, needs=needs, rates=rates, unused=unused)
            granted = await self._leased(item)
            self._heed(granted.view)
            if not granted.permits:
                return max(0.01, granted.wait_ms / 1000)
            permit = self._taken(lane, granted, tokens, asked + FRESH_SECONDS)
        known.count(asked)
        return permit

    async def _leased(self, item: Lease) -> Granted:
        try:
            granted: Granted = await self._database.write(gates.lease, item)
        except NotReady as error:
            raise ModelPaused(f"the gate of {item.name} cannot be asked: {error}", after=2) from None
        return granted

    def _taken(self, lane: Lane, granted: Granted, tokens: int, until: float) -> Permit:
        """The call's own permit; the others are good for those that come until then."""
        more = [Permit(tokens=tokens, second=granted.second) for _ in range(granted.permits - 1)]
        self._known[lane.name].ahead.extend((until, one) for one in more)
        if granted.probe:
            self._end_keeper(lane.name)  # of a probe that took so long that it was another's to make
            self._probes[lane.name] = asyncio.get_running_loop().create_task(self._keep(lane.name))
        return Permit(tokens=tokens, second=granted.second, probe=granted.probe)

    @staticmethod
    def _ahead(known: _Known, tokens: int, now: float) -> Permit | None:
        """A permit that was taken ahead and is enough; those that are too old go back with the next lease."""
        while known.ahead:
            until, permit = known.ahead[0]
            if until > now:
                return known.ahead.popleft()[1] if permit.tokens >= tokens else None
            known.ahead.popleft()
            known.unused.append(Unused(permit.second, 1, permit.tokens))
        return None

    async def _keep(self, name: str) -> None:
        """Says again and again that the probe is under way."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self._told(name, self._goes_on(name, goes_on=True))

    def _probed(self, turn: Turn) -> None:
        if turn.permit.probe:
            self._end_keeper(turn.name)

    def _end_keeper(self, name: str) -> None:
        if (keeper := self._probes.pop(name, None)) is not None:
            keeper.cancel()

    def answered(self, turn: Turn, used: int | None) -> None:
        """A provider has answered; that is told where it changes something."""
        self._probed(turn)
        lane, known, permit = turn.lane, self._known.get(turn.name), turn.permit
        if known is None:
            return
        if used is not None and lane.provider.tpm is not None and used != permit.tokens:
            known.unused.append(Unused(permit.second, 0, permit.tokens - used))
        if permit.probe or known.failures or (known.leased and lane.reason is None):
            self._tell(lane.name, self._opens(Answered(lane.name, self._holder, permit.probe)))

    def dropped(self, turn: Turn) -> None:
        """A probe that was given up is another's to make."""
        self._probed(turn)
        if turn.permit.probe:
            self._tell(turn.name, self._goes_on(turn.name, goes_on=False))

    def failed(self, turn: Turn, failure: Failure) -> None:
        """Closes the lane at once, if that is certain, and tells the others."""
        self._probed(turn)
        lane, now, after = turn.lane, asyncio.get_running_loop().time(), failure.after
        first, most = self.spans(failure)
        item = Failed(
            name=lane.name,
            kind=failure.kind,
            code=wire.mended(failure.code),
            message=wire.mended(failure.message),
            at_once=failure.kind is not Kind.RETRY,
            probe=turn.permit.probe,
            most=self._table.failures,
            ms=round(first * 1000),
            most_ms=round(most * 1000),
            after_ms=None if after is None else round(after * 1000),
        )
        if closes := item.at_once or item.probe:
            self._known[lane.name].untold += 1
            if lane.closed_until <= now:
                grown = min(first * 2.0 ** min(lane.openings, 10), most)
                self.shut(lane, grown if after is None else after, failure)
        self._tell(lane.name, self._fails(item, closes=closes))

    async def _fails(self, item: Failed, *, closes: bool) -> None:
        lane, known = self.lanes[item.name], self._known[item.name]
        try:
            view: View = await self._database.write(gates.failed, item)
        finally:
            known.untold -= closes
        news = view.shut_ms > 0 and lane.closed_until <= asyncio.get_running_loop().time()
        self._heed(view)
        if news:
            self._closed(lane, view.shut_ms / 1000)

    async def _opens(self, item: Answered) -> None:
        view, opened = await self._database.write(gates.answered, item)
        self._heed(view)
        if opened:
            self._opened(self.lanes[item.name])

    async def _goes_on(self, name: str, *, goes_on: bool) -> None:
        await self._database.write(gates.probe, Probe(name, self._holder, goes_on))

    def _tell(self, name: str, telling: Coroutine[Any, Any, None]) -> None:
        """Tells the others, behind the call that has seen it."""
        task = asyncio.get_running_loop().create_task(self._told(name, telling))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, name: str, telling: Coroutine[Any, Any, None]) -> None:
        try:
            await telling
        except DulyError as error:
            self._emit("llm.warning", message=f"the gate of {name} could not be told: {error}")
