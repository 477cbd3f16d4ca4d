"""The quick way on PostgreSQL: the loop itself sends what is one statement; all else goes to the writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from duly.clock import ServerClock, SystemClock
from duly.model.errors import NotReady, SessionEnded
from duly.model.state import Status
from duly.model.task import Submission
from duly.store import claims, limit_desk, lists, sessions, submissions
from duly.store.database import Database
from duly.store.express import FORMS
from duly.store.limit_desk import Setting
from duly.store.quotas import Beyond
from support import servers
from support.cluster import until
from support.lines import line_of
from support.stores import ending, new_id, request, submission
from support.world import Emitted, FakeClock

pytestmark = [pytest.mark.services, pytest.mark.only("postgres")]


@pytest.fixture
def url() -> str:
    """An empty database on the server."""
    address = servers.database_url("postgres")
    servers.clear(address)
    return address


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


@pytest.fixture
async def database(url: str, emitted: Emitted) -> AsyncIterator[Database]:
    """A database that was opened on this loop, with a session."""
    one = Database(url, emit=emitted)
    one.open()
    await one.write(sessions.start, sessions.Session(id="w1", host="h", pid=1, queues=("default",)))
    yield one
    one.close()


def by_writer(database: Database) -> list[str]:
    """The verbs that go to the writer from here on."""
    seen: list[str] = []
    submit = database._writer.submit
    database._writer.submit = lambda calls: (seen.extend(one.verb.__name__ for one in calls), submit(calls))[
        1
    ]  # type: ignore[method-assign]
    way = database._dispatch._express
    assert way is not None
    way._pass_on = database._writer.submit
    database._dispatch._write = database._writer.submit
    return seen


def waits_for_a_lock(asker: Any, pid: int) -> bool:
    """Whether a session of the server waits for another."""
    asked = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
    row = asker.execute(asked, (pid,)).fetchone()
    return bool(row and row[0])


def pid_of(database: Database) -> int:
    return int(line_of(database)._pgconn.backend_pid)


def end_backend(database: Database, pid: int) -> None:
    """The server ends a connection."""
    with closing(database.driver.connect()) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s)", (pid,))


async def test_a_life_of_a_task_needs_no_thread(database: Database) -> None:
    """Submit, claim and finish of small bodies never reach the writer."""
    seen = by_writer(database)
    accepted = await database.write(submissions.submit, submission(input='{"x":1}'))
    [claimed] = await database.write(claims.claim, request(), last=True)
    status = await database.write(claims.finish, ending(claimed))
    assert (accepted.id, claimed.input, status, seen) == (claimed.id, '{"x":1}', Status.COMPLETED, [])
    task = await database.read(lists.get, claimed.id)
    assert (task.status, task.result, task.attempt) == (Status.COMPLETED, "done", 1)


async def test_what_was_there_before_is_found(database: Database) -> None:
    """An idempotency key that lives answers with its own task, whichever way the call took."""
    first = await database.write(submissions.submit, submission(idempotency_key="k"))
    again = await database.write(submissions.submit, submission(idempotency_key="k"))
    assert (again.id, again.created, first.created) == (first.id, False, True)


async def test_many_small_calls_are_few_statements(database: Database) -> None:
    """What is queued while a statement is under way goes together, and each gets its own answer."""
    line, sent = line_of(database), []
    run = line.run
    line.run = lambda name, *rest, **more: (sent.append(name), run(name, *rest, **more))[1]
    every = [submission() for _ in range(200)]
    answers = await asyncio.gather(*(database.write(submissions.submit, one) for one in every))
    assert [one.id for one in answers] == [one.id for one in every]
    assert sent.count("submit_plain") <= 3


async def test_a_large_input_comes_back_whole(database: Database) -> None:
    """It is written in parts by the writer, and read with the claim."""
    text = '"' + "abc" * 700_000 + '"'
    await database.write(submissions.submit, submission(input=text))
    seen = by_writer(database)
    [claimed] = await database.write(claims.claim, request(), last=True)
    assert (claimed.input == text, seen) == (True, [])


async def test_an_ended_session_is_told_so(database: Database) -> None:
    """It must take a new one, and claims nothing."""
    id_ = (await database.write(submissions.submit, submission())).id
    await database.write(claims.rescue, {"w1": None})
    with pytest.raises(SessionEnded):
        await database.write(claims.claim, request(), last=True)
    assert (await database.read(lists.get, id_)).status is Status.PENDING


async def test_a_session_that_ends_meanwhile_keeps_nothing(database: Database) -> None:
    """A claim that waits for who ends its session finds it ended: else its tasks would be nobody's."""
    id_ = (await database.write(submissions.submit, submission())).id
    with closing(database.driver.connect()) as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM worker WHERE id = 'w1' FOR UPDATE")
        other.execute("UPDATE worker SET ended_at = 1 WHERE id = 'w1'")
        claiming = asyncio.create_task(database.write(claims.claim, request(), last=True))
        await until(lambda: waits_for_a_lock(other, pid_of(database)), seconds=3)
        other.execute("COMMIT")
    with pytest.raises(SessionEnded):
        await claiming
    assert (await database.read(lists.get, id_)).status is Status.PENDING


