"""A database moves to another one while it is used: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from duly.model.errors import CopyDiffers, DulyError, InvalidInput, Moved, NotReady
from duly.model.state import Status
from duly.model.task import Target
from duly.store import lists, migrate, schema
from duly.store.copying import passes, seal, side
from duly.store.copying.move import Move
from duly.store.copying.side import Side
from duly.store.database import Database
from support import copies, invariants, servers
from support.stores import Store, opened_store

KINDS = ("sqlite", "postgres", "mariadb")
PAIRS = [
    pytest.param(one, other, marks=[pytest.mark.services] if {one, other} - {"sqlite"} else [])
    for one in KINDS
    for other in KINDS
]
ALL = [pytest.param(kind, marks=[pytest.mark.services] if kind != "sqlite" else []) for kind in KINDS]
INBOX = Target(channel="inbox")
Opened = Callable[[Database], Store]


@pytest.fixture
def rooms(tmp_path: Path) -> copies.Rooms:
    """Databases to copy from and to."""
    return copies.Rooms(tmp_path)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens stores, and closes them at the end."""
    stores: list[Store] = []

    def one(database: Database) -> Store:
        stores.append(opened_store(database.url))
        return stores[-1]

    yield one
    for store in stores:
        store.database.close()


def moved(source: Database, destination: Database, **more: Any) -> Move:
    """The whole way."""
    move = Move(source, destination, **more)
    try:
        move.prepare()
        move.copy()
        move.come_near()
        move.cut_over()
    finally:
        move.close()
    return move


