"""The whole way from one database to another: copy, keep up, seal the source, mend the rest, open.

A run that was killed, wherever, is started again with the same command: what is there already is compared and
not copied again, and a source that was sealed stays so until the destination is open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uuid_utils

from duly.failpoints import failpoint
from duly.model.errors import InvalidInput, NotReady
from duly.model.state import Status
from duly.store import migrate, schema, sessions
from duly.store.claims import Finish, finish, give_back
from duly.store.copying import marker, seal
from duly.store.copying.passes import Count, Passes
from duly.store.copying.side import Side, persistently, tables
from duly.store.database import Database
from duly.store.driver import transaction
from duly.store.transaction import Transaction

HAND_BACK_BATCH = 500
#: Before the seal all is compared until a pass finds so few rows to write; not more often than this.
NEAR_ROWS, NEAR_PASSES = 1000, 3

_SEQUENCE = sa.text("SELECT setval(pg_get_serial_sequence('notification', 'id'), :last)")

Told = Callable[[str, str, int], None]


@dataclass(slots=True, kw_only=True)
class Moved:
    """What a run has done; `tables`: rows and checksum of each, alike on both sides when it was sealed."""

    rows: int = 0
    bytes: int = 0
    late: int = 0
    handed_back: int = 0
    sealed_seconds: float = 0.0
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)


class Move:
    """One run. `prepare` first; then `copy`, `keep_up` as often as one likes, and `cut_over`."""

    def __init__(self, source: Database, destination: Database, *, told: Told = lambda *_: None) -> None:
        self.source, self.destination = Side(source), Side(destination)
        self._marker = marker.Marker(source=_place(source), run=str(uuid_utils.uuid7()))
        #: Called after each part with the phase, the table and its rows so far.
        self.told = told
        #: Whether an earlier run has sealed the source for this destination.
        self.sealed = False
        self.done = Moved()

    def close(self) -> None:
        """Ends both connections."""
        self.source.close()
        self.destination.close()

    def prepare(self) -> None:
        """Makes the destination's tables, and takes hold of it.

        Raises:
            InvalidInput: it is no place to copy to, or the source is none to copy from; nothing was changed.
        """
        here, there = _place(self.source.database), _place(self.destination.database)
        if here == there:
            raise InvalidInput(f"source and destination are the same database: {here}")
        sealed_for = seal.destination_of(self.source)
        if sealed_for not in (None, there):
            raise InvalidInput(
                f"{here} is sealed: it moved to {sealed_for} (`duly db unseal` opens it again)"
            )
        self.sealed = sealed_for is not None
        _at_head(self.source.database, "source")
        fresh = migrate.current(self.destination.database) is None
        if not fresh:
            _at_head(self.destination.database, "destination")
            self._check_free()
        else:
            migrate.upgrade(self.destination.database)
        self._marker.take(self.destination)
        if self._marker.is_seen_by(self.source):
            self._marker.give_up(self.destination)
            raise InvalidInput(f"{there} and {here} are the same database")

    def _check_free(self) -> None:
        there = self.destination.database.place
        filled_from = marker.source_of(self.destination)
        if filled_from is None:
            full = [table.name for table in tables() if not self.destination.is_empty(table)]
            if full and self.sealed:
                raise InvalidInput(f"it has moved already: {there} is complete and open")
            if full:
                raise InvalidInput(f"{there} is not empty ({', '.join(sorted(full)[:5])} have rows)")
        elif filled_from not in ("", self._marker.source):
            raise InvalidInput(f"{there} is being filled from {filled_from}")

    def copy(self) -> None:
        """All rows that are not there yet; the source goes on accepting."""
        for table in tables():
            count = self._passes("copy").append(table)
            self.done.rows += count.rows
            self.done.bytes += count.size

    def keep_up(self) -> int:
        """Compares all rows once, and mends what has changed; answers how many were written."""
        return sum(self._passes("compare").reconcile(table).written for table in tables())

    def come_near(self) -> None:
        """Keeps up until little is left for the time in which the source is sealed."""
        for _ in range(NEAR_PASSES):
            if self.keep_up() <= NEAR_ROWS:
                return

    def cut_over(self) -> Moved:
        """Seals the source, mends what has changed since, verifies all, and opens the destination."""
        failpoint("copy.before_seal")
        begun_at = time.monotonic()
        seal.seal(self.source, _place(self.destination.database))
        failpoint("copy.sealed")
        passes = self._passes("verify")
        for table in tables():
            count = passes.reconcile(table, exact=True)
            self.done.late += count.written
            self.done.tables[table.name] = {"rows": count.rows, "checksum": count.checksum}
            failpoint("copy.verified")
        persistently(self._sides, self._set_sequence)
        persistently(self._sides, self._hand_back)
        failpoint("copy.before_open")
        persistently(self._sides, lambda: self._marker.remove(self.destination))
        self.done.sealed_seconds = round(time.monotonic() - begun_at, 3)
        return self.done

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self.source, self.destination

    def _passes(self, name: str) -> Passes:
        def told(table: str, count: Count) -> None:
            self.told(name, table, count.rows)
            failpoint("copy.part")

        return Passes(source=self.source, destination=self.destination, marker=self._marker, told=told)

    def _set_sequence(self) -> None:
        """The inbox's next number is greater than any that was given out."""
        last = _last_number(self.source)
        if not last:
            return
        dialect = self.destination.driver.dialect
        if dialect == "postgres":
            self.destination.core.execute(_SEQUENCE, {"last": last})
        elif dialect == "mariadb":
            self.destination.core.exec_driver_sql(f"ALTER TABLE notification AUTO_INCREMENT = {last + 1}")

    def _hand_back(self) -> None:
        """No worker of the source goes on at the destination: what ran there is due here, uncharged; its
        sessions end, and deliveries that they were sending are due again."""
        while count := self._transact(self._hand_some_back):
            self.done.handed_back += count
        while self._transact(self._end_sessions):
            pass

    def _transact(self, work: Callable[[Transaction], int]) -> int:
        side = self.destination
        database = side.database
        with transaction(side.driver, side.raw, database.clock, database.terms) as tx:
            self._marker.hold(side)
            return work(tx)

    def _hand_some_back(self, tx: Transaction) -> int:
        task = schema.task.c
        query = sa.select(task.id, task.attempt).where(task.status == Status.RUNNING).order_by(task.id)
        running = self.destination.core.execute(query.limit(HAND_BACK_BATCH)).all()
        why = "the installation moved to another database"
        finish(tx, [Finish.handed_back(*row, reason=why) for row in running])
        return len(running)

    def _end_sessions(self, tx: Transaction) -> int:
        worker = schema.worker.c
        query = sa.select(worker.id).where(worker.ended_at.is_(None)).order_by(worker.id)
        living = list(self.destination.core.execute(query).scalars())
        sessions.leave(tx, living)
        return give_back(tx, living).tasks