async def test_a_lost_connection_costs_nobody_an_answer(database: Database, emitted: Emitted) -> None:
    """The call under way and those that wait go to the writer; a new connection is made."""
    with closing(database.driver.connect()) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE task IN SHARE MODE")
        calls = [asyncio.create_task(database.write(submissions.submit, submission())) for _ in range(3)]
        old = pid_of(database)
        await until(lambda: waits_for_a_lock(other, old))
        end_backend(database, old)
        await until(lambda: line_of(database) is None)
        other.execute("COMMIT")
    assert all(one.created for one in await asyncio.gather(*calls))
    await until(lambda: line_of(database) is not None)
    assert pid_of(database) != old
    assert "store.reconnecting" in emitted.names()
    seen = by_writer(database)
    assert (await database.write(submissions.submit, submission())).created
    assert seen == []


async def test_a_lost_answer_is_not_done_twice(database: Database) -> None:
    """The statement was committed, its answer never came: the writer's verb recognises the work."""
    way, one = database._dispatch._express, submission()
    assert way is not None
    arrived = way._arrived
    way._arrived = lambda line, form, told: arrived(line, form, NotReady("lost"))  # type: ignore[method-assign]
    accepted = await database.write(submissions.submit, one)
    assert (accepted.id, accepted.created) == (one.id, True)
    events = await database.read(lists.events, one.id)
    assert [event.type for event in events] == ["accepted"]


async def test_one_bad_call_does_not_spoil_the_others(database: Database) -> None:
    """A group that the server refuses is done one by one by the writer; only the bad one gets the error."""
    good, bad = submission(), submission(body_hash="h" * 100)
    answers = await asyncio.gather(
        *(database.write(submissions.submit, one) for one in (good, bad)), return_exceptions=True
    )
    assert answers[0].id == good.id
    assert isinstance(answers[1], Exception)


async def test_the_next_statement_is_under_way_before_the_answer(database: Database) -> None:
    """Another verb, or a large call: the server finds it there when it has answered the one before."""
    line, sent = line_of(database), []
    run = line.run
    line.run = lambda name, *rest, **more: (sent.append((name, line.under_way)), run(name, *rest, **more))[1]
    large = [[submission() for _ in range(256)] for _ in range(6)]
    accepted, claimed, *rest = await asyncio.gather(
        database.write(submissions.submit, submission()),
        database.write(claims.claim, request(), last=True),
        *(database.write_many(submissions.submit, each) for each in large),
    )
    assert (accepted.created, len(claimed) <= 1, len(rest)) == (True, True, 6)
    assert max(before for _, before in sent) >= 2
    assert sent[0][0] == "take"  # what it brings begins while the rest is recorded


async def test_a_refused_statement_does_not_spoil_the_next(database: Database) -> None:
    """Each is a transaction by itself, also when both are under way."""
    await database.write(submissions.submit, submission())
    [claimed] = await database.write(claims.claim, request(), last=True)
    seen = by_writer(database)
    refused, status = await asyncio.gather(
        database.write(submissions.submit, submission(body_hash="h" * 100)),
        database.write(claims.finish, ending(claimed)),
        return_exceptions=True,
    )
    assert isinstance(refused, Exception)
    assert (status, seen) == (Status.COMPLETED, ["submit"])


async def test_a_lost_connection_costs_none_of_several_an_answer(database: Database) -> None:
    """All that was under way goes to the writer, each call once."""
    await database.write(submissions.submit, submission())
    [claimed] = await database.write(claims.claim, request(), last=True)
    with closing(database.driver.connect()) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE task IN SHARE MODE")
        calls = [
            asyncio.create_task(database.write(submissions.submit, submission())),
            asyncio.create_task(database.write(claims.finish, ending(claimed))),
        ]
        old = pid_of(database)
        await until(lambda: waits_for_a_lock(other, old))
        assert line_of(database).under_way >= 2
        end_backend(database, old)
        await until(lambda: line_of(database) is None)
        other.execute("COMMIT")
    async with asyncio.timeout(5):
        accepted, status = await asyncio.gather(*calls)
    assert (accepted.created, status) == (True, Status.COMPLETED)


