"""The faults of a soak: processes are killed and paused, the database crashes, all by one seeded die."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass, field

from support.soak_ledger import Ledger
from support.soak_servers import File, Server
from support.soak_units import Fleet, Unit, send

#: A kill every so many seconds: more than a hundred in five minutes, and the rests of the supervisors before
#: a restart (1 to 30 s) still leave most workers working. Each time is multiplied by 0.6 to 1.4.
BETWEEN_KILLS = 2.5
BETWEEN_CRASHES = 11.0
BETWEEN_PAUSES = 12.0
#: Longer than a lease and a sweep, so that the tasks of a paused worker run elsewhere when it goes on.
PAUSE = 38.0
#: One round of kills, before it is shuffled. Each death of the API's child in a row doubles its rest, and while
#: it rests nobody can submit: its supervisor, whose successor begins anew, dies as often.
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
    """Throws faults at a fleet and its database until `over`."""

    fleet: Fleet
    database: File | Server
    ledger: Ledger
    die: random.Random
    kills: list[Kill] = field(default_factory=list)
    pauses: int = 0
    over: bool = False
    _round: list[str] = field(default_factory=list)

    async def run(self, ends_at: float) -> None:
        """Until `ends_at` on the monotonic clock; a pause that goes on then is cut short."""
        self.over = False
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

    async def _kill_on(self, ends_at: float) -> None:
        while await self._rest(BETWEEN_KILLS, ends_at):
            if not self._round:
                self._round = self.die.sample(ROUND, len(ROUND))
            kill = self._kill(self._round.pop())
            if kill is not None:
                self.kills.append(kill)

    async def _crash_on(self, ends_at: float) -> None:
        while await self._rest(BETWEEN_CRASHES, ends_at):
            await self.database.crash()

    async def _pause_on(self, ends_at: float) -> None:
        """One worker at a time. A stopped process can hold SQLite's write lock: there, supervisors only."""
        while await self._rest(BETWEEN_PAUSES, ends_at):
            [unit, *_] = self.fleet.awake(self.die)
            if not unit.children(apart=False):
                continue
            unit.pause(whole=isinstance(self.database, Server) and self.pauses % 2 == 1)
            self.pauses += 1
            await asyncio.sleep(max(0.0, min(PAUSE, ends_at - time.monotonic())))
            unit.resume()

    def _kill(self, what: str) -> Kill | None:
        """Kills one of that kind; None: there is none at this moment."""
        self.ledger.read()
        match what:
            case "api child":
                return self._blow(what, self.fleet.api.children(apart=False)[:1])
            case "api supervisor":
                return self._blow(what, self.fleet.api.family()[:1])
            case "worker child":
                return self._blow(what, self._busiest([unit.children(apart=False) for unit in self._awake()]))
            case "quarantine child":
                return self._blow(what, self._busiest([unit.children(apart=True) for unit in self._awake()]))
            case _:
                return self._kill_worker(what)

    def _kill_worker(self, what: str) -> Kill | None:
        """The supervisor alone, whose children die with it; or all at once, as when a host loses power."""
        family = self._busiest([unit.family() for unit in self._awake() if unit.children(apart=False)])
        return self._blow(what, family[:1] if what == "worker supervisor" else family, holders=family[1:])

    def _awake(self) -> list[Unit]:
        return self.fleet.awake(self.die)

    def _busiest(self, families: list[list[int]]) -> list[int]:
        """The first of these that runs a task, else any."""
        there = [family for family in families if family]
        busy = [family for family in there if any(self.ledger.running.get(pid) for pid in family)]
        return next(iter(busy or there), [])

    def _blow(self, what: str, pids: list[int], holders: list[int] | None = None) -> Kill | None:
        if not pids:
            return None
        at = time.monotonic()
        for pid in pids:
            send(pid, signal.SIGKILL)
        return Kill(what=what, at=at, pids=tuple(pids if holders is None else holders))
