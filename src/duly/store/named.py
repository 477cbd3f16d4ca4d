"""Tasks by their ids, for an engine whose messages name them: who waits to be named, and the claim of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from duly.model.errors import SessionEnded
from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import limits, schema, sessions
from duly.store.claims import take
from duly.store.heads import FRONT, given
from duly.store.rationing import Asking, Offer, bound, hand_out
from duly.store.transaction import Row, Transaction


class Waiting(NamedTuple):
    """A pending task; with another `seq` it is pending anew."""

    id: str
    rank: int
    seq: int


def leads(tx: Transaction, session: str) -> bool:
    """Whether this session is the one of all senders that sends: the oldest that lives."""
    return [row[0] for row in tx.run("sender")] == [session]


def waiting(tx: Transaction, queues: Sequence[str], most: int) -> dict[str, list[Waiting]]:
    """The first pending tasks of each queue that is not paused, in claim order, at most so many each."""
    return {
        queue: [Waiting._make(row) for row in _waiting(tx, queue, most)]
        for queue in dict.fromkeys(queues)
        if not sessions.paused(tx, queue)
    }


def _waiting(tx: Transaction, queue: str, most: int) -> list[Row]:
    """From where this process saw the queue begin; from the front when that shows too few."""
    rows: list[Row] = []
    for places in dict.fromkeys((tx.heads.places(tx.now, queue), FRONT)):
        rows = tx.run("waiting", most=most, **given(queue, places))
        if len(rows) >= most:
            break
    return rows


class Asker(NamedTuple):
    """Who claims what messages name: a living session, its queues, and what it can run."""

    session: str
    queues: tuple[str, ...]
    types: tuple[str, ...]


class Named(NamedTuple):
    """One message: this task, for this worker."""

    asker: Asker
    id: str


def claim_named(tx: Transaction, items: Sequence[Named]) -> list[Claimed | None]:
    """Claims exactly these tasks, each once, as `claim` would have: pending, open, with room in its limits.

    None: not now. It runs already, has ended, is not due, was blocked, or its queue is paused; who names it
    again when it is due loses nothing.

    Raises:
        SessionEnded: a session was ended by another process; it must take a new one.
    """
    limits.settle(tx)  # whom our own ends let stand in line again is found now
    claimed: dict[tuple[Asker, str], Claimed] = {}
    for asker in dict.fromkeys(item.asker for item in items):
        ids = list(dict.fromkeys(item.id for item in items if item.asker == asker))
        claimed |= {(asker, one.id): one for one in _claim(tx, asker, ids)}
    return [claimed.pop(item, None) for item in items]


def _claim(tx: Transaction, asker: Asker, ids: Sequence[str]) -> list[Claimed]:
    alive = tx.run("session_alive", session=asker.session)
    if not alive:
        raise SessionEnded
    paused, limited = alive[0]
    queues = sessions.open_of(asker.queues, paused)
    found = (Offer._make(row) for row in tx.run("named", ids, types=list(asker.types)))
    offers = [one for one in found if one.queue in queues]

    def taken(ids: list[str], holds: dict[str, str]) -> list[Claimed]:
        return take(tx, asker.session, ids, holds)

    if not bound(offers, limited):
        return taken([one.id for one in offers], {})
    tx.heads.bind(tx.now, queues)
    return hand_out(tx, Asking(limited or "", taken, None), [offers], [len(offers)])


def still_waits(tx: Transaction, id_: str) -> bool:
    """Whether a task that was not claimed is pending all the same: others had its row, or one of its limits,
    locked for the moment."""
    table = schema.task.c
    return bool(tx.core.execute(sa.select(table.status).where(table.id == id_)).scalar() == Status.PENDING)
