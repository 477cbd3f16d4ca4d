"""The verbs of a worker around an attempt: claim it, finish it, give it back; and those of the clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

from duly.failpoints import failpoint
from duly.model.errors import SessionEnded
from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import bodies, limits, sessions
from duly.store.losses import lost
from duly.store.owed import owe
from duly.store.quick import Asked, Quickly
from duly.store.rationing import Asking, Offer, bound, hand_out
from duly.store.transaction import Moment, Row, Transaction
from duly.store.transitions import Change, Facts, apply, facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """How many tasks of which types a worker can start now; `name` is the worker's word for it."""

    types: tuple[str, ...]
    free: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A worker's question: its living session, its queues, its free slots per lane.

    `beside` asks for suspects, to run beside those that have these values of `suspect`; None: for all others.
    """

    session: str
    queues: tuple[str, ...]
    lanes: tuple[Lane, ...]
    beside: tuple[int, ...] | None = None


def startable(tx: Transaction, item: ClaimRequest) -> bool:
    """Whether a claim would find a task: the look before it, without a lock; an empty queue is one probe."""
    types = [type_ for lane in item.lanes for type_ in lane.types]
    return bool(types) and any(
        _startable(tx, item, types, queue) and not sessions.paused(tx, queue)
        for queue in dict.fromkeys(item.queues)
    )


def _startable(tx: Transaction, item: ClaimRequest, types: Sequence[str], queue: str) -> bool:
    if item.beside is None:
        return tx.heads.startable(tx, types, queue=queue)
    return bool(tx.run("startable_suspects", types, queue=queue))


def room_beside(shares: Sequence[int]) -> int:
    """How many more tasks those with these values of `suspect` allow in their process, at most a thousand."""
    return max(0, min(shares, default=1000) - len(shares))


def claim(tx: Transaction, items: Sequence[ClaimRequest]) -> list[list[Claimed]]:
    """Hands each worker at most its free slots, in claim order.

    Raises:
        SessionEnded: a session was ended by another process; it must take a new one.
    """
    limits.settle(tx)  # whom our own ends let stand in line again is found now
    return [_claim(tx, item) for item in items]


def _claim(tx: Transaction, item: ClaimRequest) -> list[Claimed]:
    alive = tx.run("session_alive", session=item.session)
    if not alive:
        raise SessionEnded
    paused, limited = alive[0]
    queues = sessions.open_of(item.queues, paused)
    lanes = [lane for lane in item.lanes if lane.free > 0]
    found = [_candidates(tx, item, lane, queues) for lane in lanes]
    if item.beside is not None:
        found, lanes = [_group(list(chain(*found)), item.beside)], []  # one look is all

    def taken(ids: list[str], holds: dict[str, str]) -> list[Claimed]:
        return take(tx, item.session, ids, holds)

    def more(lane: int, most: int) -> list[Offer]:
        return _candidates(tx, item, replace(lanes[lane], free=most), queues)

    if not bound(chain(*found), limited):
        return taken([offer.id for offer in chain(*found)], {})
    tx.heads.bind(tx.now, queues)
    free = [lane.free for lane in lanes] or [len(found[0])]
    return hand_out(tx, Asking(limited or "", taken, more if lanes else None), found, free)


def take(tx: Transaction, session: str, ids: list[str], holds: dict[str, str]) -> list[Claimed]:
    """Gives these pending tasks, which were looked at in this transaction, to the session."""
    if not ids:
        return []
    return [_claimed(tx, row) for row in tx.run("claim", ids, session=session, holds=holds)]


def _candidates(tx: Transaction, item: ClaimRequest, lane: Lane, queues: Sequence[str]) -> list[Offer]:
    found = [Offer._make((*row, queue)) for queue in queues for row in _look(tx, item, lane, queue)]
    return sorted(found, key=_place)[: lane.free]


def _look(tx: Transaction, item: ClaimRequest, lane: Lane, queue: str) -> list[Row]:
    """Suspects are few, and read whole; all others from where this process last saw them begin."""
    if item.beside is None:
        return tx.heads.candidates(tx, lane.types, queue=queue, free=lane.free)
    return tx.run("suspects", lane.types, queue=queue, free=lane.free)


def _place(one: Offer) -> tuple[Any, ...]:
    return (-one.suspect, one.rank, one.fair_at, one.id)


def _group(suspects: list[Offer], beside: Sequence[int]) -> list[Offer]:
    """The first of these that all, and those they run beside, allow to share one process."""
    group: list[Offer] = []
    shares = list(beside)
    for one in sorted(suspects, key=_place):
        if not room_beside(shares) or len(shares) >= one.suspect:
            break
        group.append(one)
        shares.append(one.suspect)
    return group


def _input(tx: Transaction, id_: str) -> str:
    return bodies.join(tx.run("body", id=id_, kind="input")) or "{}"


def _claimed(tx: Transaction, row: Row) -> Claimed:
    """The input of `claim.sql` only if it is small."""
    return as_claimed(row if row[-1] is not None else (*row[:-1], _input(tx, row[0])))


def as_claimed(row: Row) -> Claimed:
    """From a row of `claim.sql`, which has the fields in their order."""
    *most, metadata, parent_id, suspect, input_ = row
    words = {} if metadata == "{}" else json.loads(metadata)
    return Claimed._make([*most, words, parent_id, suspect, input_, False])


class Finish(NamedTuple):
    """How an attempt ended: the state it asks for and all that is recorded with it.

    `delay_ms` counts from the transaction's `now`; `result` and `traceback` are text. With `waits` the task
    is suspended until the first of them is over.
    """

    id: str
    attempt: int
    target: Status
    event: EventType
    outcome: str
    delay_ms: int | None = None
    wait_kind: str | None = None
    charge: int = 0
    error_code: str | None = None
    error: str | None = None
    exhausted: bool = False
    reason: str | None = None
    result: str | None = None
    traceback: str | None = None
    waits: tuple[Step, ...] = ()
    #: Which model providers it waits for; `why` tells how they stand.
    gates: tuple[str, ...] = ()
    #: Whether others may wait for this end: its parent, or who wants the room that it holds in a limit.
    awaited: bool = False

    @classmethod
    def handed_back(cls, id_: str, attempt: int, *, reason: str) -> Finish:
        """Whose attempt nobody makes any more: due again at once, uncharged."""
        event = EventType.HANDED_BACK
        return cls(
            id=id_, attempt=attempt, target=Status.PENDING, event=event, outcome="handed_back", reason=reason
        )

    @classmethod
    def completed(cls, id_: str, attempt: int, result: str, *, awaited: bool = False) -> Finish:
        """The handler returned."""
        target, event = Status.COMPLETED, EventType.COMPLETED
        return cls(id_, attempt, target, event, "completed", result=result, awaited=awaited)


def finish(tx: Transaction, items: Sequence[Finish]) -> list[Status | None]:
    """Records each outcome once, only for the attempt that runs the task; None means *lease lost*.

    A cancel that was accepted while running beats a retry, a suspension and a hand-back, never a result.
    The same outcome sent again recognises its own work.
    """
    done = _complete(tx, items)
    quick = [item.target is Status.COMPLETED and (item.id, item.attempt) in done for item in items]
    if all(quick):
        return [Status.COMPLETED for _ in items]
    rest = [item for item, is_done in zip(items, quick, strict=True) if not is_done]
    slow = iter(_finish(tx, rest))
    return [Status.COMPLETED if is_done else next(slow) for is_done in quick]


def _complete(tx: Transaction, items: Sequence[Finish]) -> set[tuple[str, int]]:
    """The quick way of what nearly every finish is; answers which attempts completed."""
    first = {item.id: item for item in reversed(items)}
    plain = sorted(item for item in first.values() if item.target is Status.COMPLETED)
    if not plain:
        return set()
    ended = tx.run("complete", limited=1, **_completed(tx.moment, plain))
    failpoint("store.half_written")
    limits.give_back(tx, [holds for _, holds, _ in ended])
    owe(tx, [id_ for id_, _, has_endpoints in ended if has_endpoints])
    done = {id_: first[id_] for id_, *_ in ended}
    bodies.keep(
        tx, [(id_, "result", one.result) for id_, one in done.items() if not bodies.small(one.result)]
    )
    return {(id_, one.attempt) for id_, one in done.items()}


def _completed(at: Moment, items: Sequence[Finish]) -> dict[str, Any]:
    """The parameters of `complete.sql`."""
    rows = [{"id": one.id, "attempt": one.attempt, "result": bodies.small(one.result)} for one in items]
    return {"batch": rows, "retention": at.terms.retention_ms}


def quick_finish(at: Moment, items: Sequence[Finish]) -> Quickly[list[Status | None]]:
    """`finish` as one statement, for tasks that completed with a small result and for which nobody waits."""
    if any(item.target is not Status.COMPLETED or not bodies.small(item.result) for item in items):
        return None
    if any(item.awaited for item in items):
        return None
    each = {item.id: item for item in items}
    ended = yield Asked("complete", {"limited": 0, **_completed(at, sorted(each.values()))})
    return [Status.COMPLETED for _ in items] if len(ended) == len(items) else None


def _finish(tx: Transaction, items: Sequence[Finish]) -> list[Status | None]:
    """Any outcome: decided on what is read under the task's lock."""
    known = facts(tx, [item.id for item in items])
    accepted: dict[str, Finish] = {}
    for item in items:
        one = known.get(item.id)
        if one is not None and _owns(item, one):
            accepted.setdefault(item.id, item)
    signals = _arrived(tx, [item for item in accepted.values() if item.waits])
    changes = {id_: _change(tx, item, known[id_], signals.get(id_)) for id_, item in accepted.items()}
    apply(tx, list(changes.values()))
    kept = [(id_, "result", item.result) for id_, item in accepted.items()]
    bodies.keep(tx, [*kept, *((id_, "traceback", item.traceback) for id_, item in accepted.items())])
    return [_recorded(item, known.get(item.id), changes.get(item.id)) for item in items]


