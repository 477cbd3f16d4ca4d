"""The one thread of a process that writes: calls queue up, are merged by verb, and commit in groups.

A future resolves only after its commit. If a group fails it is rolled back and its calls run again one by
one, each in its own transaction, so that only the failing call gets its error.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from duly.failpoints import failpoint
from duly.model.errors import NotReady
from duly.model.events import Emit
from duly.store.driver import Trouble, moved
from duly.store.limits import settle as settle_limits
from duly.store.transaction import Transaction

Verb = Callable[[Transaction, Sequence[Any]], Sequence[Any]]

GROUP_ITEMS = 256
GROUP_BYTES = 4 * 1024 * 1024
#: Waits before a group is tried again after a deadlock or a lost connection, in seconds, each ± 50 %.
AGAIN_AFTER = (0.005, 0.02, 0.1, 0.3, 0.5, 0.5)
#: A database that takes so long to be lost again is not there: nobody waits for a try of his own.
AWAY_SECONDS = 5.0


class Connection(Protocol):
    """What the writer needs of a database: transactions, and whether others have committed."""

    def begin(self) -> Transaction: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def foreign_commits(self) -> int | None: ...

    def trouble(self, error: BaseException) -> Trouble: ...

    def close(self) -> None: ...


class Answer(Protocol):
    """What a call resolves: a future of a loop or of a thread, or a callback that looks like one."""

    def done(self) -> bool: ...

    def set_result(self, answers: Sequence[Any], /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...


@dataclass(slots=True)
class Call:
    """One queued call of a verb with its items; `last` runs after all others of its group.

    `loop` is the event loop that `future` belongs to; None for a thread that waits by itself.
    """

    verb: Verb
    items: Sequence[Any]
    size: int
    last: bool
    future: Answer
    loop: asyncio.AbstractEventLoop | None = None


class _Refused(Exception):
    """A group was not committed; `whole`: each of its calls alone would meet the same; `away`: and so would
    everybody who waits."""

    def __init__(self, error: Exception, *, whole: bool, away: bool) -> None:
        super().__init__(repr(error))
        self.error = error
        self.whole = whole
        self.away = away


class Writer:
    """Runs verbs on its own thread and its own connection.

    `committed(verbs, news)` is called after its commits (a group of `last` calls only is no news), `seen()`
    when another connection has committed, which it looks for every `look_every` seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        emit: Emit,
        committed: Callable[[Set[Verb], bool], None],
        seen: Callable[[], None],
        look_every: float,
    ) -> None:
        self._connect = connect
        self._emit = emit
        self._committed = committed
        self._seen = seen
        self.look_every = look_every
        self._queue: queue.SimpleQueue[Sequence[Call] | None] = queue.SimpleQueue()
        self._waiting: deque[Call] = deque()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="duly-writer", daemon=True)
        self._opened: Future[None] = Future()
        self._door = threading.Lock()  # nothing is queued behind the end of the queue
        self._closed = False
        self._connection: Connection
        self._passing: set[Verb] = set()
        self._foreign: int | None = None
        self._looks = True
        self._looked_at = float("-inf")

    def start(self) -> None:
        """Opens the connection on the writer's thread; raises what opening raised."""
        self._thread.start()
        self._opened.result()

    def submit(self, calls: Sequence[Call]) -> None:
        """Queues calls, which a caller that gives up does not take back; each resolves after its commit."""
        with self._door:
            if not self._closed:
                self._queue.put(calls)
                return
        for call in calls:
            call.future.set_exception(NotReady("the database is closed"))

    def close(self) -> None:
        """Finishes what is queued, then closes the connection."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        while not self._stop or self._waiting:
            group = self._gather()
            if group:
                self._commit(group)
            self._look()
        self._connection.close()

    def _look(self) -> None:
        """Notices commits of other connections: a hint, so an error here is only said."""
        now = time.monotonic()
        if not self._looks or now - self._looked_at < self.look_every:
            return
        self._looked_at = now
        try:
            foreign = self._connection.foreign_commits()
        except Exception as error:  # noqa: BLE001 - the poll is the truth
            self._emit("store.wake_failed", error=repr(error))
            return
        self._looks = foreign is not None
        if foreign != self._foreign:
            self._foreign = foreign
            self._seen()

    def _gather(self) -> list[Call]:
        """The next group, or nothing when it is time to look for foreign commits."""
        self._receive(wait=not self._waiting)
        group: list[Call] = []
        count = size = 0
        while self._waiting and count < GROUP_ITEMS and size < GROUP_BYTES:
            call = self._waiting.popleft()
            group.append(call)
            count, size = count + len(call.items), size + call.size
        return group

    def _receive(self, *, wait: bool) -> None:
        """Takes over all that is queued."""
        patience = self.look_every if self._looks else None
        with contextlib.suppress(queue.Empty):
            while not self._stop:
                calls = self._queue.get(timeout=patience) if wait else self._queue.get_nowait()
                wait, self._stop = False, calls is None
                self._waiting.extend(calls or ())

    def _commit(self, group: list[Call]) -> None:
        group.sort(key=lambda call: call.last)
        try:
            answers = self._persist(group)
        except _Refused as refusal:
            if refusal.away:
                self._receive(wait=False)
                group += self._waiting
                self._waiting.clear()
            if len(group) == 1 or refusal.whole:
                self._fail(group, refusal.error)
                return
            self._emit("store.group_split", calls=len(group), error=repr(refusal.error))
            for call in group:
                self._commit([call])
            return
        _resolve(list(zip(group, answers, strict=True)))
        verbs = {call.verb for call in group} | self._passing
        self._committed(verbs, bool(self._passing) or not all(call.last for call in group))

    def _persist(self, group: list[Call]) -> list[Sequence[Any]]:
        """Runs a group until it is committed; a lost connection leaves unknown whether it was, and the verbs
        recognise their own work.

        Raises:
            _Refused: it did not work, or not in time.
        """
        away_at = time.monotonic() + AWAY_SECONDS
        for pause in (*AGAIN_AFTER, None):
            tx = None
            try:
                tx = self._connection.begin()
                return self._transact(tx, group)
            except Exception as error:
                trouble = self._connection.trouble(error)
                self._undo(trouble)
                lost = trouble is Trouble.LOST
                away = lost and time.monotonic() >= away_at
                if pause is None or away or not (lost or trouble is Trouble.AGAIN):
                    raise _Refused(error, whole=tx is None or lost, away=away) from error
                self._emit("store.again", calls=len(group), error=repr(error))
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads contenders
        raise AssertionError("unreachable")

    def _fail(self, group: list[Call], error: Exception) -> None:
        for call in group:
            name = "store.call_failed" if moved(error) is None else "store.sealed"
            self._emit(name, verb=call.verb.__name__, error=repr(error))
        _resolve([(call, error) for call in group])

    def _transact(self, tx: Transaction, group: list[Call]) -> list[Sequence[Any]]:
        """Runs a group in one transaction, each verb once with the items of all its calls."""
        answers: dict[int, Sequence[Any]] = {}
        for verb in dict.fromkeys(call.verb for call in group):
            calls = [call for call in group if call.verb is verb]
            results = verb(tx, [item for call in calls for item in call.items])
            start = 0
            for call in calls:
                answers[id(call)] = results[start : start + len(call.items)]
                start += len(call.items)
        settle_limits(tx)
        failpoint("store.before_commit")
        self._connection.commit()
        failpoint("store.committed")
        self._passing = tx.passing
        return [answers[id(call)] for call in group]

    def _undo(self, trouble: Trouble) -> None:
        """Leaves no transaction half open: one that is lost or worn or cannot roll back is replaced."""
        if trouble in (Trouble.LOST, Trouble.WORN):
            self._reconnect()
            return
        try:
            self._connection.rollback()
        except Exception as error:  # noqa: BLE001 - whatever the driver says, the connection is done for
            self._emit("store.reconnecting", error=repr(error))
            self._reconnect()

    def _reconnect(self) -> None:
        """If this fails too, the old connection stays: its next begin fails, and the next try is made."""
        try:
            self._connection.close()
            self._connection = self._connect()
        except Exception as error:  # noqa: BLE001 - the writer's thread must not end
            self._emit("store.reconnect_failed", error=repr(error))


def _resolve(answered: list[tuple[Call, Any]]) -> None:
    """Wakes each loop once for all answers that it waits for: a wake-up is a system call."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Call, Any]]] = {}
    for call, answer in answered:
        if call.loop is None:
            settle([(call, answer)])
        else:
            loops.setdefault(call.loop, []).append((call, answer))
    for loop, its in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, its)


def settle(answered: list[tuple[Call, Any]]) -> None:
    """Resolves calls, on the loop that waits for them."""
    for call, answer in answered:
        if call.future.done():  # its caller has given up
            continue
        if isinstance(answer, Exception):
            call.future.set_exception(answer)
        else:
            call.future.set_result(answer)