def _last_number(side: Side) -> int:
    """The greatest number that the inbox has given out, as far as the database knows."""
    number = schema.notification.c.id
    last = side.core.execute(sa.select(sa.func.max(number))).scalar() or 0
    if side.driver.dialect == "postgres":
        said = side.core.exec_driver_sql(
            "SELECT pg_sequence_last_value(pg_get_serial_sequence('notification', 'id')::regclass)"
        ).scalar()
        last = max(last, said or 0)
    elif side.driver.dialect == "mariadb":
        said = side.core.exec_driver_sql(
            "SELECT auto_increment FROM information_schema.tables"
            " WHERE table_schema = database() AND table_name = 'notification'"
        ).scalar()
        last = max(last, (said or 1) - 1)
    return int(last)


def _place(database: Database) -> str:
    """One name for one database, whatever folder the command is called in."""
    path: Path | None = getattr(database.driver, "path", None)
    return database.place if path is None else str(path.resolve())


def _at_head(database: Database, which: str) -> None:
    revision = migrate.current(database)
    if revision is None:
        raise InvalidInput(f"the {which} {database.place} has no tables of Duly")
    if revision != migrate.HEAD:
        raise NotReady(
            f"the {which} {database.place} stands at revision {revision}, this version needs {migrate.HEAD}: "
            "run `duly db upgrade`"
        )
