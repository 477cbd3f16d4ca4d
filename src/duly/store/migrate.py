"""The schema's versions: Alembic scripts in the wheel, and the check at start-up, which needs no Alembic."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from duly.model.errors import InvalidInput, NotReady, SchemaOutdated
from duly.store.copying import marker, seal
from duly.store.database import Database
from duly.store.link import spoken

#: The newest migration; a test holds it equal to the folder's head.
HEAD = "0019"


def current(database: Database) -> str | None:
    """The revision that the file stands at; None for an empty one.

    Raises:
        NotReady: the database cannot be reached now.
    """
    try:
        with database.engine().connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])
    except sa.exc.DBAPIError as error:
        raise spoken(database.driver, error) from error


def ensure(database: Database) -> None:
    """Brings a new file to the newest schema; an older one is left for `duly db upgrade`.

    Raises:
        SchemaOutdated: the file stands at another revision.
        NotReady: a copy fills it.
    """
    revision = current(database)
    if revision is None:
        upgrade(database)
    elif revision != HEAD:
        raise SchemaOutdated(
            f"{database.place} stands at revision {revision}, Duly needs {HEAD}: run `duly db upgrade`"
        )
    elif _is_being_filled(database):
        raise NotReady(f"{database.place} is being filled by `duly db copy`: it opens when that has ended")


def _is_being_filled(database: Database) -> bool:
    with database.engine().connect() as connection:
        return sa.inspect(connection).has_table(marker.table.name)


def upgrade(database: Database, revision: str = "head") -> None:
    """Applies migrations up to `revision`."""
    _run(database, "upgrade", revision)


def downgrade(database: Database, revision: str) -> None:
    """Takes migrations back to `revision` (`base` removes all tables and their rows)."""
    _run(database, "downgrade", revision)


def differences(database: Database) -> list[str]:
    """What the file's tables lack or have too much, compared with `schema`; empty when equal."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from duly.store.schema import metadata

    with database.engine().connect() as connection:
        options = {"compare_type": False, "include_name": _is_of_schema}
        context = MigrationContext.configure(connection, opts=options)
        here = _meant_here(metadata, connection.dialect.name)
        return [str(difference) for difference in compare_metadata(context, here)]


def _is_of_schema(name: str | None, kind: str, _parents: object) -> bool:
    """A copy under way has tables of its own, which no migration knows."""
    return kind != "table" or name not in (marker.table.name, seal.sealed.name)


def _meant_here(tables: sa.MetaData, dialect: str) -> sa.MetaData:
    """The tables as they are on this database: some of their indexes have several forms."""
    meant = sa.MetaData()
    for table in tables.tables.values():
        others = {_form(one) for one in table.indexes if dialect not in one.info.get("only", (dialect,))}
        copy = table.to_metadata(meant)
        copy.indexes = {one for one in copy.indexes if _form(one) not in others}
    return meant


def _form(one: sa.Index) -> tuple[Any, ...]:
    return (one.name, *one.columns.keys(), one.dialect_options["postgresql"]["where"] is None)


def _run(database: Database, direction: str, revision: str) -> None:
    from importlib import resources

    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(resources.files("duly.store").joinpath("migrations")))
    with database.engine().connect() as connection:
        config.attributes["connection"] = connection
        config.attributes["driver"] = database.driver
        try:
            getattr(command, direction)(config, revision)
        except CommandError as error:
            raise InvalidInput(f"migrations: {error}") from None
