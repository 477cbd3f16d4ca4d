"""Makes the tables of a destination like those of a source, in parts of some thousand rows each.

`append` copies what lies behind the destination's last key; `reconcile` compares all, by a checksum for each
part, and mends what differs: rows that changed, came or went since they were copied.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from duly.model.errors import CopyDiffers
from duly.store.copying.marker import Marker
from duly.store.copying.side import Key, Row, Side, key_of, persistently

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Count:
    """What a pass has done with one table; `checksum` is that of its rows, in the order of their keys."""

    rows: int = 0
    size: int = 0
    written: int = 0
    removed: int = 0
    checksum: str = ""
    _hash: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, rows: list[Row], digest: tuple[int, bytes]) -> None:
        """A part that is alike on both sides."""
        self.rows += len(rows)
        self.size += digest[0]
        self._hash.update(digest[1])
        self.checksum = self._hash.hexdigest()


def digest(rows: list[Row]) -> tuple[int, bytes]:
    """How many bytes rows are, about, and their checksum: the same for the same rows of any database."""
    whole = marshal.dumps(rows, 2)
    return len(whole), hashlib.blake2b(whole, digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Rows of the source, and between which keys they are all; None: from the first, to the last."""

    table: sa.Table
    after: Key | None
    upto: Key | None
    rows: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Between two databases; `told` is called after each part, with the table and its count so far."""

    source: Side
    destination: Side
    marker: Marker
    told: Callable[[str, Count], None] = lambda *_: None

    def append(self, table: sa.Table) -> Count:
        """Copies the rows behind the destination's last key: so one that was cut off goes on. Up to the last
        one of now: a source that accepts more than can be copied must not hold it for ever."""
        count = Count()
        end = self._surely(self.source.last_key, table)
        after = self._surely(self.destination.last_key, table)
        more = end is not None
        while more:
            rows, more = self._surely(self.source.part, table, after)
            self._surely(self._write, table, [], rows)
            if rows:
                after = key_of(table, rows[-1])
                more = more and (end is None or after < end)
            count.add(rows, digest(rows))
            count.written += len(rows)
            self.told(table.name, count)
        return count

    def reconcile(self, table: sa.Table, *, exact: bool = False) -> Count:
        """Compares all rows and mends what differs; `exact`: the source stands still, so it must be alike.

        Raises:
            CopyDiffers: a part that was just mended is not alike.
        """
        count, after, more = Count(), None, True
        end = None if exact else self._surely(self.source.last_key, table)
        while more:
            rows, more = self._surely(self.source.part, table, after)
            upto = key_of(table, rows[-1]) if more else None
            part = _Part(table=table, after=after, upto=upto, rows=rows)
            self._surely(self._mend, part, count, exact)
            after = upto
            more = more and (end is None or upto is None or upto < end)
            self.told(table.name, count)
        return count

    def _mend(self, part: _Part, count: Count, exact: bool) -> None:
        table, meant = part.table, digest(part.rows)
        there = self.destination.between(table, part.after, part.upto)
        if digest(there)[1] != meant[1]:
            ours = {key_of(table, row): row for row in part.rows}
            theirs = {key_of(table, row): row for row in there}
            stale = [key for key, row in theirs.items() if ours.get(key) != row]
            wanting = [row for key, row in ours.items() if theirs.get(key) != row]
            self._write(table, stale, wanting)
            count.written += len(wanting)
            count.removed += sum(key not in ours for key in stale)
            if exact and digest(self.destination.between(table, part.after, part.upto))[1] != meant[1]:
                raise CopyDiffers(
                    f"{table.name}: rows differ once they are written; does somebody else write?"
                )
        count.add(part.rows, meant)

    def _write(self, table: sa.Table, stale: Sequence[Key], rows: Sequence[Row]) -> None:
        """One transaction; the second try makes room for unique values that stale rows still hold."""
        if not stale and not rows:
            return
        try:
            self._transact(table, stale, rows, room=False)
        except Exception as error:
            cause = getattr(error, "orig", None) or error
            if not isinstance(cause, self.destination.driver.module.IntegrityError):
                raise
            self._transact(table, stale, rows, room=True)

    def _transact(self, table: sa.Table, stale: Sequence[Key], rows: Sequence[Row], *, room: bool) -> None:
        with self.destination.writing():
            self.marker.hold(self.destination)
            self.destination.remove(table, stale)
            if room:
                keys = [key_of(table, row) for row in rows]
                self.destination.remove(
                    table, keys
                )  # a part whose commit was kept though its answer was lost
                self.destination.make_room(table, rows)
            self.destination.put(table, rows)

    def _surely(self, work: Callable[..., T], *arguments: Any) -> T:
        return persistently((self.source, self.destination), lambda: work(*arguments))
