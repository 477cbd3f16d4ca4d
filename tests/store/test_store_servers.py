"""What only a server brings: its own clock, its own idea of equal keys, connections that break."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from duly.clock import SystemClock
from duly.model.errors import NotReady
from duly.model.state import Status
from duly.runtime.ward import Ward
from duly.store import claims, lists, schema, submissions
from duly.store.claims import GivenBack
from duly.store.database import Database
from duly.store.transaction import Terms, Transaction
from support.stores import Store, ending, submission

pytestmark = [pytest.mark.only("postgres", "mariadb"), pytest.mark.writer]

PATIENCE = 10.0
#: How an administrator ends another's connection, and how a connection learns its own number.
KILL = {"postgres": "SELECT pg_terminate_backend(%s)", "mariadb": "KILL %s"}
ME = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}


class Ahead(SystemClock):
    """The clock of a host that is an hour ahead."""

    def now_ms(self) -> int:
        return super().now_ms() + 3_600_000


def asked(connection: Any, question: str, *parameters: Any) -> Any:
    """The one value that a statement answers."""
    cursor = connection.cursor()
    cursor.execute(question, parameters)
    return cursor.fetchall()[0][0] if cursor.description else None


def meanwhile_ended(store: Store) -> None:
    """The server ends the writer's connection, and the writer meets that in its next statement."""
    driver, raw = store.database.driver, store.database._writer._connection._raw
    number = asked(raw, ME[driver.dialect])
    with closing(driver.connect()) as administrator:
        asked(administrator, KILL[driver.dialect], number)
    asked(raw, "SELECT 1")


def answer_lost(store: Store) -> None:
    """The writer's next COMMIT is done, but its connection breaks before the answer is there."""
    connection = store.database._writer._connection
    commit = connection.commit

    def lost() -> None:
        commit()
        meanwhile_ended(store)

    connection.commit = lost  # type: ignore[method-assign]


def test_rows_are_dated_by_the_servers_clock(store: Store) -> None:
    """Or two hosts whose clocks differ would end each other's leases."""
    database = Database(store.database.url, clock=Ahead())
    database.open()
    try:
        with closing(database.driver.connect()) as connection:
            before = database.driver.now(connection)
            id_ = Store(database, store.clock).submit()
            after = database.driver.now(connection)
    finally:
        database.close()
    assert before <= store.task(id_).created_at <= after


def test_keys_compare_byte_by_byte(store: Store) -> None:
    """Capitals and accents make another key, owner and queue, as on SQLite."""
    words = ("kate", "Kate", "katé")
    assert len({store.submit(idempotency_key=word, owner="ann") for word in words}) == 3
    assert len({store.submit(idempotency_key="k", owner=word) for word in words}) == 3
    capital, small = [store.submit(queue=word) for word in ("Fast", "fast")]
    assert [one.id for one in store.claim(queues=("Fast",), free=9)] == [capital]
    assert [one.id for one in store.claim(queues=("fast",), free=9)] == [small]


def test_a_commit_whose_answer_was_lost_is_sent_again(store: Store) -> None:
    """Nobody knows whether it was kept: the verb is run again and recognises its own work."""
    item = submission()
    answer_lost(store)
    [accepted] = store.write(submissions.submit, item)
    assert (accepted.id, accepted.created) == (item.id, True)
    [claimed] = store.claim()
    answer_lost(store)
    assert store.write(claims.finish, ending(claimed)) == [Status.COMPLETED]
    assert store.events(item.id) == ["accepted", "started", "completed"]


