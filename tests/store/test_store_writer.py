"""The one thread that writes: groups, their failures, and what callers may rely on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from duly import failpoints
from duly.failpoints import FailpointError
from duly.model.errors import DulyError, NotReady
from duly.model.state import Status
from duly.store import claims, sqlite, submissions, writer
from duly.store.database import Database
from duly.store.transaction import Transaction
from support.stores import Store, request, submission

pytestmark = pytest.mark.writer

PATIENCE = 10.0


class Gate:
    """A verb that keeps the writer busy until it is let go, so that calls queue up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, tx: Transaction, items: Sequence[Any]) -> list[None]:
        self.entered.set()
        self.let_go.wait(PATIENCE)
        return [None for _ in items]

    __name__ = "gate"


class Seen:
    """A verb that remembers the batches it was given."""

    __name__ = "seen"

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []

    def __call__(self, tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        self.batches.append(list(items))
        return items


@contextlib.asynccontextmanager
async def busy(database: Database) -> AsyncIterator[None]:
    """Whatever is called in here stands in the queue together when it ends."""
    gate = Gate()
    held = asyncio.create_task(database.write(gate, None))
    await asyncio.to_thread(gate.entered.wait, PATIENCE)
    try:
        yield
        for _ in range(3):  # a task's first turn, and the one after which its calls are handed over
            await asyncio.sleep(0)
    finally:
        gate.let_go.set()
        await held


async def queued(database: Database, *calls: tuple[Any, Any]) -> list[Any]:
    """The answers, or errors, of calls that share a group."""
    async with busy(database):
        tasks = [asyncio.create_task(database.write(verb, item)) for verb, item in calls]
    return await asyncio.gather(*tasks, return_exceptions=True)


def refuse(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
    raise DulyError(f"refused {items}")


def transactions(store: Store) -> list[threading.Thread]:
    """Grows by one with each transaction that the writer begins from now on."""
    begun: list[threading.Thread] = []
    connection = store.database._writer._connection
    begin = connection.begin

    def counting() -> Transaction:
        begun.append(threading.current_thread())
        return begin()

    connection.begin = counting  # type: ignore[method-assign]
    return begun


def count(store: Store) -> int:
    return int(store.rows("SELECT count(*) FROM task")[0][0])


async def test_calls_that_wait_together_are_one_call(store: Store) -> None:
    """One verb gets the items of all its callers, and each caller its own answer."""
    seen = Seen()
    assert await queued(store.database, (seen, 1), (seen, 2), (seen, 3)) == [1, 2, 3]
    assert seen.batches == [[1, 2, 3]]


def test_loops_of_several_threads_write_through_one_database(store: Store) -> None:
    """One after the other, where the first is closed, and at once."""

    async def write(number: int) -> list[int]:
        return [await store.database.write(Seen(), number * 100 + turn) for turn in range(50)]

    assert [asyncio.run(write(number)) for number in (1, 2)] == [list(range(100, 150)), list(range(200, 250))]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda number: asyncio.run(write(number)), range(4)))
    assert answers == [list(range(number * 100, number * 100 + 50)) for number in range(4)]


async def test_a_group_is_one_commit(store: Store) -> None:
    """Calls of several verbs share it: that is what makes them cheap."""
    begun = transactions(store)
    calls = [(submissions.submit, submission()), (Seen(), 1), (submissions.submit, submission())]
    await queued(store.database, *calls)
    assert len(begun) == 2  # the gate's own, and the group's


async def test_a_group_is_closed_when_it_is_large(store: Store) -> None:
    """No more than 256 items or 4 MiB wait for one commit."""
    seen = Seen()
    await queued(store.database, *((seen, number) for number in range(600)))
    assert [len(batch) for batch in seen.batches] == [256, 256, 88]
    large = Seen()
    items = [submission(input="x" * (3 << 20)) for _ in range(4)]
    await queued(store.database, *((large, item) for item in items))
    assert [len(batch) for batch in large.batches] == [2, 2]


