"""What clients and workers do, as rules of a state machine over the real store and its oracle."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import initialize, precondition, rule

from duly.model.state import RETRYABLE, Status
from duly.model.task import Claimed, Submission, Target
from duly.store import claims, journal, submissions
from support.machine_limits import KEY, Rationed
from support.oracle import Fate, Keys, Ledger, group
from support.stores import ENDINGS, Store, ending, lines, opened_store, request, step, submission, words

OUTCOMES = st.sampled_from(sorted(ENDINGS))
DELAYS = st.sampled_from([0, 500, 30_000])
DEADLINES = st.sampled_from([None, None, 500, 30_000])
SECONDS = st.sampled_from([-2, 0.001, 0.5, 2, 31, 3_600])
MANY = st.integers(0, 10**6)
#: The versions that workers have, in turn: the first is that of their code, the others it can continue.
VERSIONS = (("2", "1"), ("1",), ("2",))


def versions(session: str | None) -> tuple[str, ...]:
    """What the worker of this session has."""
    return VERSIONS[int((session or "w0")[1:]) % len(VERSIONS)]


class Work(Rationed):
    """The store and its oracle, told the same: what clients and workers do, one call at a time."""

    blank: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.empty_store()
        self.connection = self.store.database.engine(read_only=True).connect()
        self.fates: dict[str, Fate] = {}
        self.uniques: dict[str, str | None] = {}
        self.ledger = Ledger()
        self.keys = Keys(self.store.database.terms.key_ttl_ms)
        self.accepted: list[Submission] = []
        self.claimed: list[Claimed] = []
        self.leases: dict[str, int] = {}
        self.opened = self.waited = 0
        self.begin_limits()
        self.open_session()

    def empty_store(self) -> Store:
        """A store without a row."""
        return opened_store(f"sqlite:///{shutil.copy(self.blank, self.folder / 'duly.db')}")

    @property
    def now(self) -> int:
        return self.store.clock.now_ms()

    @property
    def living(self) -> list[str]:
        return list(self.leases)

    def pick(self, things: list[Any], number: int) -> Any:
        """The newest for 0, which Hypothesis likes best."""
        return things[-1 - number % len(things)]

    def running(self) -> list[Claimed]:
        """The attempts that own their tasks."""
        return [one for one in self.claimed if self.owns(one)]

    def running_waits(self) -> list[Claimed]:
        """Those of them that have come to a wait which is still open."""
        return [one for one in self.running() if self.fates[one.id].open]

    def owns(self, one: Claimed) -> bool:
        fate = self.fates[one.id]
        return fate.status is Status.RUNNING and fate.attempt == one.attempt

    def code(self, one: Claimed) -> str:
        """The version that runs the attempt; what a stale one says must not be heard."""
        return versions(self.fates[one.id].session)[0] if self.owns(one) else "stale"

    @rule(
        owner=st.sampled_from("ab"),
        priority=st.sampled_from([1, 5]),
        due=st.sampled_from([None, 1_000]),
        deadline=DEADLINES,
        unique=st.sampled_from([None, None, "u"]),
        key=KEY,
        together=st.integers(1, 3),
    )
    def submit(self, owner: str, priority: int, due: int | None, deadline: int | None, **more: Any) -> None:
        words = {
            "due_at": due and self.now + due,
            "deadline_at": deadline and self.now + deadline,
            "unique": more["unique"],
            "limit_key": more["key"],
            "deliver": (Target(channel="inbox"),),
        }
        items = [submission(owner=owner, priority=priority, **words) for _ in range(more["together"])]
        for item, one in zip(items, self.store.write(submissions.submit, *items), strict=True):
            assert one.created == (one.id == item.id)
            assert one.created == (not self.holders(item.conditions.unique))
            if one.created:
                self.admit(item)

    def admit(self, item: Submission) -> None:
        """It is a task from now on."""
        conditions = item.conditions
        self.accepted.append(item)
        self.uniques[item.id] = conditions.unique
        self.fates[item.id] = Fate(
            id=item.id,
            status=Status.PENDING if conditions.due_at is None else Status.SCHEDULED,
            rank=conditions.rank,
            due_at=conditions.due_at,
            deadline_at=conditions.deadline_at,
            limit_key=conditions.limit_key,
        )

    @precondition(lambda self: self.accepted)
    @rule(number=MANY)
    def submit_again(self, number: int) -> None:
        item = self.pick(self.accepted, number)
        self.keys.ask(item.conditions.owner, item.conditions.idempotency_key, self.now)
        [one] = self.store.write(submissions.submit, item)
        assert (one.id, one.created) == (item.id, True)

    @precondition(lambda self: self.living)
    @rule(number=MANY, free=st.integers(1, 3))
    def claim(self, number: int, free: int) -> None:
        session = self.pick(self.living, number)
        self.absorb()
        mine = {
            fate.id: fate.rank
            for fate in self.fates.values()
            if fate.eligible(self.now) and fate.fits(versions(session))
        }
        types = words(*versions(session))
        [taken] = self.store.write(claims.claim, request(session, free=free, types=types))
        self.take(taken, session)
        self.check_claim(mine, taken, free)

    @precondition(lambda self: self.living and self.suspects())
    @rule(number=MANY, free=st.integers(1, 3))
    def claim_suspects(self, number: int, free: int) -> None:
        session = self.pick(self.living, number)
        self.absorb()
        expected = group([fate for fate in self.suspects() if fate.fits(versions(session))], free)
        types = words(*versions(session))
        [taken] = self.store.write(claims.claim, request(session, free=free, types=types, beside=()))
        self.take(taken, session)
        blocked = self.absorb(claimed=True)
        found = [self.fates[one.id] for one in taken] + blocked
        assert sorted((-fate.suspect, fate.rank) for fate in found) == [(-n, rank) for n, rank in expected]
        self.check_full(blocked)

    def suspects(self) -> list[Fate]:
        """Those that a quarantine may take."""
        return [fate for fate in self.fates.values() if fate.startable(self.now) and fate.suspect]

    def take(self, taken: list[Claimed], session: str) -> None:
        for one in taken:
            assert one.suspect == self.fates[one.id].suspect
            self.fates[one.id].claim(session)
            assert one.attempt == self.fates[one.id].attempt
        self.claimed += taken

    def outcome(self, number: int, target: Status, delay: int) -> claims.Finish:
        claimed = self.pick(self.claimed, number)
        if target is Status.RETRY and self.fates[claimed.id].retries >= claimed.max_retries:
            target = Status.FAILED
        timed = target in (Status.RETRY, Status.WAITING)
        text = f'"{claimed.attempt}"'
        more = {"delay_ms": delay} if timed else {"result": text} if target is Status.COMPLETED else {}
        return ending(claimed, target, **more)

    @precondition(lambda self: self.claimed)
    @rule(ends=st.lists(st.tuples(MANY, OUTCOMES, DELAYS), min_size=1, max_size=3))
    def finish(self, ends: list[tuple[int, Status, int]]) -> None:
        self.absorb()
        items = [self.outcome(*one) for one in ends]
        answers = self.store.write(claims.finish, *items)
        for item, answer in zip(items, answers, strict=True):
            fate = self.fates[item.id]
            running = fate.status is Status.RUNNING
            assert answer == fate.finish(item.attempt, item.target, item.delay_ms, self.now)
            if running and answer is Status.COMPLETED:
                fate.result = item.result

    @precondition(lambda self: self.claimed)
    @rule(numbers=st.lists(MANY, min_size=1, max_size=3), name=st.sampled_from(["a", "b"]))
    def write(self, numbers: list[int], name: str) -> None:
        self.write_as([self.pick(self.claimed, number) for number in numbers], name)

    def write_as(self, writers: list[Claimed], name: str) -> None:
        mine = [self.owns(one) for one in writers]
        steps = [step(one, name, value=f'"{one.attempt}"', version=self.code(one)) for one in writers]
        assert self.store.write(journal.record_steps, *steps) == mine
        for one, item, is_mine in zip(writers, steps, mine, strict=True):
            if is_mine:
                self.fates[one.id].step(name, self.code(one))
                self.ledger.keep(one.id, item.step)
        assert (
            self.store.write(journal.append, *(lines(one, "a", "b", progress=0.5) for one in writers)) == mine
        )
        parts = [journal.Part(id=one.id, attempt=one.attempt, part=0, text="t") for one in writers]
        assert self.store.write(journal.stream, *parts) == mine

    @precondition(lambda self: self.fates)
    @rule(number=MANY)
    def cancel(self, number: int) -> None:
        self.cancel_of(self.pick(list(self.fates), number))

    def cancel_of(self, id_: str) -> None:
        self.absorb()
        self.leaves(self.fates[id_])
        assert self.store.cancel(id_) == self.fates[id_].cancel()

    @precondition(lambda self: self.fates)
    @rule(number=MANY)
    def retry(self, number: int) -> None:
        self.retry_of(self.pick(list(self.fates.values()), number))

    def retry_of(self, fate: Fate) -> None:
        self.absorb()
        refused = fate.status in RETRYABLE and self.holders(self.uniques[fate.id])
        assert self.store.retry(fate.id) == (None if refused else fate.retry())

    def holders(self, unique: str | None) -> list[str]:
        """The living tasks that have this word."""
        named = [id_ for id_, word in self.uniques.items() if word is not None and word == unique]
        return [id_ for id_ in named if not self.fates[id_].status.terminal]


class WaitingWork(Work):
    """And what there is to suspend and to signal."""

    @precondition(lambda self: self.claimed)
    @rule(
        number=MANY,
        signal=st.booleans(),
        delay=st.sampled_from([None, 0, 500, 30_000]),
        meanwhile=st.sampled_from([None, None, "signal", "signal", "cancel"]),
    )
    def suspend(self, number: int, signal: bool, delay: int | None, meanwhile: str | None) -> None:
        """An attempt comes to a wait; if that is open something may happen before it is suspended."""
        one = self.pick(self.claimed, number)
        self.waited += 1
        delay = delay if signal else delay or 0
        more = {"n": self.waited, "delay": delay, "version": self.code(one)}
        found = self.store.wait(one, "go" if signal else "", **more)
        assert (found is not None) == self.owns(one)
        if found is None:
            return
        due_at = None if delay is None else self.now + delay
        fate = self.fates[one.id]
        fate.step(str(self.waited), self.code(one))
        assert found.taken == (fate.wait(self.waited, due_at, self.now) if signal else None if delay else 0)
        if found.taken is not None:
            return
        if meanwhile == "signal":
            self.signal_of(one.id)
        elif meanwhile == "cancel":
            self.cancel_of(one.id)
        for _ in range(2):  # its answer is lost, and it is sent again
            self.absorb()
            expected = fate.suspend(one.attempt, signal, due_at)
            assert self.store.suspend(one, found) == expected

    @precondition(lambda self: self.running_waits())
    @rule(number=MANY)
    def wait_again(self, number: int) -> None:
        """A later round comes to a wait that was open."""
        one = self.pick(self.running_waits(), number)
        fate = self.fates[one.id]
        n = self.pick(sorted(fate.open), number)
        found = self.store.wait(one, "go", n=n, delay=1, version=self.code(one))
        assert found is not None
        assert found.taken == fate.wait(n, None, self.now)

    @precondition(lambda self: self.fates)
    @rule(number=MANY)
    def signal(self, number: int) -> None:
        self.signal_of(self.pick(list(self.fates), number))

    def signal_of(self, id_: str) -> None:
        self.absorb()
        before = self.fates[id_].status
        answer = self.store.signal(id_, "go")
        assert (answer.status, answer.kept, answer.conflict) == (before, self.fates[id_].signal(), False)