def small_parts(monkeypatch: pytest.MonkeyPatch, rows: int = 9) -> None:
    """Parts of some rows, as if there were many."""
    monkeypatch.setattr(side, "PART_ROWS", rows)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_row_of_every_table_moves(
    one: str, other: str, rooms: copies.Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts, with every type and NULL; counts and checksums say so, and the migrations are content."""
    small_parts(monkeypatch)
    source, destination = rooms.made(one), rooms.made(other)
    copies.fill(source, 14)
    move = moved(source, destination)
    assert copies.unlike(source, destination) == []
    assert {name: found["rows"] for name, found in move.done.tables.items()} == dict.fromkeys(
        schema.metadata.tables, 14
    )
    assert all(len(found["checksum"]) == 32 for found in move.done.tables.values())


@pytest.mark.parametrize("kind", ALL)
def test_an_empty_destination_gets_its_tables(kind: str, rooms: copies.Rooms) -> None:
    """Nobody has to make them before."""
    source, destination = rooms.made("sqlite"), Database(rooms.fresh(kind))
    copies.fill(source, 2)
    moved(source, destination)
    assert copies.unlike(source, destination) == []
    assert migrate.differences(destination) == []
    migrate.ensure(destination)


@pytest.mark.parametrize("kind", ALL)
def test_what_changes_meanwhile_is_found(
    kind: str, rooms: copies.Rooms, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """Rows that change, go, come in front, or hand a unique value on, after they were copied."""
    small_parts(monkeypatch, 3)
    source = opened(rooms.made("sqlite"))
    kept = [source.submit(unique=f"u{number}", tags=("old",)) for number in range(10)]
    changed: list[str] = []

    def change(phase: str, table: str, _rows: int) -> None:
        if table != "task" or phase in changed or phase == "verify":
            return
        changed.append(phase)
        source.cancel(kept[0 if phase == "copy" else 1])
        source.submit(unique="u0" if phase == "copy" else "u1")
        source.submit(id=f"00000000-{phase}")
        doomed = kept.pop()
        with source.database.engine().connect() as connection:
            for name in ("task", "task_data", "task_tag", "event"):
                table = schema.metadata.tables[name]
                key = table.c.id if name == "task" else table.c.task_id
                connection.execute(table.delete().where(key == doomed))

    destination = rooms.made(kind)
    move = Move(source.database, destination, told=change)
    move.prepare()
    move.copy()
    move.keep_up()
    last = source.submit(INBOX)
    source.cancel(kept[2])
    move.cut_over()
    move.close()
    assert changed == ["copy", "compare"]
    assert copies.unlike(source.database, destination) == []
    assert move.done.late > 0
    there = opened(destination)
    assert (there.status(last), there.status(kept[2])) == (Status.PENDING, Status.CANCELLED)
    invariants.check(destination)


@pytest.mark.parametrize("kind", ALL)
def test_what_ran_is_due_again(kind: str, rooms: copies.Rooms, opened: Opened) -> None:
    """Handed back, uncharged, its limits free; a cancel is honoured, a delivery under way is owed again."""
    source = opened(rooms.made("sqlite"))
    ran, stopped = source.running().id, source.running().id
    source.cancel(stopped)
    with source.database.engine().connect() as connection:
        source.ended(Status.COMPLETED, INBOX)
        connection.exec_driver_sql("UPDATE delivery SET status = 'sending', worker_id = 'w1', attempt = 1")
    destination = rooms.made(kind)
    move = moved(source.database, destination)
    there = opened(destination)
    task = there.task(ran)
    assert (move.done.handed_back, task.status, task.retry_count, task.attempt) == (2, Status.PENDING, 0, 1)
    assert (there.events(ran)[-1], there.column(ran, "loss_count")) == ("handed_back", 0)
    assert there.status(stopped) is Status.CANCELLED
    assert there.rows("SELECT status FROM delivery") == [("pending",)]
    assert there.rows("SELECT count(*) FROM worker WHERE ended_at IS NULL") == [(0,)]
    [again] = there.claim("w2")
    assert (again.id, again.attempt) == (ran, 2)
    invariants.check(destination)


@pytest.mark.parametrize("kind", ALL)
def test_the_inbox_goes_on_behind_its_last_number(kind: str, rooms: copies.Rooms, opened: Opened) -> None:
    """A new line has a greater number than any that was copied."""
    source = rooms.made("sqlite")
    copies.fill(source, 12)
    destination = rooms.made(kind)
    moved(source, destination)
    line = dict.fromkeys(("task_id", "tenant", "owner", "type", "body"), "x")
    with destination.engine().connect() as connection:
        insert = schema.notification.insert().values(delivery_id="new", created_at=1, **line)
        assert connection.execute(insert).inserted_primary_key == (13,)


@pytest.mark.parametrize("kind", ALL)
def test_a_sealed_database_refuses_every_write(kind: str, rooms: copies.Rooms, opened: Opened) -> None:
    """Submits, claims, ends, of sessions that were there before; unseal opens it again."""
    store = opened(rooms.made(kind))
    claimed = store.running()
    waiting = store.submit()
    one = Side(store.database)
    seal.seal(one, "postgresql://elsewhere/duly")
    seal.seal(one, "postgresql://elsewhere/duly")
    for write in (
        store.submit,
        lambda: store.claim("w1"),
        lambda: store.finish(claimed),
        lambda: store.cancel(waiting),
    ):
        with pytest.raises(Moved, match=r"moved to postgresql://elsewhere/duly$"):
            write()
    for table in side.tables():
        with pytest.raises((sa.exc.DBAPIError, store.database.driver.module.Error), match="moved to"):
            one.put(table, [copies._row(table, 1)])
    assert store.status(waiting) is Status.PENDING
    assert seal.unseal(one) == "postgresql://elsewhere/duly"
    assert store.finish(claimed) is Status.COMPLETED
    with pytest.raises(InvalidInput, match="not sealed"):
        seal.unseal(one)
    one.close()
    assert migrate.differences(store.database) == []


@pytest.mark.parametrize("kind", ALL)
def test_a_transaction_under_way_is_copied_or_refused(kind: str, rooms: copies.Rooms, opened: Opened) -> None:
    """The seal waits for who is writing: what that commits is there before it."""
    store = opened(rooms.made(kind))
    writer, sealer = Side(store.database), Side(store.database)
    writer.driver.begin(writer.raw)
    writer.core.execute(schema.metadata.tables["bereft"].insert(), {"task_id": "early"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "AGAIN_AFTER", ())
        patch.setattr(
            seal,
            "_HASTE",
            {"postgres": "SET LOCAL lock_timeout = '50ms'", "mariadb": "SET lock_wait_timeout = 1"},
        )
        if kind == "sqlite":
            sealer.raw.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(Exception, match=r"(?i)lock"):
            seal.seal(sealer, "x")
    writer.raw.cursor().execute("COMMIT")
    writer.close()
    sealer.close()
    seal.seal(sealer, "x")
    assert sealer.between(schema.metadata.tables["bereft"], None, None) == [("early",)]
    sealer.close()


def test_a_destination_that_was_tampered_with_is_mended(rooms: copies.Rooms) -> None:
    """A row that is not as it was copied is found by its part's checksum, though the count is right."""
    source, destination = rooms.made("sqlite"), rooms.made("sqlite")
    copies.fill(source, 20)
    move = Move(source, destination)
    move.prepare()
    move.copy()
    with destination.engine().connect() as connection:
        connection.exec_driver_sql("UPDATE step SET digest = 'other' WHERE n = 7")
        connection.exec_driver_sql("DELETE FROM event WHERE seq = 3")
    move.cut_over()
    move.close()
    assert move.done.late == 2
    assert copies.unlike(source, destination) == []


def test_a_row_that_cannot_be_kept_is_no_success(
    rooms: copies.Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that differs though it was just written ends the move; the destination stays closed."""
    source, destination = rooms.made("sqlite"), rooms.made("sqlite")
    copies.fill(source, 5)
    put = Side.put

    def bent(one: Side, table: sa.Table, rows: list[Any]) -> None:
        if table.name == "share":
            rows = [(*row[:-1], row[-1] + 1) for row in rows]
        put(one, table, rows)

    monkeypatch.setattr(Side, "put", bent)
    with pytest.raises(CopyDiffers, match="share"):
        moved(source, destination)
    with pytest.raises(NotReady, match="being filled"):
        migrate.ensure(destination)


def test_a_later_run_takes_over(rooms: copies.Rooms) -> None:
    """The earlier one stops at its next write, and after the end no run can write any more."""
    source, destination = rooms.made("sqlite"), rooms.made("sqlite")
    copies.fill(source, 5)
    first = Move(source, destination)
    first.prepare()
    second = Move(source, destination)
    second.prepare()
    with pytest.raises(InvalidInput, match="taken over"):
        first.copy()
    second.copy()
    second.cut_over()
    copies_of = schema.metadata.tables["share"]
    late = passes.Passes(source=second.source, destination=second.destination, marker=second._marker)
    with pytest.raises(InvalidInput, match="taken over"):
        late._transact(copies_of, [("x", "y")], [], room=False)
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ALL)
def test_a_place_that_cannot_be_copied_to_is_refused(kind: str, rooms: copies.Rooms) -> None:
    """Not empty, another revision, the source itself, a copy of something else: with no change to it."""
    source = rooms.made("sqlite")
    copies.fill(source, 2)

    def refused(from_: Database, to: Database, words: str) -> None:
        move = Move(from_, to)
        with pytest.raises(DulyError, match=words):
            move.prepare()
        move.close()

    full = rooms.made(kind)
    copies.fill(full, 1)
    before = copies.rows(full)
    refused(source, full, "is not empty")
    assert copies.rows(full) == before
    refused(source, source, "same database")
    migrate.downgrade(full, "0010")
    refused(source, full, "stands at revision 0010")
    refused(full, rooms.made(kind), "stands at revision 0010")
    refused(Database(rooms.fresh("sqlite")), full, "no tables of Duly")
    half = rooms.made(kind)
    begun = Move(source, half)
    begun.prepare()
    begun.close()
    refused(rooms.made("sqlite"), half, "is being filled from")
    moved(source, half)
    refused(source, half, "it has moved already")
    refused(source, rooms.made(kind), "is sealed: it moved to")


@pytest.mark.services
@pytest.mark.parametrize("kind", servers.KINDS)
def test_one_database_by_two_names_is_one(kind: str, rooms: copies.Rooms) -> None:
    """The mark on the destination is seen in the source."""
    database = rooms.made(kind)
    alias = Database(database.url.replace("127.0.0.1", "localhost"))
    if alias.place == database.place:
        pytest.skip("the server has no second name here")
    move = Move(database, alias)
    with pytest.raises(InvalidInput, match="are the same database"):
        move.prepare()
    move.close()
    migrate.ensure(database)


@pytest.mark.parametrize("kind", ALL)
def test_parts_are_bounded_in_bytes(kind: str, rooms: copies.Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large bodies are read a few at a time, small rows by the thousand."""
    database = rooms.made(kind)
    one, table = Side(database), schema.metadata.tables["task_data"]
    monkeypatch.setattr(side, "PART_BYTES", 10_000)
    with one.writing():
        one.put(table, [("t", "input", number, None, bytes(4000)) for number in range(10)])
        one.put(table, [(f"u{number:03}", "input", 0, "{}", None) for number in range(100)])
    sizes, after, more = [], None, True
    while more:
        found, more = one.part(table, after)
        sizes.append(len(found))
        after = side.key_of(table, found[-1])
    one.close()
    assert sizes[:3] == [3, 3, 3]
    assert sizes[-1] > 50
    assert sum(sizes) == 110


def test_reads_go_on_in_a_sealed_database(rooms: copies.Rooms, opened: Opened) -> None:
    """Lists and single tasks are answered."""
    store = opened(rooms.made("sqlite"))
    id_ = store.submit()
    one = Side(store.database)
    seal.seal(one, "x")
    one.close()
    assert [task.id for task in store.read(lists.page, lists.Filter(), limit=5)] == [id_]