def _arrived(tx: Transaction, waiting: Sequence[Finish]) -> dict[str, str]:
    """For which of these suspensions something has come meanwhile. Imported here, as all that needs
    SQLAlchemy: the supervising parent runs these verbs without it, and suspends nothing."""
    if not waiting:
        return {}
    from duly.store.waits import arrived

    return arrived(tx, waiting)


def _owns(item: Finish, one: Facts) -> bool:
    return one.status is Status.RUNNING and one.attempt == item.attempt


def _recorded(item: Finish, one: Facts | None, change: Change | None) -> Status | None:
    if one is None or one.attempt != item.attempt:
        return None
    status = one.status if change is None else change.target
    overruled = status.terminal and not item.target.terminal  # by a cancel or the deadline
    woken = change is not None and bool(item.waits)  # by a signal that has come meanwhile
    return status if overruled or woken or status is item.target else None


def _change(tx: Transaction, item: Finish, one: Facts, signal: str | None) -> Change:
    if one.cancel_requested_at is not None and not item.target.terminal:
        return Change(facts=one, target=Status.CANCELLED, event=EventType.CANCELLED)
    due_at = None if item.delay_ms is None else tx.now + item.delay_ms
    if item.waits:
        from duly.store.waits import suspension

        return suspension(item, one, signal)
    if due_at is not None and one.deadline_at is not None and due_at >= one.deadline_at:
        return _too_late(item, one)
    data: dict[str, Any] = {"attempt": one.attempt, "due_at": due_at, "kind": item.wait_kind}
    data |= {"error_code": item.error_code, "error": item.error, "reason": item.reason}
    data |= {"gates": item.gates or None}
    return Change(
        facts=one,
        target=item.target,
        event=item.event,
        data={key: value for key, value in data.items() if value is not None},
        outcome=item.outcome,
        due_at=due_at,
        wait_kind=item.wait_kind,
        charge=item.charge,
        error_code=item.error_code,
        error=item.error,
        exhausted=item.exhausted,
    )


