"""A claim among limits: who finds room in all that it is under takes it, who does not is blocked.

Losers must leave the claim's index: left pending behind a full key, they would hide all others (DESIGN 4.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from duly.model.limit import queue_name, template_of, type_name
from duly.model.task import Claimed
from duly.store import limits
from duly.store.limits import Limit
from duly.store.transaction import Transaction, compact

#: So many candidates a claim looks at once it has met a loser, and so often.
LOOK = 200
ROUNDS = 5


class Offer(NamedTuple):
    """A candidate as `candidates.sql` finds it, with its queue."""

    id: str
    rank: int
    fair_at: int
    suspect: int
    task_type: str
    limit_key: str | None
    queue: str

    def under(self, limited: str) -> list[str]:
        """The limits that it is under, the closest first; `limited`: those of queues and types that exist."""
        wide = [
            name for name in (type_name(self.task_type), queue_name(self.queue)) if f",{name}," in limited
        ]
        return wide if self.limit_key is None else [self.limit_key, *wide]


class Handed(list[Claimed]):
    """What a claim hands out; `more`: it has not seen all that it might."""

    more = False


@dataclass(slots=True)
class Ration:
    """What became of some offers: who may start, holding what; whether anybody was blocked, or left alone
    because others have its limits locked."""

    winners: dict[str, list[str]] = field(default_factory=dict)
    losers: list[dict[str, str]] = field(default_factory=list)
    passed_by: bool = False


def bound(offers: Iterable[Offer], limited: str | None) -> bool:
    """Whether any of these is under a limit."""
    return any(offer.limit_key is not None or (limited and offer.under(limited)) for offer in offers)


class Asking(NamedTuple):
    """The claim itself: which limits of queues and types exist, how it takes tasks by id, and how it looks at
    a lane again, at so many offers."""

    limited: str
    take: Callable[[list[str], dict[str, str]], list[Claimed]]
    more: Callable[[int, int], list[Offer]] | None


def hand_out(tx: Transaction, asking: Asking, found: Sequence[list[Offer]], free: Sequence[int]) -> Handed:
    """Hands out what finds room, lane by lane: what was found there, and then what is behind it."""
    handed = Handed()
    for lane, offers in enumerate(found):
        _fill(tx, asking, lane, offers, free[lane], handed)
    return handed


def _fill(tx: Transaction, asking: Asking, lane: int, offers: list[Offer], free: int, handed: Handed) -> None:
    """Fills one lane. Losers do not use up the claim: it looks again, a bounded number of times."""
    wide = free
    for _ in range(ROUNDS):
        ration = decide(tx, offers, asking.limited, free)
        handed += _start(ration, asking)
        free -= len(ration.winners)
        handed.more = handed.more or ration.passed_by
        if free <= 0 or len(offers) < wide or not ration.losers or asking.more is None:
            return
        wide = max(LOOK, free)
        offers = asking.more(lane, wide)
    handed.more = True


def decide(tx: Transaction, offers: Sequence[Offer], limited: str, free: int) -> Ration:
    """Who may start, in the order of claims; losers are blocked. All in set-based statements."""
    under = {offer.id: offer.under(limited) for offer in offers}
    rows, busy = _rows(tx, under)
    ration, touched = Ration(), dict[str, Limit]()
    for offer in offers:
        if len(ration.winners) >= free:
            break
        if not busy.isdisjoint(under[offer.id]):
            ration.passed_by = True
            continue
        its = {name: rows[name] for name in under[offer.id] if name in rows}
        _decide(tx, offer.id, list(its.values()), ration)
        touched |= its
    if ration.losers:
        tx.run("block", ration.losers)
    limits.write(tx, touched.values())
    return ration


def _decide(tx: Transaction, id_: str, its: Sequence[Limit], ration: Ration) -> None:
    """One offer: with room in all its limits it takes one of each, else it takes none."""
    full = next((one for one in its if not one.room), None)
    if full is None:
        for one in its:
            one.take()
        ration.winners[id_] = [one.name for one in its]
        return
    ration.losers.append({"id": id_, "limit": full.name})
    if full.slots and full.wake_at is None:
        full.look_again(tx.now, 1)
    # It may have been woken for room in another limit, which is now for the next who waits there.
    limits.stir(tx, [one.name for one in its if one.room])


def _start(ration: Ration, asking: Asking) -> list[Claimed]:
    """Claims for the winners, with what they hold."""
    holds = {id_: compact(names) for id_, names in ration.winners.items() if names}
    claimed = asking.take(list(ration.winners), holds)
    return [one._replace(limited=bool(ration.winners[one.id])) for one in claimed]


def _rows(tx: Transaction, under: dict[str, list[str]]) -> tuple[dict[str, Limit], set[str]]:
    """The limits, locked, and which of them others have locked; each key has one from its first task on."""
    names = {name for its in under.values() for name in its}
    if not names:
        return {}, set()
    rows, busy = limits.tried(tx, names)
    new = sorted(name for name in names - rows.keys() - busy if name.startswith("key/"))
    if not new:
        return rows, busy
    tx.run("limits_make", [{"name": name, "template": template_of(name)} for name in new])
    made, others = limits.tried(tx, new)
    return rows | made, busy | others
