"""A state machine over the real store: any order of verbs keeps the invariants and the rules."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from duly.model.state import TERMINAL, Status
from duly.model.task import Claimed, Submission, Target
from duly.store import claims, deliveries, journal, migrate, sessions, submissions
from duly.store.database import Database
from duly.store.deliveries import Sent
from support import invariants, servers
from support.oracle import Fate, group
from support.stores import ENDINGS, Store, ending, lines, opened_store, request, step, submission

OUTCOMES = st.sampled_from(sorted(ENDINGS))
DELAYS = st.sampled_from([0, 500, 30_000])
DEADLINES = st.sampled_from([None, None, 500, 30_000])
SECONDS = st.sampled_from([-2, 0.001, 0.5, 2, 31, 3_600])
MANY = st.integers(0, 10**6)


class Work(RuleBasedStateMachine):
    """The store and its oracle, told the same: what clients and workers do, one call at a time."""

    blank: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.empty_store()
        self.connection = self.store.database.engine(read_only=True).connect()
        self.fates: dict[str, Fate] = {}
        self.accepted: list[Submission] = []
        self.claimed: list[Claimed] = []
        self.leases: dict[str, int] = {}
        self.opened = 0
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

    def owns(self, one: Claimed) -> bool:
        fate = self.fates[one.id]
        return fate.status is Status.RUNNING and fate.attempt == one.attempt

    @rule(
        owner=st.sampled_from("ab"),
        priority=st.sampled_from([1, 5]),
        due=st.sampled_from([None, 1_000]),
        deadline=DEADLINES,
        unique=st.sampled_from([None, None, "u"]),
        together=st.integers(1, 3),
    )
    def submit(self, owner: str, priority: int, due: int | None, deadline: int | None, **more: Any) -> None:
        words = {
            "due_at": due and self.now + due,
            "deadline_at": deadline and self.now + deadline,
            "unique": more["unique"],
            "deliver": (Target(channel="inbox"),),
        }
        items = [submission(owner=owner, priority=priority, **words) for _ in range(more["together"])]
        for item, one in zip(items, self.store.write(submissions.submit, *items), strict=True):
            assert one.created == (one.id == item.id)
            assert one.created or more["unique"]
            if one.created:
                self.accepted.append(item)
                self.fates[one.id] = Fate(
                    id=one.id,
                    status=Status.PENDING if due is None else Status.SCHEDULED,
                    rank=item.conditions.rank,
                    due_at=item.conditions.due_at,
                    deadline_at=item.conditions.deadline_at,
                )

    @precondition(lambda self: self.accepted)
    @rule(number=MANY)
    def submit_again(self, number: int) -> None:
        item = self.pick(self.accepted, number)
        [one] = self.store.write(submissions.submit, item)
        assert (one.id, one.created) == (item.id, True)

    @precondition(lambda self: self.living)
    @rule(number=MANY, free=st.integers(1, 3))
    def claim(self, number: int, free: int) -> None:
        session = self.pick(self.living, number)
        eligible = sorted(fate.rank for fate in self.fates.values() if fate.eligible(self.now))
        [taken] = self.store.write(claims.claim, request(session, free=free))
        assert [self.fates[one.id].rank for one in taken] == eligible[:free]
        assert all(self.fates[one.id].eligible(self.now) for one in taken)
        self.take(taken, session)

    @precondition(lambda self: self.living and self.suspects())
    @rule(number=MANY, free=st.integers(1, 3))
    def claim_suspects(self, number: int, free: int) -> None:
        session = self.pick(self.living, number)
        expected = group(self.suspects(), free)
        [taken] = self.store.write(claims.claim, request(session, free=free, beside=()))
        assert [(one.suspect, self.fates[one.id].rank) for one in taken] == expected
        self.take(taken, session)

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
        assert self.store.write(journal.record_steps, *(step(one, name) for one in writers)) == mine
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
        assert self.store.cancel(id_) == self.fates[id_].cancel()

    @precondition(lambda self: self.fates)
    @rule(number=MANY)
    def retry(self, number: int) -> None:
        fate = self.pick(list(self.fates.values()), number)
        assert self.store.retry(fate.id) == fate.retry()


class StoreMachine(Work):
    """Whole stories, the clock and the rescuers; and what must hold after every step."""

    def claim_all(self) -> None:
        """By a worker of its own, suspects too."""
        self.open_session()
        self.claim(0, 3)
        if self.suspects():
            self.claim_suspects(0, 3)

    @rule(deadline=DEADLINES, seconds=st.sampled_from([0, 0, 0.5, 31]))
    def start(self, deadline: int | None, seconds: float) -> None:
        """The short way to something that runs, unless its deadline comes first."""
        self.submit("a", 5, None, deadline, unique=None, together=1)
        self.store.clock.advance(seconds)
        self.claim_all()

    @precondition(Work.running)
    @rule(number=MANY, stopped=st.booleans())
    def supersede(self, number: int, stopped: bool) -> None:
        """A worker dies, perhaps after a cancel, and another one takes its tasks over."""
        one = self.pick(self.running(), number)
        if stopped:
            self.cancel_of(one.id)
        self.rescue([str(self.fates[one.id].session)])
        self.claim_all()
        self.write_as([one, *self.claimed[-2:], one], "c")

    @precondition(Work.running)
    @rule(number=MANY, end=OUTCOMES, delay=DELAYS, stale=MANY)
    def stop(self, number: int, end: Status, delay: int, stale: int) -> None:
        """A cancel reaches a running attempt, which says something; so does another, in one group."""
        one = self.pick(self.running(), number)
        self.cancel_of(one.id)
        self.cancel_of(one.id)
        self.finish([(self.claimed[::-1].index(one), end, delay), (stale, Status.COMPLETED, 0)])

    @precondition(Work.running)
    @rule(number=MANY)
    def run_again(self, number: int) -> None:
        """It fails after a retry, an operator says: again, and it runs."""
        one = self.pick(self.running(), number)
        for end in (Status.RETRY, Status.FAILED):
            current = next(other for other in self.claimed[::-1] if other.id == one.id)
            self.finish([(self.claimed[::-1].index(current), end, 0)])
            self.promote()
            assert self.store.retry(one.id) == self.fates[one.id].retry()
            self.claim_all()

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.store.clock.advance(seconds)

    @rule()
    def promote(self) -> None:
        assert self.store.promote() == sum(fate.tick(self.now) for fate in self.fates.values())

    @precondition(lambda self: self.living)
    @rule(number=MANY, orderly=st.booleans())
    def lose(self, number: int, orderly: bool) -> None:
        """A worker dies, or ends on purpose, and its parent says so at once."""
        session = self.pick(self.living, number)
        if orderly:
            self.store.write(sessions.leave, session)
        self.rescue([session], orderly=orderly)

    @precondition(lambda self: self.fates)
    @rule(times=st.integers(1, 5))
    def die(self, times: int) -> None:
        """What comes next takes its worker with it, again and again: a suspect alone, or ordinary ones."""
        for _ in range(times):
            self.open_session()
            if self.suspects():
                self.claim_suspects(0, 1)
            else:
                self.claim(0, 3)
            self.rescue([self.living[-1]])

    @rule()
    def sweep(self) -> None:
        """Whoever looks finds the sessions whose lease is over, and no other."""
        over = {session for session, until in self.leases.items() if until < self.now}
        assert set(self.store.read(sessions.expired)) == over
        self.rescue(sorted(over))

    def rescue(self, ended: list[str], *, orderly: bool = False) -> None:
        lost = [fate for fate in self.fates.values() if fate.session in ended]
        held = Counter(fate.session for fate in lost)
        assert self.store.rescue(*ended) == len(lost)
        for fate in lost:
            fate.lose(0 if orderly else held[fate.session])
        for session in ended:
            del self.leases[session]
            assert self.store.write(sessions.renew, session) == [False]

    @precondition(lambda self: self.living)
    @rule(number=MANY)
    def renew(self, number: int) -> None:
        session = self.pick(self.living, number)
        assert self.store.write(sessions.renew, session) == [True]
        self.leases[session] = self.now + self.store.database.terms.lease_ms

    @rule()
    def open_session(self) -> None:
        session = self.store.session(f"w{self.opened}")
        self.leases[session] = self.now + self.store.database.terms.lease_ms
        self.opened += 1

    @precondition(lambda self: self.living)
    @rule(number=MANY, status=st.sampled_from(["delivered", "pending", "dead"]))
    def send(self, number: int, status: str) -> None:
        [taken] = self.store.write(deliveries.claim_deliveries, (self.pick(self.living, number), 5))
        for one in taken:
            assert self.fates[one.task_id].status in TERMINAL or one.body is not None
            self.store.write(deliveries.fix_body, (one, "{}"))
            sent = Sent(
                id=one.id, attempt=one.attempt, status=status, delay_ms=5_000 if status == "pending" else None
            )
            self.store.write(deliveries.settle, sent)

    @invariant()
    def the_invariants_hold(self) -> None:
        assert invariants.violations(self.connection) == []

    @invariant()
    def every_task_is_where_the_rules_have_it(self) -> None:
        query = "SELECT id, status, attempt, retry_count, due_at, deaths, suspect, loss_count FROM task"
        found = {row[0]: tuple(row) for row in self.connection.exec_driver_sql(query)}
        assert found == {fate.id: fate.row for fate in self.fates.values()}

    @invariant()
    def every_result_is_the_one_that_was_accepted(self) -> None:
        query = "SELECT task_id, text FROM task_data WHERE kind = 'result'"
        found = dict(tuple(row) for row in self.connection.exec_driver_sql(query))
        assert found == {fate.id: fate.result for fate in self.fates.values() if fate.result is not None}

    def drain(self) -> None:
        """Once faults stop every accepted task reaches an end (I1)."""
        session = self.store.session("last")
        self.store.rescue(*self.living)
        for _ in range(2 + len(self.fates)):
            self.store.advance(4_000)
            taken = self.store.claim(session, free=50) + self.store.claim(session, free=50, beside=())
            for one in taken:
                self.store.finish(one)
        statuses = {row[0] for row in self.connection.exec_driver_sql("SELECT status FROM task")}
        assert statuses <= {status.value for status in TERMINAL}
        assert invariants.violations(self.connection) == []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self.drain()
            finally:
                self.connection.close()
                self.store.database.close()
                shutil.rmtree(self.folder)


@pytest.fixture(scope="module", autouse=True)
def _blank(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("machine") / "blank.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    StoreMachine.blank = path


class OnServer(StoreMachine):
    """The same on a database of this run on a server."""

    kind: str

    def empty_store(self) -> Store:
        url = servers.database_url(self.kind)
        servers.clear(url)
        return opened_store(url)


class OnPostgres(OnServer):
    """On PostgreSQL."""

    kind = "postgres"


class OnMariaDB(OnServer):
    """On MariaDB."""

    kind = "mariadb"


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=120, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
TestOnPostgres = pytest.mark.services(OnPostgres.TestCase)
TestOnMariaDB = pytest.mark.services(OnMariaDB.TestCase)
TestOnPostgres.settings = TestOnMariaDB.settings = settings(
    max_examples=15, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