def _too_late(item: Finish, one: Facts) -> Change:
    error = f"The deadline would pass before the next attempt. {item.error or item.reason or ''}".strip()
    return Change(
        facts=one,
        target=Status.FAILED,
        event=EventType.FAILED,
        data={"attempt": one.attempt, "error_code": "deadline_exceeded", "error": error},
        error_code="deadline_exceeded",
        error=error,
    )


def promote(tx: Transaction, most: Sequence[int]) -> list[int]:
    """The clock's move: due tasks become pending, at the head; those past their deadline that were to start
    fail; whoever waits for a rate's next token is woken.

    The answer is the number of tasks moved; a call moves at most that many per state.
    """
    due = [row[0] for row in tx.run("due", limit=max(most))]
    ids = [one for one in due if "/" not in one]
    still = [one for one in facts(tx, ids).values() if one.due_at is not None and one.due_at <= tx.now]
    apply(tx, [_due(tx, one) for one in still])  # others may have acted before the rows were locked
    limits.stir(tx, [one for one in due if "/" in one])
    return [len(ids) for _ in most]


def _due(tx: Transaction, one: Facts) -> Change:
    if one.status is Status.WAITING and one.deadline_at is not None and one.deadline_at <= tx.now:
        return _expired(one, "deadline_exceeded", "The deadline passed while it waited.")
    if one.status is Status.WAITING:  # the line of its suspension has said when
        return Change(facts=one, target=Status.PENDING, event=None)
    if one.status not in (Status.PENDING, Status.BLOCKED):
        return Change(facts=one, target=Status.PENDING, event=EventType.DUE)
    return _expired(one, "expired", "The deadline passed before a worker could start the task.")