async def test_claims_run_after_the_rest_of_their_group(store: Store) -> None:
    """A task that is submitted together with a claim is handed out by it."""
    store.session("w1")
    database = store.database
    async with busy(database):
        claim = asyncio.create_task(database.write(claims.claim, request("w1"), last=True))
        await asyncio.sleep(0)
        submit = asyncio.create_task(database.write(submissions.submit, submission()))
    assert [one.id for one in await claim] == [(await submit).id]


async def test_a_failing_call_fails_alone(store: Store) -> None:
    """The others of its group commit, and are run once as far as the database can tell."""
    one, two = submission(), submission()
    calls = [(submissions.submit, one), (refuse, "x"), (submissions.submit, two)]
    first, error, second = await queued(store.database, *calls)
    assert (first.id, second.id) == (one.id, two.id)
    assert str(error) == "refused ['x']"
    assert count(store) == 2


async def test_one_bad_item_does_not_fail_other_callers_of_the_verb(store: Store) -> None:
    """Calls of one verb are merged, but not their fate."""
    bad = submission()
    object.__setattr__(bad.conditions, "priority", 77)
    good, error = await queued(store.database, (submissions.submit, submission()), (submissions.submit, bad))
    assert good.created
    assert (error.code, count(store)) == ("refused_by_database", 1)


async def test_nothing_is_answered_before_its_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that has run, but is not committed, has no answer yet and is not seen by readers."""
    gate = Gate()

    def before_commit(name: str) -> None:
        if name == "store.before_commit":
            gate(None, [])

    monkeypatch.setattr(writer, "failpoint", before_commit)
    call = asyncio.create_task(store.database.write(submissions.submit, submission()))
    try:
        await asyncio.to_thread(gate.entered.wait, PATIENCE)
        for _ in range(5):  # the turns in which an answer would arrive
            await asyncio.sleep(0)
        assert not call.done()
        assert count(store) == 0
    finally:
        gate.let_go.set()
    assert (await call).created
    assert count(store) == 1


async def test_a_call_whose_commit_fails_has_not_happened(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets the error, and the writer goes on."""
    monkeypatch.setattr(failpoints, "_points", failpoints._parse("store.before_commit=raise"))
    with pytest.raises(FailpointError):
        await store.database.write(submissions.submit, submission())
    assert count(store) == 0
    assert store.submit()


