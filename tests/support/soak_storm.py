"""The faults of a soak: processes are killed and paused, the database crashes, all by one seeded die."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from support.soak_ledger import Ledger
from support.soak_servers import File, Server
from support.soak_units import Fleet, Unit, send

#: Seconds between faults, each time multiplied by 0.6 to 1.4: more than a hundred kills in five minutes.
BETWEEN_KILLS = 2.2
#: The same after a kill for which there was no victim.
AGAIN = 0.3
BETWEEN_CRASHES = 11.0
BETWEEN_PAUSES = 12.0
#: Longer than a lease and a sweep, so that the tasks of a paused worker run elsewhere when it goes on.
PAUSE = 38.0
#: One round of kills, before it is shuffled. Each early death of a child doubles the rest before the next
#: (1 to 30 s); supervisors die often enough that new ones begin to count anew.
ROUND = (
    *["worker child"] * 12,
    *["worker supervisor"] * 3,
    *["host"] * 3,
    *["quarantine child"] * 2,
    *["api child"] * 2,
    *["api supervisor"] * 2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """kill -9 at one moment of processes that belong together; `pids` are those that can have held tasks."""

    what: str
    at: float
    pids: tuple[int, ...]


@dataclass(slots=True)
class Storm:
    """Throws faults at a fleet and its database. `manned` answers the process ids with a living session."""

    fleet: Fleet
    database: File | Server
    ledger: Ledger
    die: random.Random
    manned: Callable[[], Awaitable[set[int]]]
    kills: list[Kill] = field(default_factory=list)
    #: When the database was away, from and to.
    outages: list[tuple[float, float]] = field(default_factory=list)
    pauses: int = 0
    _round: list[str] = field(default_factory=list)
    #: How often a child of a unit was killed since its supervisor is there.
    _deaths: Counter[str] = field(default_factory=Counter)

    async def run(self, ends_at: float) -> None:
        """Until `ends_at` on the monotonic clock; a pause that goes on then is cut short."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_on(ends_at))
            group.create_task(self._pause_on(ends_at))
            if isinstance(self.database, Server):
                group.create_task(self._crash_on(ends_at))

    async def _rest(self, mean: float, ends_at: float) -> bool:
        """Waits about `mean` seconds; whether there is time left then."""
        seconds = mean * self.die.uniform(0.6, 1.4)
        await asyncio.sleep(max(0.0, min(seconds, ends_at - time.monotonic())))
        return time.monotonic() < ends_at

    async def _crash_on(self, ends_at: float) -> None:
        while await self._rest(BETWEEN_CRASHES, ends_at):
            begun = time.monotonic()
            await self.database.crash()
            self.outages.append((begun, time.monotonic()))

    async def _pause_on(self, ends_at: float) -> None:
        """One worker at a time. A stopped process can hold SQLite's write lock: there, supervisors only."""
        while time.monotonic() < ends_at:
            [unit, *_] = self.fleet.awake(self.die)
            if unit.children(apart=False):
                unit.pause(whole=isinstance(self.database, Server) and self.pauses % 2 == 1)
                self.pauses += 1
                await asyncio.sleep(max(0.0, min(PAUSE, ends_at - time.monotonic())))
                unit.resume()
            await self._rest(BETWEEN_PAUSES, ends_at)

    async def _kill_on(self, ends_at: float) -> None:
        mean = BETWEEN_KILLS
        while await self._rest(mean, ends_at):
            self._round = self._round or self.die.sample(ROUND, len(ROUND))
            what, before = self._round.pop(), len(self.kills)
            if what.startswith("api"):
                family = self.fleet.api.family()
                self._blow(what, family[:1] if what == "api supervisor" else family[1:])
            else:
                await self._kill_worker(what)
            mean = BETWEEN_KILLS if len(self.kills) > before else AGAIN

    async def _kill_worker(self, what: str) -> None:
        """Kills one that is at work if another is, so that its tasks can run there; else one that is not."""
        units = await self._victims()
        if not units:
            return
        self.ledger.read()
        match what:
            case "worker child":
                unit = self._chosen(units, most=False)
                self._blow(what, unit.children(apart=False), of=unit)
            case "quarantine child":
                apart = [pid for unit in units for pid in unit.children(apart=True)]
                self._blow(what, ([pid for pid in apart if self.ledger.running[pid]] or apart)[:1])
            case _:
                self._kill_host(what, self._chosen(units, most=True))

    def _kill_host(self, what: str, unit: Unit) -> None:
        """The supervisor alone, whose children die with it; or all at once, as when a host loses power."""
        family = unit.family()
        self._blow(what, family[:1] if what == "worker supervisor" else family, holders=family[1:])
        self._deaths[unit.name] = 0

    async def _victims(self) -> list[Unit]:
        """The workers whose ordinary child has a session, if there are several; else all others that live."""
        manned = await self.manned()
        living = {unit.name: unit.children(apart=False) for unit in self.fleet.awake(self.die)}
        there = [unit for unit in self.fleet.awake(self.die) if living[unit.name]]
        at_work = [unit for unit in there if manned.intersection(living[unit.name])]
        return at_work if len(at_work) > 1 else [unit for unit in there if unit not in at_work]

    def _chosen(self, units: list[Unit], *, most: bool) -> Unit:
        """One that runs tasks, if any does: the one of the most, or of the fewest deaths so far."""
        busy = [unit for unit in units if any(self.ledger.running[pid] for pid in unit.family())]
        sign = -1 if most else 1
        return min(busy or units, key=lambda unit: sign * self._deaths[unit.name])

    def _blow(
        self, what: str, pids: list[int], *, holders: list[int] | None = None, of: Unit | None = None
    ) -> None:
        if pids:
            at = time.monotonic()
            for pid in pids:
                send(pid, signal.SIGKILL)
            self.kills.append(Kill(what=what, at=at, pids=tuple(pids if holders is None else holders)))
            self._deaths += Counter([of.name] if of else [])