def _expired(one: Facts, code: str, error: str) -> Change:
    return Change(
        facts=one,
        target=Status.FAILED,
        event=EventType.FAILED,
        data={"error_code": code, "error": error},
        error_code=code,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """How many tasks dead sessions held, and how many of those are suspects from now on."""

    tasks: int = 0
    suspects: int = 0

    def __add__(self, other: GivenBack) -> GivenBack:
        return GivenBack(tasks=self.tasks + other.tasks, suspects=self.suspects + other.suspects)


def rescue(tx: Transaction, groups: Sequence[Mapping[str, int | None]]) -> list[int]:
    """Ends these sessions, but none whose lease ends later by now than was read; then gives back what ended
    sessions still hold. Counts the tasks, up to 500."""
    leases = {session: until for group in groups for session, until in group.items()}
    given = give_back(tx, sessions.unrenewed(tx, leases))
    return [given.tasks for _ in groups]


def give_back(tx: Transaction, ending: Iterable[str]) -> GivenBack:
    """Ends these sessions, then gives back what ended sessions still hold: uncharged, at once.

    At its second death in a row a task becomes a suspect. A suspect that was alone in its process is charged
    a loss; too many end it as failed. A cancel that was asked for is honoured instead. At most 500 tasks a
    call: call again until it was none.
    """
    if ended := sorted(ending):
        sessions.end(tx, ended)
    tx.run("deliveries_orphaned")
    found = {id_: (session, held or 0) for id_, session, held in tx.run("orphans")}
    known = facts(tx, list(found)).values()
    still = [
        one for one in known if one.worker_id == found[one.id][0]
    ]  # finished, or rescued and claimed again?
    changes = [lost(one, found[one.id][1]) for one in still]
    apply(tx, changes)
    return GivenBack(tasks=len(found), suspects=sum(change.suspect is not None for change in changes))