async def test_a_group_whose_commit_fails_is_tried_call_by_call(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failpoint's second pass is the group's: it is rolled back, then each call has a transaction."""
    async with busy(store.database):
        monkeypatch.setattr(failpoints, "_points", failpoints._parse("store.before_commit=raise@2"))
        calls = [store.database.write(submissions.submit, submission()) for _ in range(3)]
        tasks = [asyncio.create_task(call) for call in calls]
    answers = await asyncio.gather(*tasks)
    assert all(one.created for one in answers)
    assert count(store) == 3


async def test_a_caller_that_gives_up_does_not_take_its_write_back(store: Store) -> None:
    """Its call is done all the same, the others of its group too, and no transaction stays open."""
    database = store.database
    async with busy(database):
        given_up = asyncio.create_task(database.write(submissions.submit, submission()))
        other = asyncio.create_task(database.write(submissions.submit, submission()))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
    assert (await other).created
    assert count(store) == 2
    with contextlib.closing(database.driver.connect(patience=0.1)) as second:
        database.driver.begin(second)
        second.cursor().execute("UPDATE task SET seq = seq + 1")  # would wait for a transaction left open
        second.cursor().execute("ROLLBACK")


async def test_closing_finishes_what_is_queued(store: Store) -> None:
    """Then, and only then, the database refuses."""
    database = store.database
    async with busy(database):
        tasks = [asyncio.create_task(database.write(submissions.submit, submission())) for _ in range(5)]
        await asyncio.sleep(0)
    await asyncio.to_thread(database.close)
    assert all(one.created for one in await asyncio.gather(*tasks))
    with pytest.raises(NotReady):
        await database.write(submissions.submit, submission())
    database.open()
    assert count(store) == 5


class Ear:
    """Hints between processes, of which only the end is of interest."""

    stopped = 0

    def start(self) -> bool:
        return True

    def stop(self) -> None:
        self.stopped += 1


def test_an_open_that_failed_listens_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the database opens again, and would hear everything twice."""
    database, ear = store.database, Ear()
    database.close()
    monkeypatch.setattr(database.driver, "hints", lambda _: ear)

    def refuse(_: writer.Writer) -> None:
        raise NotReady("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "start", refuse)
        with pytest.raises(NotReady):
            database.open()
    assert ear.stopped == 1
    monkeypatch.undo()
    database.open()


async def test_a_listener_that_breaks_does_not_stop_the_writer(store: Store) -> None:
    """A wake-up is a hint: a closed event loop at its other end is no reason to stop writing."""
    heard: list[bool] = []

    def broken(foreign: bool) -> None:
        raise RuntimeError("the loop is closed")

    store.database.subscribe(broken)
    store.database.subscribe(heard.append)
    store.submit()
    store.submit()
    assert len(heard) >= 1


@pytest.fixture
def locked(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Another process's write transaction, which ends with the test at the latest."""
    connection = sqlite.connect(store.database.driver.path, store.database.footing.journal)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    connection.close()


@pytest.fixture
def impatient(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for locks no longer than 50 ms."""
    store.database.close()
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    store.database.open()


@pytest.mark.only("wal", "rollback")
async def test_a_group_waits_once_for_a_lock(impatient: None, locked: Any, store: Store) -> None:
    """All its callers are told to come back; not each after a wait of its own, which would add up."""
    begun = transactions(store)
    calls = [store.database.write(submissions.submit, submission()) for _ in range(4)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotReady}
    assert len(begun) < 4
    locked.execute("ROLLBACK")
    assert store.submit()


@pytest.mark.only("wal", "rollback")
def test_now_is_read_when_the_lock_is_held(store: Store, locked: Any) -> None:
    """A wait for the lock can be seconds: rows are dated after it."""
    entered = threading.Event()
    connection = store.database._writer._connection
    begin = connection.begin

    def announced() -> Transaction:
        entered.set()
        return begin()

    connection.begin = announced  # type: ignore[method-assign]
    ids: list[str] = []
    thread = threading.Thread(target=lambda: ids.append(store.submit()))
    thread.start()
    entered.wait(PATIENCE)
    store.clock.advance(4)
    locked.execute("ROLLBACK")
    thread.join(PATIENCE)
    assert store.task(ids[0]).created_at == store.clock.now_ms()


@pytest.mark.only("wal", "rollback", "postgres")
def test_commits_of_another_process_are_noticed_both_ways(store: Store, tmp_path: Path) -> None:
    """A second database on the same file hears of the first one's commits, and the other way round."""
    other = Store(Database(store.database.url, clock=store.clock), store.clock)
    other.database.open()
    try:
        for writing, listening in ((store, other), (other, store)):
            listening.submit()
            listening.submit()
            heard = threading.Event()
            forget = listening.database.subscribe(lambda foreign, heard=heard: foreign and heard.set())
            id_ = writing.submit()
            assert heard.wait(PATIENCE)
            assert listening.status(id_) is Status.PENDING
            forget()
    finally:
        other.database.close()


def test_an_own_commit_is_not_foreign(store: Store) -> None:
    """Or every process would wake itself up without end."""
    store.submit()
    store.submit()  # by now the writer has looked once
    heard: list[bool] = []
    store.database.subscribe(heard.append)
    for _ in range(3):
        store.submit()
    assert set(heard) == {False}
