"""Where the pending tasks of each queue begin, as this process saw it less than a second ago (decision 0016).

A server's index keeps what was claimed until no snapshot can see it, and a look from the index's end walks
over all of that. So looks begin where the last one found something. A place that has become wrong costs order
for that second, never a task; nothing that must hold depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duly.store.transaction import Row, Transaction

#: One place per rank: each is looked at from its own, so that a higher priority is found at once.
FRONT = (0,) * 10
LOOK_MS = 1000
#: The age of a look that is made anew beside the work.
LOOK_AGAIN_MS = 800
#: How many queues are remembered at most; with more, all are looked up anew.
QUEUES = 1000


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a queue: when, the least `fair_at` of each rank (0: none), and from where those look
    who found too little there."""

    at: int
    places: tuple[int, ...]
    of_asker: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)


class Heads:
    """The memory of one process. Its writer looks; its readers and its callers' transactions, which make no
    look of their own (`only_seen`), use what was seen."""

    def __init__(self, seen: dict[str, _Look] | None = None) -> None:
        self._looks: dict[str, _Look] = {} if seen is None else seen
        self._looking = seen is None
        self._wanted: set[str] = set()
        self._quotas: tuple[int, dict[str, int]] | None = None
        #: Queues in which a claim met limits, and when: what has one statement does not try for a second.
        self._bound: dict[str, int] = {}

    def only_seen(self) -> Heads:
        """The same memory without looks."""
        return Heads(self._looks)

    def candidates(self, tx: Transaction, types: Sequence[str], *, queue: str, free: int) -> list[Row]:
        """The rows of `candidates.sql`: each rank from its place on.

        A rank that is read to its end may have run empty and begun anew, and so may all when there are fewer
        than `free`: whoever comes so far looks at these from the front, now and until the next look.
        """
        look = self._look(tx, queue)
        asker = tuple(types)
        places = look.of_asker.get(asker, look.places)
        found = tx.run("candidates", types, free=free, **given(queue, places))
        doubted = _doubted(places, [row[1] for row in found], free)
        if doubted:
            places = look.of_asker[asker] = _front_of(doubted, places)
            found = tx.run("candidates", types, free=free, **given(queue, places))
        return found

    def startable(self, tx: Transaction, types: Sequence[str], *, queue: str) -> bool:
        """Whether `startable.sql` finds a task, from the places on or else from the front."""
        looks = dict.fromkeys((self._look(tx, queue).places, FRONT))
        return any(tx.run("startable", types, **given(queue, places)) for places in looks)

    def of(self, tx: Transaction, queues: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """For each queue the place of each rank, where a ticket's look for the head begins.

        On MariaDB, whose subqueries cannot begin within a rank, it is the heads themselves.
        """
        looks = {queue: self._look(tx, queue).places for queue in dict.fromkeys(queues)}
        if tx.dialect == "mariadb":
            looks = {queue: _heads(tx, queue, places) for queue, places in looks.items()}
        return looks

    def seen(self, now: int, queues: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """The same from memory alone; the front of a queue that was not looked at within the second."""
        return {queue: self.places(now, queue) for queue in dict.fromkeys(queues)}

    def places(self, now: int, queue: str, asker: tuple[str, ...] = ()) -> tuple[int, ...]:
        """From where on who asks for these types reads this queue."""
        self._wanted.add(queue)
        look = self._looks.get(queue)
        if look is None or not _serves(look, now):
            return FRONT
        return look.of_asker.get(asker, look.places)

    def doubt(self, queue: str, asker: tuple[str, ...], found: Sequence[int], free: int) -> bool:
        """Whether places may have hidden something from a claim that found these ranks; the asker begins at
        the front of those from now on, until the next look."""
        look = self._looks.get(queue)
        places = FRONT if look is None else look.of_asker.get(asker, look.places)
        doubted = _doubted(places, found, free)
        if look is not None and doubted:
            look.of_asker[asker] = _front_of(doubted, places)
        return bool(doubted)

    def quotas(self, tx: Transaction) -> dict[str, int]:
        """How many tasks may wait where, as it stood less than a second ago."""
        if self._quotas is None or not 0 <= tx.now - self._quotas[0] < LOOK_MS:
            self._quotas = (tx.now, dict(tx.run("quotas")))
        return self._quotas[1]

    @property
    def has_quotas(self) -> bool:
        """Whether there were some when somebody looked: then submits are the verb's."""
        return self._quotas is not None and bool(self._quotas[1])

    def bind(self, now: int, queues: Iterable[str]) -> None:
        """Claims from these queues meet limits, which are the verb's."""
        self._bound |= dict.fromkeys(queues, now)

    def bound(self, now: int, queue: str) -> bool:
        """Whether one met limits there within the second."""
        return 0 <= now - self._bound.get(queue, -LOOK_MS) < LOOK_MS

    def wanted(self, now: int) -> str | None:
        """A queue that was asked for and whose look will not serve for long; once."""
        for queue in list(self._wanted):
            self._wanted.discard(queue)
            look = self._looks.get(queue)
            if look is None or now - look.at > LOOK_AGAIN_MS:
                return queue
        return None

    def look_again(self, now: int, queue: str, heads: Iterable[Row]) -> None:
        """Remembers the rows of `heads.sql`."""
        if len(self._looks) >= QUEUES:
            self._looks.clear()
        self._looks[queue] = _Look(now, tuple(head or 0 for (head,) in heads) or FRONT)

    def known(self, tx: Transaction) -> dict[str, tuple[int, ...]]:
        """The same for all queues that were looked at within the second."""
        return self.of(tx, [queue for queue, look in list(self._looks.items()) if _serves(look, tx.now)])

    def _look(self, tx: Transaction, queue: str) -> _Look:
        look = self._looks.get(queue)
        if look is not None and _serves(look, tx.now):
            return look
        if not self._looking or tx.dialect == "sqlite":  # which keeps nothing of what was claimed
            return _Look(tx.now, FRONT)
        if len(self._looks) >= QUEUES:
            self._looks.clear()
        look = self._looks[queue] = _Look(tx.now, _heads(tx, queue, FRONT))
        return look


def _serves(look: _Look, now: int) -> bool:
    return 0 <= now - look.at < LOOK_MS


def _doubted(places: Sequence[int], found: Sequence[int], free: int) -> set[int]:
    """The ranks whose places may hide something from a claim that found these ranks: it has read them to the
    end."""
    known = {rank for rank, place in enumerate(places, 1) if place}
    if len(found) < free:
        return known
    return {rank for rank in known if rank < max(found)}


def _front_of(doubted: set[int], places: Sequence[int]) -> tuple[int, ...]:
    return tuple(0 if rank in doubted else place for rank, place in enumerate(places, 1))


def _heads(tx: Transaction, queue: str, places: Sequence[int]) -> tuple[int, ...]:
    """The least pending `fair_at` of each rank, found from these places on."""
    return tuple(head or 0 for (head,) in tx.run("heads", **given(queue, places)))


def given(queue: str, places: Sequence[int]) -> dict[str, Any]:
    """The parameters of a look: one list, and one by one for MariaDB, where they must be constants."""
    return {"queue": queue, "places": list(places), **{f"p{rank}": at for rank, at in enumerate(places, 1)}}
