"""A disk whose power can be cut, under a real SQLite: an apsw VFS that knows what a sync has made durable.

SQLite reads and writes ordinary files; beside them the disk keeps, per file, the bytes of its last sync and
the writes since, and the same of the folder's names. After a cut, what no sync had made durable is there,
gone, or there in part, as a seeded die decides: each sector, for itself, shows a moment since the last sync.

Assumed: a sync is honest, a sector of 512 or 4096 bytes is written whole or not at all, what was synced does
not rot, and a write leaves its neighbours alone (SQLite's "powersafe overwrite", its default on Unix).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTORS = (512, 4096)
#: How much of what was not synced one file keeps: nothing, all, or each sector for itself.
MOODS = ("nothing", "everything", "sectors", "sectors")
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


def seeded(seed: object) -> random.Random:
    """A die that falls the same way for the same seed."""
    return random.Random(str(seed))  # noqa: S311 - shakes a disk, hides nothing


class PowerCut(Exception):
    """The power is off: nothing is written any more, and nobody hears of a commit."""


@dataclass(slots=True)
class File:
    """What a sync has made durable, and the writes since as (offset, bytes, size of the file after it)."""

    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The file's length as the running system sees it."""
        return self.unsynced[-1][2] if self.unsynced else len(self.durable)

    def write(self, offset: int, data: bytes) -> None:
        self.unsynced.append((offset, data, max(self.size, offset + len(data))))

    def truncate(self, size: int) -> None:
        """What is cut off reads as zeros, should the file grow again."""
        self.unsynced.append((size, bytes(max(0, self.size - size)), size))

    def sync(self) -> None:
        for offset, data, size in self.unsynced:
            self.durable.extend(bytes(max(0, size - len(self.durable))))
            self.durable[offset : offset + len(data)] = data
            del self.durable[size:]
        self.unsynced.clear()

    def after_the_cut(self, die: random.Random) -> bytes:
        """One state in which the disk may show this file.

        The length is one that the file had since the last sync; new room that no write reached holds zeros
        or noise; each sector holds its first writes since then, from none to all, whatever the others hold.
        """
        sector, keep = die.choice(SECTORS), _keeper(die)
        sizes = [len(self.durable), *(size for _, _, size in self.unsynced)]
        size = sizes[keep(len(sizes) - 1)]
        image = bytearray(die.randbytes(size) if die.random() < 0.5 else size)
        image[: len(self.durable)] = self.durable[:size]
        writes: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for offset, data, _ in self.unsynced:
            for number, start, piece in _pieces(offset, data, sector):
                writes[number].append((start, piece))
        for number in sorted(writes):
            for start, piece in writes[number][: keep(len(writes[number]))]:
                image[start : start + len(piece)] = piece
        return bytes(image[:size])


def _keeper(die: random.Random) -> Callable[[int], int]:
    """A way to say how many of so many writes are kept."""
    match die.choice(MOODS):
        case "nothing":
            return lambda count: 0
        case "everything":
            return lambda count: count
    return lambda count: die.randint(0, count)


def _pieces(offset: int, data: bytes, sector: int) -> Iterator[tuple[int, int, bytes]]:
    """A write as (number of the sector, offset in the file, bytes)."""
    end = offset + len(data)
    for number in range(offset // sector, -(-end // sector)):
        start, stop = max(offset, number * sector), min(end, (number + 1) * sector)
        yield number, start, data[start - offset : stop - offset]


class Disk:
    """One folder's files; the power goes at the operation number `cut_at`, counted from 1.

    `at_barrier` waits from there for the next operation that is not a write: few are, and much hangs on them.
    """

    def __init__(self, folder: Path, cut_at: int, *, at_barrier: bool = False) -> None:
        self.folder = folder
        self._left = cut_at
        self._at_barrier = at_barrier
        #: What the power cut interrupted, as "sync duly.db-wal"; empty while it is on.
        self.interrupted = ""
        #: Per name what it stood for at the folder's last sync and after each change since; None: no file.
        self._names: dict[str, list[File | None]] = {
            path.name: [File(bytearray(path.read_bytes()))] for path in folder.iterdir()
        }

    @property
    def off(self) -> bool:
        """Whether the power is gone."""
        return self.interrupted != ""

    def operation(self, what: str) -> None:
        """Counts one; raises PowerCut when it is the last, or when the power is gone already."""
        self._left -= 1
        if self._left <= 0 and not self.off and not (self._at_barrier and what.startswith("write")):
            self.interrupted = what
        if self.off:
            raise PowerCut(self.interrupted)

    def open(self, name: str) -> File:
        """The file of this name, made if need be."""
        history = self._names.setdefault(name, [None])
        if history[-1] is None:
            history.append(File())
            self.operation(f"create {name}")
        file = history[-1]
        assert file is not None
        return file

    def delete(self, name: str) -> None:
        self._names[name].append(None)
        self.operation(f"delete {name}")

    def sync_folder(self) -> None:
        self._names = {name: history[-1:] for name, history in self._names.items()}

    def after_the_cut(self, die: random.Random, folder: Path) -> None:
        """Writes what the disk may show after the cut into another folder."""
        for name, history in sorted(self._names.items()):
            file = die.choice(history)
            if file is not None:
                (folder / name).write_bytes(file.after_the_cut(die))


class _Quiet:
    """After a cut SQLite tidies up and meets the cut again; that is no news."""

    def excepthook(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, PowerCut):
            super().excepthook(kind, error, trace)  # type: ignore[misc]


class DiskFile(_Quiet, apsw.VFSFile):
    """An open file: a write goes to the real one and into the disk's books, a sync into the books only."""

    def __init__(self, disk: Disk, path: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk = disk
        self._name = Path(path.filename() if isinstance(path, apsw.URIFilename) else path).name
        self._file = disk.open(self._name)
        # As SQLite on Unix does: the first sync of a journal that may be new syncs the folder too.
        self._syncs_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _JOURNALS)
        super().__init__("", path, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._file.write(offset, bytes(data))
        self._disk.operation(f"write {self._name}")
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        self._file.truncate(newsize)
        self._disk.operation(f"truncate {self._name}")
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self._disk.operation(f"sync {self._name}")
        self._file.sync()
        if self._syncs_folder:
            self._disk.sync_folder()
            self._syncs_folder = False


class DiskVFS(_Quiet, apsw.VFS):
    """SQLite's way to a disk; open a connection with `vfs=disk_vfs.name`. Temporary files pass by."""

    def __init__(self, disk: Disk) -> None:
        self.name = f"disk-{id(disk)}"
        self._disk = disk
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return apsw.VFSFile("", name, flags) if name is None else DiskFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        super().xDelete(filename, False)
        self._disk.delete(Path(filename).name)
        if syncdir:
            self._disk.sync_folder()
