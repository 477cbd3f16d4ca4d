"""On what footing a SQLite file is opened: engine, file system, and what is said about it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from duly.model.errors import UnsupportedDatabase
from duly.store import sqlite
from duly.store.database import Database
from duly.store.sqlite import sqlite_path
from support.stores import Store

LOCAL = (3, 53, 0)


def on(monkeypatch: pytest.MonkeyPatch, kind: str, probe: bool | None = None) -> None:
    """Pretends that every folder lies on this kind of file system, and says what the probe would find."""
    monkeypatch.setattr(sqlite, "file_system", lambda folder: kind)
    if probe is not None:
        monkeypatch.setattr(sqlite, "_probe", lambda folder: probe)


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 38, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 46, 1), False),
        ((3, 49, 9), False),
        ((3, 50, 4), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((3, 53, 4), True),
        ((4, 0, 0), True),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_only_mended_engines_get_a_wal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: tuple[int, int, int], safe: bool
) -> None:
    """Engines that can lose commits when two connections checkpoint get the rollback journal; it is said."""
    on(monkeypatch, "ext4")
    footing = sqlite.examine(tmp_path / "a.db", version)
    assert footing.journal == ("WAL" if safe else "DELETE")
    assert any("can lose commits" in warning for warning in footing.warnings) is not safe


def test_the_engine_of_this_installation_is_a_mended_one() -> None:
    """The driver that the lock file pins is good for a WAL."""
    assert sqlite.wal_is_safe(sqlite.driver.sqlite_version_info)


@pytest.mark.parametrize("version", [(3, 37, 2), (3, 31, 1), (2, 8, 17)])
def test_an_engine_that_is_too_old_is_refused(tmp_path: Path, version: tuple[int, int, int]) -> None:
    """It lacks the SQL that the verbs are written in; the message says what to do."""
    with pytest.raises(UnsupportedDatabase, match="pip install pysqlite3"):
        sqlite.examine(tmp_path / "a.db", version)


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs"]
)
def test_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    """Locks over a network are not locks."""
    on(monkeypatch, kind)
    with pytest.raises(UnsupportedDatabase, match=kind):
        sqlite.examine(tmp_path / "a.db", LOCAL)


@pytest.mark.parametrize(("probe", "journal"), [(True, "WAL"), (False, "DELETE")])
def test_an_unknown_file_system_must_pass_a_probe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, probe: bool, journal: str
) -> None:
    """If it fails, the rollback journal is used and the user is told."""
    on(monkeypatch, "fuse.strange", probe)
    footing = sqlite.examine(tmp_path / "a.db", LOCAL)
    assert footing.journal == journal
    assert bool(footing.warnings) is not probe


def test_a_local_file_system_needs_no_probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It would cost a process at each start."""
    on(monkeypatch, "ext4", probe=False)
    footing = sqlite.examine(tmp_path / "a.db", LOCAL)
    assert (footing.journal, footing.warnings) == ("WAL", ())


def test_a_file_in_memory_is_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A restart of the machine would lose it; that is the user's decision, not an accident."""
    on(monkeypatch, "tmpfs")
    footing = sqlite.examine(tmp_path / "a.db", LOCAL)
    assert footing.journal == "WAL"
    assert "tmpfs" in footing.warnings[0]


def test_a_warning_is_emitted_when_the_database_opens(
    monkeypatch: pytest.MonkeyPatch, blank: Path, tmp_path: Path
) -> None:
    """Once per opening, as an event that the log shows."""
    on(monkeypatch, "tmpfs")
    heard: list[str] = []
    path = shutil.copy(blank, tmp_path / "duly.db")
    database = Database(
        f"sqlite:///{path}", emit=lambda name, /, **fields: heard.append(f"{name} {fields.get('message')}")
    )
    database.open()
    database.close()
    assert [line for line in heard if line.startswith("store.warning") and "tmpfs" in line] == heard[:1]


