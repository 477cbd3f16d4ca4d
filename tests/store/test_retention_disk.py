"""A full disk under a SQLite file: nothing can be deleted there without a reserve, and with one all can."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from duly.claim.pruner import EXPIRED, Pruner, Wanted
from duly.model.errors import NotReady
from duly.store import migrate, retention, sqlite
from duly.store.database import Database
from duly.store.reserve import Reserve
from duly.store.retention import Expired
from support import invariants
from support.stores import Store, sqlite_store
from support.tmpfs import fill, small_disk

MEGABYTE = 1_048_576
RESERVE = 2 * MEGABYTE
ALL = Wanted(ended_before=2**60)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 24) as folder:
        yield folder


@pytest.fixture
def full(disk: Path) -> Iterator[Store]:
    """A store that has taken ended tasks until its disk was full, with a reserve beside it."""
    path = disk / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    store = sqlite_store(path)
    assert Reserve(store.database, RESERVE).keep()
    with contextlib.suppress(NotReady):
        while True:
            store.ended(input=f'"{secrets.token_hex(100_000)}"')
    fill(disk)
    yield store
    store.database.close()
    invariants.check(Database(f"sqlite:///{path}"))


def ended(store: Store) -> list[Expired]:
    return list(store.read(retention.expired, 2**62, limit=1000))


class Said(list[str]):
    """The names of what was told."""

    def __call__(self, name: str, /, **fields: Any) -> None:
        self.append(name)


async def test_without_a_reserve_nothing_can_be_deleted(full: Store) -> None:
    """That is what the reserve is for."""
    Reserve(full.database, RESERVE).path.write_bytes(b"")
    fill(Path(full.database.place).parent)
    with pytest.raises(NotReady, match="full"):
        await Pruner(full.database, Reserve(full.database, 0), emit=Said(), wanted=ALL).all()
    assert ended(full)


async def test_with_a_reserve_a_full_disk_is_cleaned(full: Store, disk: Path) -> None:
    """It is released, tasks go, their room goes back to the disk, the reserve is kept anew, work goes on."""
    reserve, said, before = Reserve(full.database, RESERVE), Said(), (disk / "duly.db").stat().st_size
    pruner = Pruner(full.database, reserve, emit=said, wanted=ALL)
    await pruner.all()
    assert said == ["store.reserve_released", "store.pruned"]
    assert pruner.tasks > 50
    assert ended(full) == []
    assert reserve.kept
    assert (disk / "duly.db").stat().st_size < before
    assert full.submit(input=f'"{"x" * 100_000}"')
    assert full.claim()  # this one, or the one under whose hands the disk became full


async def test_what_a_worker_may_not_delete_stays_on_a_full_disk_too(full: Store) -> None:
    """A full disk is no reason to forget what somebody may still ask for."""
    count = len(ended(full))
    await Pruner(full.database, Reserve(full.database, RESERVE), emit=Said(), wanted=EXPIRED).tick()
    assert len(ended(full)) == count


async def test_a_process_that_starts_on_a_full_disk_cleans_it(full: Store, disk: Path) -> None:
    """Even to open the file takes room, so the reserve is released before."""
    full.database.close()
    fill(disk)
    again = Database(full.database.url)
    reserve = Reserve(again, RESERVE)
    assert reserve.short
    reserve.release()
    again.open()
    try:
        await Pruner(again, reserve, emit=Said(), wanted=ALL).all()
    finally:
        again.close()
    assert reserve.kept


def place(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'duly.db'}")
    migrate.ensure(database)
    return database


def test_a_reserve_is_kept_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """Real bytes, no hole; kept again it is left as it is."""
    reserve = Reserve(place(tmp_path), MEGABYTE)
    assert [reserve.keep(), reserve.keep(), reserve.kept] == [True, True, True]
    seen = (tmp_path / "duly.db.reserve").stat()
    assert (seen.st_size, seen.st_mode & 0o777) == (MEGABYTE, 0o600)
    assert seen.st_blocks * 512 >= MEGABYTE


def test_a_reserve_of_nothing_is_none(tmp_path: Path) -> None:
    """And one that was kept before the setting changed goes."""
    database = place(tmp_path)
    Reserve(database, MEGABYTE).keep()
    none = Reserve(database, 0)
    assert not none.keep()
    assert not none.path.exists()
    assert not none.short


def test_a_server_has_no_reserve_beside_it() -> None:
    """Its disk is its administrator's."""
    assert Reserve(Database("postgresql://nobody@127.0.0.1:1/none"), MEGABYTE).size == 0


def test_free_pages_of_a_new_file_can_go_back(tmp_path: Path) -> None:
    """That is decided with its first page; later it takes a VACUUM, for which a full disk has no room."""
    with closing(sqlite.connect(place(tmp_path).driver.path, "WAL")) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