async def test_a_call_behind_a_lock_ends_in_time(database: Database) -> None:
    """The lock's time limit ends the statement, and the writer's says so to the caller."""
    id_ = (await database.write(submissions.submit, submission())).id
    [claimed] = await database.write(claims.claim, request(), last=True)
    with closing(database.driver.connect()) as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM task WHERE id = %s FOR UPDATE", (id_,))
        with pytest.raises(NotReady):
            await database.write(claims.finish, ending(claimed))
        other.execute("ROLLBACK")
    seen = by_writer(database)
    assert await database.write(claims.finish, ending(claimed)) is Status.COMPLETED
    assert seen == []  # its statement was prepared, though its first use failed


async def test_what_is_queued_at_the_end_is_done(url: str) -> None:
    """`close` waits for the statement under way, and the writer does the rest."""
    database = Database(url)
    database.open()
    every = [submission() for _ in range(3)]
    calls = [asyncio.create_task(database.write(submissions.submit, one)) for one in every]
    await asyncio.sleep(0)
    database.close()
    assert [one.id for one in await asyncio.gather(*calls)] == [one.id for one in every]


async def test_a_place_hides_nothing(database: Database) -> None:
    """A task that went before the place where the queue was last seen to begin is claimed all the same."""
    way = database._dispatch._express
    assert way is not None
    await database.write(submissions.submit, submission())
    database.heads.look_again(way._time.now(), "default", [(5000,)] * 10)
    assert len(await database.write(claims.claim, request(free=5), last=True)) == 1


async def test_the_queue_is_looked_at_beside_the_work(database: Database) -> None:
    """So that claims begin where it begins, and not behind all that was claimed."""
    owner = [submission(owner="one") for _ in range(3)]
    await database.write_many(submissions.submit, owner)
    await database.write(claims.claim, request(), last=True)
    await database.write(claims.claim, request(), last=True)
    await until(lambda: not line_of(database).under_way)
    way = database._dispatch._express
    assert way is not None
    assert any(database.heads.places(way._time.now(), "default"))


async def test_a_quota_holds_on_the_quick_way(database: Database, url: str) -> None:
    """Also in a process that has looked for none: its statement adds nothing while there are some."""
    other = Database(url)
    other.open()
    try:
        await other.write(limit_desk.put, Setting(name="owner/acme/ann", waiting=1))
        some = [submission(tenant="acme", owner="ann") for _ in range(2)]
        told = [await database.write(submissions.submit, one) for one in some]
    finally:
        other.close()
    assert [one.refused for one in told] == [None, Beyond("owner/acme/ann")]


async def test_rows_are_dated_by_the_servers_clock(url: str) -> None:
    """Not by this host's, which may be an hour ahead."""

    class Ahead(SystemClock):
        def now_ms(self) -> int:
            return super().now_ms() + 3_600_000

    database = Database(url, clock=Ahead())
    database.open()
    try:
        with closing(database.driver.connect()) as connection:
            before = database.driver.now(connection)
            accepted = await database.write(submissions.submit, submission())
            after = database.driver.now(connection)
    finally:
        database.close()
    assert before - 5 <= accepted.at <= after + 5


def test_a_servers_clock_is_known_for_seconds_only() -> None:
    """Then it is asked again: nobody promises that two clocks run alike."""
    clock = FakeClock()
    server = ServerClock(clock)
    assert not server.known
    server.set(clock.ms)
    assert server.known
    clock.advance(5)
    assert not server.known


def test_only_what_is_one_statement_has_a_quick_form() -> None:
    """A claim of two queues, a large result, any other outcome: the verb itself."""
    moment: Any = None
    large = ending(_claimed(), result='"' + "x" * 5000 + '"')
    for verb, item in (
        (claims.claim, request(queues=("a", "b"))),
        (claims.claim, request(beside=())),
        (claims.finish, large),
        (claims.finish, ending(_claimed(), Status.RETRY)),
        (submissions.submit, submission(input='"' + "x" * 5000 + '"')),
    ):
        with pytest.raises(StopIteration) as end:
            next(FORMS[verb](moment, [item]))
        assert end.value.value is None


def _claimed() -> Any:
    one = Submission.of(id=new_id(), task_type="demo", input="{}", body_hash="h")
    return type("Claimed", (), {"id": one.id, "attempt": 1})
