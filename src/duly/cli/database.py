"""`duly db`: the schema's revision, the way up and down; `moving` has the way to another database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.moving import copy, unseal
from duly.cli.options import DatabaseUrl, Shown
from duly.cli.shell import WRONG, Refusal

if TYPE_CHECKING:
    from duly.store.database import Database

_EPILOG = """Example: duly db check. Take a copy of the file before upgrade and downgrade.

A new database needs none of this: the first start makes it."""

group = typer.Typer(
    help="The database: its schema's revision, and moving to another one.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (check, current, upgrade, downgrade, copy, unseal):
        group.command()(grouped(command))
    app.add_typer(group, name="db", rich_help_panel="Installation")


def check(shown: Shown, database_url: DatabaseUrl = None) -> None:
    """Compare the tables with those this version needs: fresh, equal or different (exit code 2)."""
    from duly.cli.screen import Screen
    from duly.store import migrate

    database = _database(database_url)
    revision = migrate.current(database) if database.driver.exists() else None
    found = [] if revision is None else migrate.differences(database)
    verdict = "fresh" if revision is None else "different" if found or revision != migrate.HEAD else "equal"
    if shown.json:
        Screen(shown).write(
            {"verdict": verdict, "revision": revision, "needed": migrate.HEAD, "differences": found}
        )
    else:
        print(
            f"{verdict}: revision {revision or 'none'}, this version needs {migrate.HEAD}", *found, sep="\n  "
        )
    if verdict == "different":
        raise typer.Exit(WRONG)


def current(database_url: DatabaseUrl = None) -> None:
    """Print the revision that the database stands at; nothing for a new one."""
    from duly.store import migrate

    print(migrate.current(_database(database_url, existing=True)) or "")


def upgrade(
    database_url: DatabaseUrl = None, revision: Annotated[str, typer.Argument(help="Up to here.")] = "head"
) -> None:
    """Bring the tables to the newest revision, or to one that is named."""
    from duly.store import migrate

    database = _database(database_url)
    migrate.upgrade(database, revision)
    print(f"{database.place} stands at revision {migrate.current(database) or 'none'}")


def downgrade(
    revision: Annotated[str, typer.Argument(help="Down to here; `base` removes all tables and their rows.")],
    yes: Annotated[bool, typer.Option("--yes", help="Yes, rows may be lost.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Take the tables back to an older revision; what that revision has no place for is lost."""
    from duly.store import migrate

    database = _database(database_url, existing=True)
    if not yes:
        raise Refusal(
            f"downgrade to {revision} can lose rows of {database.place}; copy the file, then add --yes"
        )
    migrate.downgrade(database, revision)
    print(f"{database.place} stands at revision {migrate.current(database) or 'none'}")


def _database(url: str | None, *, existing: bool = False) -> Database:
    from duly.cli.footing import database_at
    from duly.config import load

    return database_at(load({"database_url": url}), existing=existing)
