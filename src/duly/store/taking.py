"""The quick form of a claim (decision 0018)."""

from __future__ import annotations

from collections.abc import Sequence

from duly.model.task import Claimed
from duly.store import bodies
from duly.store.claims import ClaimRequest, as_claimed
from duly.store.quick import Asked, Quickly
from duly.store.transaction import Moment, Row

#: The rank of the row that says: limits stand in the way, nothing was taken.
BOUND = 0


def quick_claim(at: Moment, items: Sequence[ClaimRequest]) -> Quickly[list[list[Claimed]]]:
    """`claim` as one statement, for a worker of one queue and one lane; a second one where places may have
    hidden something from the first."""
    [item] = items if len(items) == 1 else [None]
    if item is None or item.beside is not None or len(item.lanes) != 1 or len(item.queues) != 1:
        return None
    [lane], [queue] = item.lanes, item.queues
    if at.heads.bound(at.now, queue):
        return None
    taken: list[Row] = []
    doubt = True
    while doubt and len(taken) < lane.free:
        places = list(at.heads.places(at.now, queue, lane.types))
        asked = {"batch": list(lane.types), "queue": queue, "places": places, "session": item.session}
        rows = yield Asked("take", asked | {"free": lane.free - len(taken)})
        if not rows and not taken:
            return None  # the session has ended: the verb says so
        if rows[:1] and rows[0][0] == BOUND:
            at.heads.bind(at.now, [queue])
            return None if not taken else [[_taken(row) for row in taken]]
        found = [row for row in rows if row[0] is not None]
        doubt = at.heads.doubt(queue, lane.types, [row[0] for row in found], lane.free - len(taken))
        taken += found
    return [[_taken(row) for row in taken]]


def _taken(row: Row) -> Claimed:
    """A row of `take.sql`; a large input comes in one piece."""
    _, *most, text, packed = row
    return as_claimed((*most, bodies.join([(text, packed)]) if text or packed else "{}"))
