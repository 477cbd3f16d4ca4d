"""A state machine over the real store: any order of verbs keeps the invariants and the rules."""

from __future__ import annotations

import shutil
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, precondition, rule

from duly.model.state import TERMINAL, Status
from duly.model.task import Claimed
from duly.store import migrate, sessions
from duly.store.database import Database
from support import invariants, servers
from support.machine import DEADLINES, DELAYS, MANY, OUTCOMES, SECONDS, VERSIONS, Work
from support.machine_limits import KEY, KEYS
from support.machine_once import ENDS, TIMES, OnceWork
from support.stores import Store, opened_store, words


class StoreMachine(OnceWork):
    """Whole stories, the clock and the rescuers; and what must hold after every step."""

    def claim_all(self) -> None:
        """By a worker of its own, suspects too."""
        self.open_session()
        self.claim(0, 3)
        if self.suspects():
            self.claim_suspects(0, 3)

    def latest(self, id_: str) -> Claimed:
        """The task's last attempt."""
        return next(one for one in self.claimed[::-1] if one.id == id_)

    @rule(deadline=DEADLINES, seconds=st.sampled_from([0, 0, 0.5, 31]), key=KEY)
    def start(self, deadline: int | None, seconds: float, key: str | None) -> None:
        """The short way to something that runs, unless its deadline comes first."""
        self.submit("a", 5, None, deadline, unique=None, key=key, together=1)
        self.store.clock.advance(seconds)
        self.claim_all()

    @precondition(Work.running)
    @rule(number=MANY, stopped=st.booleans(), before=TIMES, after=TIMES)
    def supersede(self, number: int, stopped: bool, before: int, after: int) -> None:
        """A worker dies, perhaps after a cancel, and another one takes its tasks over; it was not dead."""
        one = self.pick(self.running(), number)
        self.handle(one, before)
        if stopped:
            self.cancel_of(one.id)
        self.rescue([str(self.fates[one.id].session)])
        for _ in VERSIONS:
            if self.fates[one.id].status is Status.PENDING:
                self.claim_all()
        self.write_as([one, *self.claimed[-2:], one], "c")
        for other in (self.latest(one.id), one, self.latest(one.id)):
            self.handle(other, after)

    @precondition(Work.running)
    @rule(number=MANY, end=ENDS)
    def answer(self, number: int, end: str | None) -> None:
        """A task ends; who sends its answer dies, perhaps having sent it, and another one sends it again."""
        one = self.pick(self.running(), number)
        self.finish([(self.claimed[::-1].index(one), Status.COMPLETED, 0)])
        for how in (None, end):
            self.open_session()
            self.send(0, how)
            self.rescue([self.living[-1]])

    @precondition(Work.running)
    @rule(number=MANY, end=OUTCOMES, delay=DELAYS, stale=MANY)
    def stop(self, number: int, end: Status, delay: int, stale: int) -> None:
        """A cancel reaches a running attempt, which says something; so does another, in one group."""
        one = self.pick(self.running(), number)
        self.cancel_of(one.id)
        self.cancel_of(one.id)
        self.finish([(self.claimed[::-1].index(one), end, delay), (stale, Status.COMPLETED, 0)])

    @precondition(Work.running)
    @rule(number=MANY, times=TIMES)
    def run_again(self, number: int, times: int) -> None:
        """It fails after a retry, an operator says: again, and it runs."""
        one = self.pick(self.running(), number)
        for end in (Status.RETRY, Status.FAILED):
            self.handle(self.latest(one.id), times)
            self.finish([(self.claimed[::-1].index(self.latest(one.id)), end, 0)])
            self.promote()
            self.retry_of(self.fates[one.id])
            self.claim_all()

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.store.clock.advance(seconds)

    @rule()
    def promote(self) -> None:
        self.absorb()
        for fate in self.fates.values():
            if not fate.startable(self.now):
                self.leaves(fate)
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
        self.lose_letters(ended)
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

    @invariant()
    def the_invariants_hold(self) -> None:
        assert invariants.violations(self.connection) == []

    @invariant()
    def every_task_is_where_the_rules_have_it(self) -> None:
        self.absorb()
        query = """
            SELECT id, status, attempt, retry_count, due_at, deaths, suspect, loss_count, code_version
            FROM task"""
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
        for id_ in self.fates:
            self.store.signal(id_, "go")
        for key in KEYS:
            self.set_cap(key, 1)
        for _ in range(2 + len(self.fates)):
            self.store.advance(4_000)
            self.sweep_limits()
            more = {"free": 50, "types": words("1", "2")}
            taken = self.store.claim(session, **more) + self.store.claim(session, beside=(), **more)
            for one in taken:
                self.store.finish(one)
        statuses = {row[0] for row in self.connection.exec_driver_sql("SELECT status FROM task")}
        assert statuses <= {status.value for status in TERMINAL}
        self.deliver_all(session)
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


TestStoreMachine = pytest.mark.timeout(300)(StoreMachine.TestCase)
TestStoreMachine.settings = settings(
    max_examples=100, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
TestOnPostgres = pytest.mark.services(pytest.mark.timeout(300)(OnPostgres.TestCase))
TestOnMariaDB = pytest.mark.services(pytest.mark.timeout(300)(OnMariaDB.TestCase))
TestOnPostgres.settings = TestOnMariaDB.settings = settings(
    max_examples=15, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