def test_a_broken_connection_is_put_away_without_a_traceback(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart of the server is told in Duly's own lines; the library has nothing to complain about."""
    answer_lost(store)
    assert store.write(submissions.submit, submission())
    assert [record.getMessage() for record in caplog.records] == []


def test_a_database_whose_server_has_restarted_closes(store: Store) -> None:
    """All connections are broken then, idle ones too; a process that is asked to stop still ends in order."""
    database = Database(store.database.url)
    database.open()
    database.read_blocking(lists.stats, lists.Filter())
    driver = database.driver
    raws = [link._raw for link in (database._writer._connection, *database._idle)]
    with closing(driver.connect()) as administrator:
        for number in [asked(raw, ME[driver.dialect]) for raw in raws]:
            asked(administrator, KILL[driver.dialect], number)
    database.close()
    assert len(raws) == 2


def test_a_connection_that_breaks_before_the_commit_costs_nothing(store: Store) -> None:
    """The transaction is gone with it; the verb is run again on a new one."""
    broken: list[bool] = []

    def breaking(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        answers = submissions.submit(tx, items)
        if not broken:
            broken.append(True)
            meanwhile_ended(store)
        return answers

    [accepted] = store.write(breaking, submission())
    assert broken
    assert store.events(accepted.id) == ["accepted"]


def test_readers_outlive_a_restart_of_the_server(store: Store) -> None:
    """Idle connections to a server that ended them are replaced without a word to the caller."""
    id_ = store.submit()
    assert store.status(id_) is Status.PENDING
    driver = store.database.driver
    with closing(driver.connect()) as administrator:
        for link in store.database._idle:
            asked(administrator, KILL[driver.dialect], asked(link._raw, ME[driver.dialect]))
    assert store.status(id_) is Status.PENDING


def test_a_parent_buries_at_once_after_a_restart_of_the_server(store: Store) -> None:
    """Its connection was idle and is broken; its dead child's tasks do not wait for another try."""
    store.submit()
    store.claim("w1")
    driver = store.database.driver
    ward = Ward(driver, Terms(), store.clock)
    assert ward.renew("w1")
    with closing(driver.connect()) as administrator:
        asked(administrator, KILL[driver.dialect], asked(ward._connection, ME[driver.dialect]))
    assert ward.bury(["w1"], []) == GivenBack(tasks=1)


def crossing(first: str, second: str, met: threading.Barrier) -> Callable[..., Sequence[Any]]:
    """A verb that locks two tasks in this order; both of a pair hold one before they want the other."""
    rounds: list[int] = []

    def cross(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        rounds.append(len(rounds))
        _touch(tx, first)
        if len(rounds) == 1:
            met.wait(PATIENCE)
        _touch(tx, second)
        return [len(rounds) for _ in items]

    return cross


def _touch(tx: Transaction, id_: str) -> None:
    task = schema.task
    tx.core.execute(sa.update(task).where(task.c.id == id_).values(progress=task.c.progress))


def test_the_victim_of_a_deadlock_is_run_again(store: Store) -> None:
    """Two writers lock the same rows in opposite order: the server ends one; its caller never hears of it."""
    one, two = store.submit(), store.submit()
    other = Store(Database(store.database.url, clock=store.clock), store.clock)
    other.database.open()
    met, rounds = threading.Barrier(2), []
    threads = [
        threading.Thread(target=lambda s=s, v=v: rounds.extend(s.write(v, 0)))
        for s, v in ((store, crossing(one, two, met)), (other, crossing(two, one, met)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    other.database.close()
    assert sorted(rounds) == [1, 2]


def test_a_call_that_can_never_work_is_not_tried_for_ever(store: Store) -> None:
    """A server that ends each connection is answered with "not now" in the end."""
    tries: list[int] = []

    def hopeless(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:
        tries.append(1)
        meanwhile_ended(store)
        return items

    with pytest.raises(NotReady):
        store.write(hopeless, 0)
    assert 2 <= len(tries) <= 10
    assert store.read(lists.stats, lists.Filter())["pending"] == 0


class Overheard:
    """A connection, and all that is said to it."""

    def __init__(self, raw: Any, said: list[str]) -> None:
        self._raw = raw
        self._said = said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def cursor(self) -> Any:
        return Overheard(self._raw.cursor(), self._said)

    def execute(self, statement: str, *parameters: Any) -> Any:
        self._said.append(statement)
        return self._raw.execute(statement, *parameters)


@pytest.mark.only("postgres")
def test_no_notice_is_given_inside_a_writing_transaction(store: Store) -> None:
    """PostgreSQL commits one notifying transaction at a time: it would cost two thirds of the commits."""
    said: list[str] = []
    connection = store.database._writer._connection
    connection._raw = Overheard(connection._raw, said)
    store.submit()
    assert any(statement == "COMMIT" for statement in said)
    assert not [statement for statement in said if "notify" in statement.lower()]
