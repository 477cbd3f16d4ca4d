"""Closes a database to all writes, by triggers on every table: whoever writes is told where it moved to.

A trigger is made only when no writer is in the midst of a transaction, and holds for every process, also for
those that know nothing of it. Reads go on.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.store.columns import STORAGE, key
from duly.store.copying.side import Side, persistently, tables
from duly.store.driver import MOVED

#: Not of `schema`: it is there only while the database is sealed.
sealed = sa.Table(
    "duly_sealed",
    sa.MetaData(),
    sa.Column("destination", key(255), primary_key=True),
    **STORAGE,
)
#: What MySQL takes of a message.
MOST_WORDS = 128
EVENTS = ("INSERT", "UPDATE", "DELETE")
#: How long a trigger waits for those who are writing; all others wait behind it meanwhile.
_HASTE = {
    "postgres": "SET LOCAL lock_timeout = '1500ms'",
    "mariadb": "SET SESSION lock_wait_timeout = 2",
}


def destination_of(side: Side) -> str | None:
    """Where a sealed database has moved to; None: it is open."""
    if not sa.inspect(side.core).has_table(sealed.name):
        return None
    return side.core.execute(sa.select(sealed.c.destination)).scalar()


def seal(side: Side, destination: str) -> None:
    """From the return of this on no row of the database changes. Done again, it ends what was cut off."""
    persistently([side], lambda: _seal(side, destination))


def _seal(side: Side, destination: str) -> None:
    if side.driver.dialect != "mariadb":  # one transaction: all or nothing
        with side.writing():
            _begin(side, destination)
            _run(side, _sealing(side.driver.dialect, destination))
        return
    _begin(side, destination)
    _run(side, _sealing(side.driver.dialect, destination))


def _begin(side: Side, destination: str) -> None:
    if haste := _HASTE.get(side.driver.dialect):
        side.core.exec_driver_sql(haste)
    if destination_of(side) is None:
        sealed.create(side.core, checkfirst=True)
        side.core.execute(sealed.insert(), {"destination": destination})


def unseal(side: Side) -> str:
    """Opens it again; answers where it had moved to.

    Raises:
        InvalidInput: it is not sealed.
    """
    destination = destination_of(side)
    if destination is None:
        raise InvalidInput(f"{side.database.place} is not sealed")
    persistently([side], lambda: _unseal(side))
    return destination


def _unseal(side: Side) -> None:
    if side.driver.dialect != "mariadb":
        with side.writing():
            _run(side, _unsealing(side.driver.dialect))
            sealed.drop(side.core)
        return
    _run(side, _unsealing(side.driver.dialect))
    sealed.drop(side.core)


def _run(side: Side, statements: Iterator[str]) -> None:
    cursor = side.raw.cursor()
    for statement in statements:
        cursor.execute(statement)


def _sealing(dialect: str, destination: str) -> Iterator[str]:
    words = (MOVED + destination)[:MOST_WORDS].replace("'", "''")
    if dialect == "postgres":
        yield (
            "CREATE OR REPLACE FUNCTION duly_sealed() RETURNS trigger LANGUAGE plpgsql AS $duly$ BEGIN "
            f"RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = '{words}'; "
            "END $duly$"
        )
    for table in tables():
        if dialect == "postgres":
            yield (
                f'CREATE OR REPLACE TRIGGER duly_sealed BEFORE INSERT OR UPDATE OR DELETE ON "{table.name}" '
                "FOR EACH STATEMENT EXECUTE FUNCTION duly_sealed()"
            )
            continue
        for event in EVENTS:
            name = f"duly_sealed_{table.name}_{event.lower()}"
            if dialect == "sqlite":
                yield (
                    f'CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON "{table.name}" '
                    f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
                )
            else:
                yield (
                    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON `{table.name}` "
                    f"FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{words}'"
                )


def _unsealing(dialect: str) -> Iterator[str]:
    if dialect == "postgres":
        for table in tables():
            yield f'DROP TRIGGER IF EXISTS duly_sealed ON "{table.name}"'
        yield "DROP FUNCTION IF EXISTS duly_sealed()"
        return
    for table in tables():
        for event in EVENTS:
            yield f"DROP TRIGGER IF EXISTS duly_sealed_{table.name}_{event.lower()}"
