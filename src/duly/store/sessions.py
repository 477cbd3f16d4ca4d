"""The verbs of worker sessions: one row per living process, with the lease that all its tasks stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from duly.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A worker process as it introduces itself; `types` are the words of `Registry.words`."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    types: tuple[str, ...] | None = None


def start(tx: Transaction, items: Sequence[Session]) -> list[None]:
    """Opens sessions with a full lease."""
    for item in items:
        # And then, in a later statement, which of the queues are paused, and which limits there are.
        tx.run("queue_known", item.queues)
        tx.run("limits_known")
        tx.run(
            "session_start",
            item.queues,
            session=item.id,
            host=item.host,
            pid=item.pid,
            queues=",".join(item.queues),
            types=None if item.types is None else ",".join(item.types),
            lease=tx.terms.lease_ms,
        )
    return [None for _ in items]


def renew(tx: Transaction, ids: Sequence[str]) -> list[bool]:
    """Extends leases; False means that the session was ended and a new one must be taken."""
    return [bool(tx.run("renew", session=id_, lease=tx.terms.lease_ms)) for id_ in ids]


def leave(tx: Transaction, ids: Sequence[str]) -> list[None]:
    """These processes end on purpose: whatever they still hold in the end, none of it killed them."""
    tx.run("session_leave", ids)
    return [None for _ in ids]


def end(tx: Transaction, ids: Sequence[str]) -> None:
    """Ends sessions, then notes once how many tasks each still held: one of them may have killed it."""
    tx.run("session_end", ids)
    tx.run("session_held", ids)


def expired(tx: Transaction) -> dict[str, int]:
    """The living sessions whose lease is over, each with the end of its lease."""
    return {row[0]: row[1] for row in tx.run("sessions_expired")}


def unrenewed(tx: Transaction, leases: Mapping[str, int | None]) -> list[str]:
    """Those whose lease still ends as it was read (None: whatever it is); nobody can renew them meanwhile."""
    read = [{"id": id_, "until": until} for id_, until in sorted(leases.items())]
    return [row[0] for row in tx.run("session_unrenewed", read)] if read else []


def held_by(tx: Transaction, session: str) -> list[tuple[str, int]]:
    """(task id, attempt) of all that runs under a session."""
    return [(row[0], row[1]) for row in tx.run("held_by", session=session)]


def open_of(queues: Sequence[str], paused: str | None) -> list[str]:
    """Those of the queues, each once, that a session may claim from; `paused` is its row's column."""
    each = dict.fromkeys(queues)
    return [name for name in each if f",{name}," not in paused] if paused else list(each)


def paused(tx: Transaction, queue: str) -> bool:
    """Whether the queue is paused as far as this reader sees: for looks, never for claims."""
    return bool(tx.run("paused", queue=queue))