def test_the_probe_passes_on_this_machine(tmp_path: Path) -> None:
    """Two processes, one lock, one WAL; and nothing is left behind."""
    assert sqlite._probe(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_probes_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A parent and its child start at once: each probe has a folder of its own."""
    inner: list[bool] = []

    def second(*args: object, **kwargs: object) -> SimpleNamespace:
        monkeypatch.undo()
        inner.append(sqlite._probe(tmp_path))
        return SimpleNamespace(stdout="locked 7")

    monkeypatch.setattr(sqlite.subprocess, "run", second)
    assert sqlite._probe(tmp_path)
    assert inner == [True]


@pytest.mark.parametrize("answer", ["", "locked 0", "open"], ids=["silent", "stale", "no lock"])
def test_a_probe_that_finds_something_else_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str
) -> None:
    """Only `held the lock, saw the row` counts."""
    monkeypatch.setattr(sqlite.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=answer))
    assert not sqlite._probe(tmp_path)


@pytest.mark.parametrize("error", [OSError("no process"), subprocess.TimeoutExpired("probe", 20)])
def test_a_probe_that_cannot_be_made_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    """No answer is not a good answer."""

    def unable(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(sqlite.subprocess, "run", unable)
    assert not sqlite._probe(tmp_path)


def test_a_probe_in_a_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    """It answers, it does not raise."""
    assert not sqlite._probe(tmp_path / "missing")


MOUNTS = """\
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:25 / /data rw shared:1 - nfs4 server:/x rw
31 30 0:26 / /data/local rw - xfs /dev/vdb rw
32 22 0:27 / /with\\040space rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ann", "ext4"),
        ("/data", "nfs4"),
        ("/data/x", "nfs4"),
        ("/database", "ext4"),
        ("/data/local/y", "xfs"),
        ("/with space/z", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    monkeypatch: pytest.MonkeyPatch, folder: str, kind: str
) -> None:
    """A mount inside a mount wins, and a name that only begins alike does not."""
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(Path, "read_text", lambda self, *_: MOUNTS)
    monkeypatch.setattr(Path, "resolve", lambda self: self)
    assert sqlite.file_system(Path(folder)) == kind


@pytest.mark.only("wal", "rollback")
def test_every_connection_is_durable(store: Store) -> None:
    """The journal of the footing and its care, foreign keys on, no mapped memory: on all connections."""
    journal = store.database.footing.journal

    def pragmas(tx: object) -> list[object]:
        words = ("journal_mode", "synchronous", "foreign_keys", "mmap_size")
        return [tx.core.exec_driver_sql(f"PRAGMA {word}").scalar() for word in words]  # type: ignore[attr-defined]

    expected = [journal.lower(), 2 if journal == "WAL" else 3, 1, 0]
    assert store.read(pragmas) == expected
    assert store.write(lambda tx, _: [pragmas(tx)], None) == [expected]


@pytest.mark.only("wal", "rollback")
def test_readers_cannot_write(store: Store) -> None:
    """A view that tries is refused by the engine."""
    with pytest.raises(Exception, match="attempt to write a readonly database"):
        store.read(lambda tx: tx.run("session_end", ["w1"]))


@pytest.mark.only("wal", "rollback")
def test_a_connection_that_can_only_read_is_replaced(store: Store) -> None:
    """As one that was opened while the disk was read-only: it stays so when the disk can be written again."""
    store.database._writer._connection._raw.execute("PRAGMA query_only = ON")  # type: ignore[union-attr]
    with pytest.raises(Exception, match="attempt to write a readonly database"):
        store.submit()
    store.submit()


@pytest.mark.parametrize(
    "url", ["postgresql://host/db", "mysql+pymysql://h/db", "sqlite://", "sqlite:///:memory:", "nonsense", ""]
)
def test_what_is_not_a_file_is_refused(url: str) -> None:
    """With the name of the setting in the message."""
    with pytest.raises(UnsupportedDatabase, match="DULY_DATABASE_URL"):
        sqlite_path(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///duly.db", "duly.db"),
        ("sqlite:////var/lib/duly.db", "/var/lib/duly.db"),
        ("sqlite+pysqlite:///a.db", "a.db"),
        ("sqlite:///with%20space.db", "with space.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    """As SQLAlchemy reads it."""
    assert sqlite_path(url) == Path(path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """Not made: a slip in the path must not begin a second, empty database."""
    with pytest.raises(UnsupportedDatabase, match="no folder"):
        Database(f"sqlite:///{tmp_path / 'missing' / 'duly.db'}").open()
