"""The rows of limits: locked in the order of their names, taken, given back, and who waits for room woken.

Whoever gives back what it held and whoever blocks a task decide about each other: both lock the limit's row,
and look for tasks that wait in a later statement. Nothing here waits for a task while it holds a limit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duly.store.transaction import Transaction

#: So many tasks one transaction wakes of one limit at most.
MOST_WOKEN = 1000
#: The clock looks for tokens no more often than this, in milliseconds.
LOOK_APART_MS = 100


@dataclass(slots=True)
class Limit:
    """One row as it was locked, and what becomes of it; a row of `limits_lock.sql`."""

    name: str
    cap: int | None
    taken: int
    rate: int | None
    per_ms: int | None
    tokens: float
    refilled_at: int
    wake_at: int | None
    updated_at: int

    def refill(self, now: int) -> None:
        """Adds the tokens of the time that has passed; no more than the rate can be saved up.

        A time yet to come is that of a clock which has jumped back since: it counts no more.
        """
        if self.rate is not None and self.per_ms is not None:
            grown = self.tokens + max(0, now - self.refilled_at) * self.rate / self.per_ms
            self.tokens, self.refilled_at = min(float(self.rate), grown), now
            if self.wake_at is not None:
                self.wake_at = min(self.wake_at, now + max(LOOK_APART_MS, math.ceil(self.per_ms / self.rate)))

    @property
    def slots(self) -> int:
        """How many more may run at once."""
        return MOST_WOKEN if self.cap is None else max(0, self.cap - self.taken)

    @property
    def starts(self) -> int:
        """How many may start now, as far as the rate goes."""
        return MOST_WOKEN if self.rate is None else int(self.tokens + 1e-6)

    @property
    def room(self) -> int:
        """How many more may be taken now."""
        return min(self.slots, self.starts)

    def take(self) -> None:
        """One more runs."""
        self.taken += 1
        if self.rate is not None:
            self.tokens -= 1

    def look_again(self, now: int, tokens: int) -> None:
        """The clock shall look when there are so many tokens."""
        if self.rate is not None and self.per_ms is not None:
            wait = math.ceil((tokens - self.tokens) * self.per_ms / self.rate)
            self.wake_at = now + max(LOOK_APART_MS, wait)


def locked(tx: Transaction, names: Iterable[str]) -> dict[str, Limit]:
    """These limits, locked in order, with their tokens of now; those that exist."""
    return _read(tx, tx.run("limits_lock", sorted(set(names))))


def tried(tx: Transaction, names: Iterable[str]) -> tuple[dict[str, Limit], set[str]]:
    """The same without a wait for what others have locked, which the second answer names: of many claims
    and ends that share some keys each would wait for all. Who gets none waits once, if it holds none."""
    asked = sorted(set(names))
    rows = _read(tx, tx.run("limits_try", asked))
    if not rows and not tx.limits_locked:
        return locked(tx, asked), set()
    missing = [name for name in asked if name not in rows]
    return rows, {name for (name,) in tx.run("limits_there", missing)} if missing else set()


def _read(tx: Transaction, rows: Iterable[Sequence[object]]) -> dict[str, Limit]:
    known = {str(row[0]): Limit(*row) for row in rows}  # type: ignore[arg-type]
    # The wait for a lock was no time: who takes what another gave back starts after that end. By the clock,
    # for a limit's own time may be one that the clock had before it jumped back.
    if any(one.updated_at > tx.now for one in known.values()):
        tx.look_at_the_clock()
    for one in known.values():
        one.refill(tx.now)
    tx.limits_locked = tx.limits_locked or bool(known)
    return known


def write(tx: Transaction, limits: Collection[Limit]) -> None:
    """Keeps what became of them."""
    if limits:
        words = ("name", "taken", "tokens", "refilled_at", "wake_at")
        tx.run("limits_write", [{word: getattr(one, word) for word in words} for one in limits])


def give_back(tx: Transaction, holds: Iterable[str | None]) -> None:
    """Notes what ended attempts held (the column of their tasks); `settle` gives it back."""
    for held in holds:
        if held:
            tx.freed.update(json.loads(held))


def stir(tx: Transaction, names: Iterable[str]) -> None:
    """Notes limits in which there may be room for who waits; `settle` looks."""
    tx.stirred.update(names)


def settle(tx: Transaction) -> None:
    """Gives back all that was noted, in one order of locks, and then wakes as many as there is room for.

    Before claims, which find the woken ones, and before a commit.
    """
    if not tx.freed and not tx.stirred:
        return
    freed, stirred = dict(tx.freed), set(tx.stirred)
    tx.freed.clear()
    tx.stirred.clear()
    rows = locked(tx, {*freed, *stirred})
    for name, count in freed.items():
        if name in rows:
            rows[name].taken = max(0, rows[name].taken - count)
    asked = {name: MOST_WOKEN if name in stirred else freed[name] for name in rows}
    wanted = {name: min(one.room, asked[name]) for name, one in rows.items()}
    # A limit that is not there any more holds back nobody.
    gone = dict.fromkeys({*freed, *stirred} - rows.keys(), MOST_WOKEN)
    woken = _wake(tx, {name: count for name, count in wanted.items() if count} | gone)
    for name, one in rows.items():
        _look_later(tx.now, one, wanted[name], woken.get(name, 0))
    write(tx, rows.values())


def _look_later(now: int, one: Limit, wanted: int, woken: int) -> None:
    """When the clock shall look: for the token after those that the woken ones take, if more may wait."""
    if woken < wanted or one.starts >= one.slots:
        one.wake_at = None  # nobody waits any more, or whoever gives back will wake them
    else:
        one.look_again(now, woken + 1)


def _wake(tx: Transaction, wanted: Mapping[str, int]) -> dict[str, int]:
    """Lets so many of each limit stand in line again, at the head; how many there were."""
    found = _first_of(tx, [name for name, count in wanted.items() if count == 1])
    for name, count in wanted.items():
        if count > 1:
            found += [(name, id_) for (id_,) in tx.run("blocked", on=name, most=count)]
    if found:
        places = tx.heads.known(tx)
        tx.run("unblock", [id_ for _, id_ in found], places=places)
        tx.passing.add(wake)
    counted: dict[str, int] = {}
    for name, _ in found:
        counted[name] = counted.get(name, 0) + 1
    return counted


def _first_of(tx: Transaction, names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, id_) for name, id_ in tx.run("blocked_first", names)] if names else []


def wake(tx: Transaction, items: Sequence[Sequence[str]]) -> list[None]:
    """Wakes who waits in these limits, as many as there is room for. Hints come after it, also when another
    verb woke somebody in passing."""
    stir(tx, [name for names in items for name in names])
    return [None for _ in items]
