"""The attempts of one worker: starts them in free slots, tells them of cancels, drains them at the end."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from duly.execute.attempt import Attempt, Bench
from duly.execute.means import NONE, Means
from duly.execute.offload import Place
from duly.model.events import Emit
from duly.model.task import Claimed
from duly.registry import Registry
from duly.store import lists
from duly.store.claims import Finish
from duly.store.database import Database

#: How long a stopped coroutine or process may take at the end of a drain.
LAST_SECONDS = 2.0
#: From so many slots on two claims share them.
MANY = 32


class Runner:
    """Holds what runs here. `freed` is called whenever a slot becomes free."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        emit: Emit,
        slots: Mapping[str, int],
        stuck: float,
        freed: Callable[[], None],
        replace: Callable[[], None],
        means: Means = NONE,
    ) -> None:
        self._database = database
        self._registry = registry
        self._emit = emit
        self._slots = slots
        self._freed = freed
        self._replace = replace
        self._place = Place(threads=slots["thread"], concurrency=slots["loop"], processes=slots["process"])
        self._bench = Bench(
            database=database,
            place=self._place,
            emit=emit,
            stuck_seconds=stuck,
            begun=self._begun,
            handled=self._handled,
            stuck=self._stuck,
            over=self._over,
            means=means,
            stirred=freed,
        )
        self._attempts: set[Attempt] = set()
        #: Whether the worker stops: no further attempt and no further step begins.
        self.draining = False
        self._used: Counter[str] = Counter()
        self._unrecorded: Counter[str] = Counter()
        self._turned = asyncio.Event()
        self._awaited: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._strikes_at = math.inf

    def free(self, lane: str) -> int:
        """How many attempts should be claimed for `lane` now: of many slots a half, so that the database
        brings the next ones while these run. A handler that has ended gives its slot away at once; of those
        whose end is not recorded yet there are at most as many again."""
        slots = 0 if self.draining else self._slots[lane]
        at_once = slots if slots < MANY else -(-slots // 2)
        return max(0, min(slots - self._used[lane], 2 * slots - self._unrecorded[lane], at_once))

    def start(self, claimed: Iterable[Claimed]) -> None:
        """Starts attempts that were claimed for this worker."""
        for one in claimed:
            attempt = Attempt(one, self._registry[one.task_type], self._bench)
            self._attempts.add(attempt)
            self._used[attempt.lane] += 1
            self._unrecorded[attempt.lane] += 1
            try:
                attempt.begin()
            except Exception as error:  # noqa: BLE001 - a defect of ours must not cost the others their start
                self._over(attempt, error)

    def _begun(self, attempt: Attempt) -> None:
        """One timer serves all: it is set for the first handler that must end."""
        if attempt.ends_by < self._strikes_at:
            self._set_timer(attempt.ends_by)

    def _set_timer(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._strikes_at = moment
        if moment < math.inf:
            self._timer = asyncio.get_running_loop().call_at(moment, self._strike)

    def _strike(self) -> None:
        now = asyncio.get_running_loop().time()
        for attempt in list(self._attempts):
            if attempt.ends_by <= now:
                attempt.strike()
        self._set_timer(min((one.ends_by for one in self._attempts if one.may_strike), default=math.inf))

    def _over(self, attempt: Attempt, error: BaseException | None) -> None:
        if attempt not in self._attempts:
            return
        self._attempts.discard(attempt)
        attempt.let_go()
        self._handled(attempt)
        self._unrecorded[attempt.lane] -= 1
        if error is not None:
            self._emit("attempt.broken", task_id=attempt.claimed.id, error=repr(error))
        self._turned.set()
        self._let_go((attempt.claimed.id, attempt.claimed.attempt))
        self._freed()

    def _handled(self, attempt: Attempt) -> None:
        if not attempt.handled:
            attempt.handled = True
            self._used[attempt.lane] -= 1
            self._freed()

    def _stuck(self, attempt: Attempt) -> None:
        self._emit("worker.stuck_handler", task_id=attempt.claimed.id)
        self._turned.set()
        self._replace()

    async def until_over(self, claimed: Claimed) -> None:
        """Returns when this attempt is over, or ignores its stop at the end of a drain."""
        key = (claimed.id, claimed.attempt)
        if key in self.held():
            self._awaited[key] = asyncio.get_running_loop().create_future()
            await self._awaited[key]

    def _let_go(self, key: tuple[str, int]) -> None:
        awaited = self._awaited.pop(key, None)
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    @property
    def busy(self) -> int:
        """How many attempts run."""
        return len(self._attempts)

    def ends_by(self) -> float | None:
        """When the first of the running handlers must have ended, in the loop's time."""
        return min((one.ends_by for one in self._attempts), default=None)

    def held(self) -> set[tuple[str, int]]:
        """(task id, attempt) of all that runs here."""
        return {(one.claimed.id, one.claimed.attempt) for one in self._attempts}

    def shares(self) -> tuple[int, ...]:
        """Of all that runs here, how many may share its process; 0: as many as there are slots."""
        return tuple(one.claimed.suspect for one in self._attempts)

    def last_words(self) -> list[Finish]:
        """What to record for handlers that ignore their stop, once this process is gone."""
        return [one.last_word for one in self._attempts if one.last_word is not None]

    async def look_for_cancels(self) -> None:
        """Tells running attempts that were asked to stop."""
        running = {one.claimed.id: one for one in self._attempts}
        if running:
            for id_ in await self._database.read(lists.cancelling, list(running)):
                running[id_].cancel()

    def lose_all(self) -> None:
        """The session was ended by another process: everything here belongs to others now."""
        for attempt in list(self._attempts):
            attempt.lose()

    async def drain(self, seconds: float) -> None:
        """Lets attempts end by themselves or come to their next step for `seconds`, then stops them; all that
        has not ended goes back."""
        self.draining = True
        for attempt in list(self._attempts):
            attempt.hand_back(at_once=False)
        await self._wait(seconds)
        for attempt in list(self._attempts):
            attempt.hand_back(at_once=True)
        await self._wait(LAST_SECONDS)
        self._place.close()
        for key in list(self._awaited):
            self._let_go(key)

    async def _wait(self, seconds: float) -> None:
        """Until all have ended but those that ignore their stop, for `seconds` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(one.last_word is None for one in self._attempts):
                    self._turned.clear()
                    await self._turned.wait()
