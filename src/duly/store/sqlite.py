"""Opens SQLite so that a commit is kept: engine gate, file-system probe, WAL + FULL, or DELETE + FULL.

Engines before 3.51.3 (except 3.50.7+ and 3.44.6+ of those branches) can lose commits when two connections
checkpoint a WAL at once; they get the rollback journal. Needs no SQLAlchemy: the parent opens it too.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from duly.model.errors import UnsupportedDatabase

try:
    import pysqlite3.dbapi2 as _driver
except ImportError:  # no wheel for this platform: the interpreter's own engine, gated below
    import sqlite3 as _driver

driver: ModuleType = _driver

BUSY_TIMEOUT_MS = 5000
OLDEST = (3, 38, 0)
_JOURNALS = {"WAL": "PRAGMA journal_mode = WAL", "DELETE": "PRAGMA journal_mode = DELETE"}
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "apfs", "bcachefs"}
)
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """How one SQLite file is opened, and what a user should know about it."""

    journal: str
    engine: str
    file_system: str
    warnings: tuple[str, ...] = ()


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this engine keeps all commits when two connections checkpoint one WAL."""
    branches = {(3, 44): 6, (3, 50): 7}
    return version >= (3, 51, 3) or version[2] >= branches.get(version[:2], 1_000)


def examine(path: Path, version: tuple[int, int, int] | None = None) -> Footing:
    """Decides how to open `path`.

    Raises:
        UnsupportedDatabase: the engine is too old, or the file lies on a network file system.
    """
    version = version or driver.sqlite_version_info
    engine = ".".join(map(str, version))
    if version < OLDEST:
        raise UnsupportedDatabase(
            f"SQLite {engine} is too old; Duly needs 3.38 or later (pip install pysqlite3)"
        )
    kind = file_system(path.parent)
    if kind in _NETWORK:
        raise UnsupportedDatabase(f"{path} lies on {kind}; SQLite needs a local disk, or use PostgreSQL")
    warnings = []
    if kind == "tmpfs":
        warnings.append(f"{path} lies in memory (tmpfs): a restart of the machine loses it")
    journal = "WAL"
    if not wal_is_safe(version):
        journal = "DELETE"
        warnings.append(f"SQLite {engine} can lose commits in WAL mode; using the slower rollback journal")
    elif kind not in _LOCAL and not _probe(path.parent):
        journal = "DELETE"
        warnings.append(
            f"the file system {kind!r} of {path} fails the lock probe; using the rollback journal"
        )
    return Footing(journal=journal, engine=engine, file_system=kind, warnings=tuple(warnings))


def connect(path: Path, journal: str, *, read_only: bool = False) -> Any:
    """A DB-API connection in autocommit; transactions are begun by hand, with BEGIN IMMEDIATE."""
    _make_private(path)
    connection = driver.connect(
        str(path), timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    connection.execute(_JOURNALS[journal])
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _make_private(path: Path) -> None:
    """A new file can be read by its owner only: it holds inputs, results and uploads. Its WAL follows it."""
    with contextlib.suppress(OSError):  # it is there already, or the driver says what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`; `unknown` where the platform does not say."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    target = str(folder.resolve())
    for line in mounts.read_text("utf-8", "replace").splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4].replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, right.split()[0])
    return best[1]


_PROBE = """
import sys
from duly.store.sqlite import driver
connection = driver.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
except driver.OperationalError:
    print("locked", connection.execute("SELECT x FROM probe").fetchone()[0])
"""


def _probe(folder: Path) -> bool:
    """Whether locks and the WAL hold between two processes in `folder`."""
    try:
        with tempfile.TemporaryDirectory(prefix=".duly-probe-", dir=folder) as room:
            return _probe_file(Path(room) / "probe.db")
    except (driver.Error, OSError, subprocess.SubprocessError):
        return False


def _probe_file(path: Path) -> bool:
    connection = driver.connect(str(path), isolation_level=None)
    try:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            return False
        connection.execute("CREATE TABLE probe (x)")
        connection.execute("INSERT INTO probe VALUES (7)")
        connection.execute("BEGIN IMMEDIATE")
        answer = subprocess.run(  # noqa: S603 - our own interpreter, our own text
            [sys.executable, "-c", _PROBE, str(path)], capture_output=True, text=True, timeout=20, check=False
        )
        return answer.stdout.split() == ["locked", "7"]
    finally:
        connection.close()
