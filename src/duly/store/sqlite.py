"""Opens SQLite so that a commit is kept: engine gate, file-system probe, WAL + FULL, or DELETE + EXTRA.

Engines before 3.51.3 (except 3.50.7+ and 3.44.6+ of those branches) can lose commits when two connections
checkpoint a WAL at once; they get the rollback journal. Needs no SQLAlchemy: the parent opens it too.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from duly.model.errors import InvalidInput, UnsupportedDatabase
from duly.store.datagrams import Datagrams
from duly.store.driver import Footing, Trouble, moved

try:
    import pysqlite3.dbapi2 as _driver
except ImportError:  # no wheel for this platform: the interpreter's own engine, gated below
    import sqlite3 as _driver

driver: ModuleType = _driver

BUSY_TIMEOUT_MS = 5000
OLDEST = (3, 38, 0)
#: FULL does not wait until a rollback journal is gone for good, and one that a power cut brings back undoes
#: its commit; EXTRA syncs the folder too. In WAL mode the two are the same.
_JOURNALS = {
    "WAL": ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"),
    "DELETE": ("PRAGMA journal_mode = DELETE", "PRAGMA synchronous = EXTRA"),
}
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "apfs", "bcachefs"}
)
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre"}
)


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///…` URL.

    Raises:
        UnsupportedDatabase: another kind of database, or one in memory.
    """
    scheme, _, rest = url.partition(":///")
    if scheme.split("+")[0] != "sqlite":
        raise UnsupportedDatabase(
            f"DULY_DATABASE_URL: {scheme.split(':')[0]!r} is no SQLite URL; write sqlite:///path"
        )
    if not rest or rest.startswith(":memory:"):
        raise UnsupportedDatabase("DULY_DATABASE_URL needs a file: a database in memory promises nothing")
    return Path(unquote(rest)).expanduser()


class Sqlite:
    """One SQLite file, as `store.driver` asks."""

    dialect = "sqlite"
    core_url = "sqlite+pysqlite://"
    module = driver

    def __init__(self, url: str) -> None:
        self.path = sqlite_path(url)
        self.place = str(self.path)

    @cached_property
    def footing(self) -> Footing:
        """How the file is opened; looked at once."""
        if not self.path.parent.is_dir():
            raise UnsupportedDatabase(f"there is no folder {self.path.parent} for the database")
        return examine(self.path)

    def examine(self) -> Footing:
        """The footing, looked at again."""
        self.__dict__.pop("footing", None)
        return self.footing

    def exists(self) -> bool:
        return self.path.exists()

    def connect(self, *, read_only: bool = False, patience: float | None = None) -> Any:
        return connect(self.path, self.footing.journal, read_only=read_only, patience=patience)

    def begin(self, connection: Any, *, read_only: bool = False) -> None:
        """Takes the write lock unless read-only: a transaction that reads first could not get it later."""
        connection.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.in_transaction)

    def now(self, _connection: Any) -> None:
        return None

    def join(self, connection: Any) -> Any:
        if not isinstance(
            connection, driver.Connection
        ):  # its close() would drop our library's locks (POSIX)
            raise InvalidInput(
                f"submit_in needs a connection of {driver.__name__}, the SQLite that Duly has open: "
                "two SQLite libraries in one process lose each other's locks"
            )
        if not connection.in_transaction:
            raise InvalidInput(
                "submit_in needs a connection inside a transaction: execute BEGIN IMMEDIATE first"
            )
        return connection.cursor()

    def trouble(self, error: BaseException) -> Trouble:
        if isinstance(error, driver.ProgrammingError) and "closed database" in str(error):
            return Trouble.LOST  # and no other could be opened
        if not isinstance(error, driver.OperationalError):
            return Trouble.REFUSED if moved(error) is None else Trouble.BUSY
        # What a connection opened to read only stays so when the disk can be written again.
        return Trouble.WORN if "readonly database" in str(error) else Trouble.BUSY

    def foreign_commits(self, connection: Any) -> int:
        return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def hints(self, heard: Callable[[], None]) -> Datagrams:
        return Datagrams(self.path, heard)

    def line(self) -> None:
        return None

    def lock_schema(self, cursor: Any) -> None:
        cursor.execute("BEGIN IMMEDIATE")


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


def connect(path: Path, journal: str, *, read_only: bool = False, patience: float | None = None) -> Any:
    """A DB-API connection in autocommit; transactions are begun by hand, with BEGIN IMMEDIATE."""
    _make_private(path)
    timeout = BUSY_TIMEOUT_MS / 1000 if patience is None else patience
    connection = driver.connect(str(path), timeout=timeout, isolation_level=None, check_same_thread=False)
    if not path.stat().st_size:  # later it would take a VACUUM: free pages can go back to the disk
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in _JOURNALS[journal]:
        connection.execute(pragma)
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
