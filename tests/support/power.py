"""Power cuts under the store's own verbs: load on a disk that forgets, a cut at random, and what is left.

The SQL files, the verbs and the pragmas are the product's; only the engine below the cursor is apsw's, for
its VFS. One seed is one cut: load, moment and what the disk keeps all come from it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import apsw

from duly.store import sqlite
from duly.store.database import Database
from duly.store.transaction import Terms, Transaction
from duly.testing import FakeClock
from support import invariants
from support.disk import Disk, DiskVFS, PowerCut, seeded
from support.load import Load

NAME = "duly.db"
#: The cut comes within so many operations of the disk.
OPERATIONS = 4_000
#: In pages. SQLite's 1000 would bring a checkpoint too seldom for a cut to fall into one.
CHECKPOINTS = (
    "PRAGMA wal_autocheckpoint = 10",
    "PRAGMA wal_autocheckpoint = 60",
    "PRAGMA wal_autocheckpoint = 300",
)
#: All that is kept about some tasks, the task's id in front.
KEPT = (
    "SELECT id, * FROM task WHERE id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM task_data WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM task_tag WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM attempt WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM step WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM event WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM partial WHERE task_id IN (SELECT value FROM json_each(?))",
    "SELECT task_id, * FROM delivery WHERE task_id IN (SELECT value FROM json_each(?))",
)

Rows = list[tuple[Any, ...]]
#: Per task all its rows, of every table.
Books = dict[str, Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """A journal of `sqlite.connect`, and perhaps another `synchronous` than it chooses."""

    journal: str
    synchronous: str = ""


WRITE_AHEAD = Footing(journal="WAL")
ROLLBACK = Footing(journal="DELETE")
#: Controls, a pragma weaker: they must lose what was acknowledged, or the test sees nothing.
CARELESS = Footing(journal="WAL", synchronous="PRAGMA synchronous = NORMAL")
CARELESS_ROLLBACK = Footing(journal="DELETE", synchronous="PRAGMA synchronous = FULL")
#: This one must break the file itself.
RECKLESS = Footing(journal="WAL", synchronous="PRAGMA synchronous = OFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One cut and what it left; `lost` and `wrong` are in words."""

    seed: int
    interrupted: str
    commits: int
    acknowledged: int
    lost: list[str]
    wrong: list[str]

    def __str__(self) -> str:
        found = "; ".join([*self.lost, *self.wrong]) or "nothing is missing"
        return f"seed {self.seed}, cut in {self.interrupted!r} after {self.commits} commits: {found}"


class Cursor:
    """An apsw cursor as `Transaction` wants it: DB-API's `description` is there also when no row is."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.description: Any = None
        self._cursor = connection.cursor()
        self._cursor.exec_trace = self._describe

    def _describe(self, cursor: apsw.Cursor, operation: str, parameters: Any) -> bool:
        self.description = cursor.get_description() or None
        return True

    def execute(self, operation: str, parameters: Any = None) -> Cursor:
        self._cursor.execute(operation, parameters)
        return self

    def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(operation, parameters)

    def fetchall(self) -> Rows:
        return self._cursor.fetchall()


class Driver:
    """Stands in for the DB-API module of `sqlite.connect`, so that the pragmas are the product's own."""

    def __init__(self, vfs: str) -> None:
        self._vfs = vfs
        self.connection: apsw.Connection

    def connect(self, path: str, **_: Any) -> Cursor:
        self.connection = apsw.Connection(path, vfs=self._vfs)
        return Cursor(self.connection)


def connect(vfs: DiskVFS, path: Path, footing: Footing) -> apsw.Connection:
    """The file on the disk, opened by the product's own function."""
    driver = Driver(vfs.name)
    with mock.patch.object(sqlite, "driver", driver):
        sqlite.connect(path, footing.journal)
    if footing.synchronous:
        driver.connection.execute(footing.synchronous)
    return driver.connection


def books(execute: Callable[..., Any], ids: Sequence[str]) -> Books:
    """What a database holds about these tasks."""
    found: Books = {}
    for query in KEPT:
        for id_, *row in execute(query, (json.dumps(ids),)).fetchall():
            found.setdefault(id_, []).append(tuple(row))
    return {id_: sorted(rows, key=repr) for id_, rows in found.items()}


