"""Seeded groups of verbs, as the writer makes them: submit, steps, timeline, finish, cancel; claims last."""

from __future__ import annotations

import json
import random

from duly.model.state import Status
from duly.model.task import Claimed, Target
from duly.store import claims, journal, sessions, submissions
from duly.store.transaction import Transaction
from support.stores import ending, lines, new_id, request, step, submission

SESSION = "w1"
#: No more tasks than this are open at once.
OPEN = 30
#: Characters of a body: in the row's page, on pages of its own, and packed in a part.
SIZES = (20, 20, 400, 400, 3_000, 20_000)
ENDS = (
    *[Status.COMPLETED] * 6,
    Status.FAILED,
    Status.CANCELLED,
    Status.RETRY,
    Status.WAITING,
    Status.PENDING,
)


class Load:
    """A worker and its callers, who know what they were answered; `open` are the tasks not yet ended."""

    def __init__(self, die: random.Random) -> None:
        self._die = die
        self._running: dict[str, Claimed] = {}
        self._steps = 0
        self.open: dict[str, None] = {}

    def begin(self, tx: Transaction) -> None:
        """The worker introduces itself."""
        sessions.start(tx, [sessions.Session(id=SESSION, host="host", pid=1, queues=("default",))])

    def group(self, tx: Transaction) -> list[str]:
        """One transaction's verbs. Answers every task that they may have changed.

        Raises:
            AssertionError: a verb's answer is not what its caller must hear.
        """
        touched = [*self.open, *self._submit(tx)]
        self._record(tx)
        self._finish(tx)
        self._steer(tx)
        self._claim(tx)
        return touched

    def _submit(self, tx: Transaction) -> list[str]:
        count = min(self._die.choice((0, 1, 1, 2, 5, 12)), OPEN - len(self.open))
        items = [
            submission(
                id=new_id(),
                input=self._body(),
                priority=self._die.randint(1, 10),
                max_retries=100,  # the budget is the executor's to hold, which is not here
                tags=("all", f"tag-{self._die.randint(0, 5)}"),
                deliver=(Target(channel="inbox"),) * self._die.randint(0, 1),
            )
            for _ in range(count)
        ]
        if items:
            assert all(answer.created for answer in submissions.submit(tx, items))
        self.open |= dict.fromkeys(item.id for item in items)
        return [item.id for item in items]

    def _record(self, tx: Transaction) -> None:
        some = self._some(list(self._running.values()))
        if not some:
            return
        self._steps += 1
        steps = [step(one, n=self._steps, value=self._body()) for one in some]
        assert all(journal.record_steps(tx, steps))
        assert all(journal.append(tx, [lines(one, "said", progress=self._die.random()) for one in some]))
        parts = [journal.Part(id=one.id, attempt=one.attempt, part=self._steps, text="word ") for one in some]
        assert all(journal.stream(tx, parts))

    def _finish(self, tx: Transaction) -> None:
        items = [
            ending(one, target, **({"result": self._body()} if target is Status.COMPLETED else {}))
            for one in self._some(list(self._running.values()))
            for target in [self._die.choice(ENDS)]
        ]
        answers = claims.finish(tx, items)
        assert None not in answers
        for item, status in zip(items, answers, strict=True):
            del self._running[item.id]
            if status is not None and status.terminal:
                del self.open[item.id]

    def _steer(self, tx: Transaction) -> None:
        """Now and then a cancel; the clock's own move, and the lease."""
        if self.open and self._die.random() < 0.3:
            id_ = self._die.choice(list(self.open))
            [status] = submissions.cancel(tx, [id_])
            if status is Status.CANCELLED:
                del self.open[id_]
        claims.promote(tx, [100])
        assert sessions.renew(tx, [SESSION]) == [True]

    def _claim(self, tx: Transaction) -> None:
        [claimed] = claims.claim(tx, [request(SESSION, free=self._die.randint(0, 8))])
        self._running |= {one.id: one for one in claimed}

    def _some(self, whole: list[Claimed]) -> list[Claimed]:
        return [one for one in whole if self._die.random() < 0.4]

    def _body(self) -> str:
        """JSON text that does not compress to nothing."""
        return json.dumps(self._die.randbytes(self._die.choice(SIZES) // 2).hex())