class Machine:
    """A computer under load until its power goes. It knows what was acknowledged, and what was in doubt."""

    def __init__(self, die: random.Random, disk: Disk, footing: Footing) -> None:
        self._die = die
        self._disk = disk
        self._footing = footing
        self._vfs = DiskVFS(disk)
        self._clock = FakeClock()
        self._load = Load(die)
        self._checkpoint = die.choice(CHECKPOINTS)
        self._connections: list[apsw.Connection] = []
        self.commits = 0
        self.acknowledged: Books = {}
        self.in_doubt: Books = {}

    def run(self) -> None:
        """Works until the power goes; whichever way SQLite tells of that, it is the end."""
        try:
            self._start()
            self._transact(first=True)
            while True:
                self._transact()
                self._read_along()
                if self._die.random() < 0.03:
                    self._stop()
                    self._start()
        except (PowerCut, apsw.Error):
            if not self._disk.off:
                raise
        finally:
            with contextlib.suppress(PowerCut, apsw.Error):
                self._stop()

    def _start(self) -> None:
        for _ in ("writer", "reader"):
            connection = connect(self._vfs, self._disk.folder / NAME, self._footing)
            connection.execute(self._checkpoint)
            self._connections.append(connection)

    def _stop(self) -> None:
        while self._connections:
            self._connections.pop().close()

    def _read_along(self) -> None:
        """A reader keeps its view for a while, so that checkpoints stop halfway and the WAL grows on."""
        if self._footing.journal == "WAL" and self._die.random() < 0.3:  # elsewhere commits would wait for it
            _, reader = self._connections
            reader.execute("COMMIT" if reader.in_transaction else "BEGIN")
            reader.execute("SELECT count(*) FROM task").fetchall()

    def _transact(self, *, first: bool = False) -> None:
        """One group, as the writer commits it; acknowledged when COMMIT has returned."""
        self._clock.advance(self._die.uniform(0.01, 2))
        cursor = Cursor(self._connections[0])
        cursor.execute("BEGIN IMMEDIATE")
        tx = Transaction(cursor, self._clock.now_ms(), terms=Terms())
        if first:
            self._load.begin(tx)
        touched = self._load.group(tx)
        self.in_doubt = books(cursor.execute, touched)
        cursor.execute("COMMIT")
        if self._disk.off:  # SQLite keeps what happens in a checkpoint after the commit to itself
            raise PowerCut
        self.commits += 1
        self.acknowledged |= self.in_doubt
        self.in_doubt = {}


def cut(blank: Path, seed: int, footing: Footing) -> Outcome:
    """One power cut: load on a copy of `blank`, and what an ordinary connection finds afterwards."""
    die = seeded(seed)
    with tempfile.TemporaryDirectory(prefix="duly-power-") as room, _seeded_ids(die):
        before, after = Path(room) / "before", Path(room) / "after"
        before.mkdir()
        after.mkdir()
        shutil.copy(blank, before / NAME)
        disk = Disk(before, die.randint(1, OPERATIONS), at_barrier=die.random() < 0.3)
        machine = Machine(die, disk, footing)
        machine.run()
        disk.after_the_cut(die, after)
        lost, wrong = judge(after / NAME, footing, machine)
        return Outcome(
            seed=seed,
            interrupted=disk.interrupted,
            commits=machine.commits,
            acknowledged=len(machine.acknowledged),
            lost=lost,
            wrong=wrong,
        )


@contextlib.contextmanager
def _seeded_ids(die: random.Random) -> Iterator[None]:
    """Ids that ascend like UUIDv7s and come from the seed."""
    numbers = itertools.count(1)
    ids = (uuid.UUID(int=number << 80 | die.getrandbits(64)) for number in numbers)
    with mock.patch("uuid_utils.uuid7", ids.__next__):
        yield


def judge(path: Path, footing: Footing, machine: Machine) -> tuple[list[str], list[str]]:
    """What of the acknowledged is lost, and what else is wrong with the file, after an ordinary start."""
    try:
        with contextlib.closing(sqlite.connect(path, footing.journal)) as connection:
            wrong = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
            if wrong:
                return [], wrong
            wrong = [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
            ids = [id_ for (id_,) in connection.execute("SELECT id FROM task")]
            found = books(connection.execute, ids)
        invariants.check(Database(f"sqlite:///{path}"))
    except (sqlite.driver.Error, AssertionError) as error:
        return [], [repr(error)]
    return missing(found, machine), [*wrong, *halves(found, machine)]


def missing(found: Books, machine: Machine) -> list[str]:
    """Acknowledged tasks that are not there as acknowledged, nor as the commit under way would have them."""
    return [
        f"task {id_} is {'older than acknowledged' if id_ in found else 'gone'}"
        for id_, rows in machine.acknowledged.items()
        if found.get(id_) not in (rows, machine.in_doubt.get(id_, rows))
    ]


def halves(found: Books, machine: Machine) -> list[str]:
    """Traces of work that nobody asked for, and of a commit under way of which only a part is there."""
    strangers = found.keys() - machine.acknowledged.keys() - machine.in_doubt.keys()
    doubt = {id_: rows for id_, rows in machine.in_doubt.items() if machine.acknowledged.get(id_) != rows}
    there = [id_ for id_, rows in doubt.items() if found.get(id_) == rows]
    half = [] if len(there) in (0, len(doubt)) else [f"{len(there)} of {len(doubt)} of a commit are there"]
    return [*half, *(f"task {id_} comes from nowhere" for id_ in sorted(strangers))]
