"""`duly token` and `duly version`: the credentials, tokens for users, and what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import DatabaseUrl, Shown

_PANEL = "Installation"
_EPILOG = """Example: export DULY_TOKEN=$(duly token issue --user alice --hours 8)"""

group = typer.Typer(
    epilog=_EPILOG, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group.callback(invoke_without_command=True)(grouped(token))
    group.command(epilog=_EPILOG)(grouped(issue))
    app.add_typer(group, name="token", rich_help_panel=_PANEL)
    app.command(rich_help_panel=_PANEL, epilog="Example: duly version --json")(grouped(version))


def token(context: typer.Context, shown: Shown, database_url: DatabaseUrl = None) -> None:
    """Print the installation's token; where it lies goes to stderr, so that $(duly token) is the token."""
    if context.invoked_subcommand is not None:
        return
    from duly.cli.screen import Screen
    from duly.config import load
    from duly.runtime import credentials

    settings = load({"database_url": database_url})
    path, found = credentials.token_path(settings), credentials.read(settings)
    if shown.json:
        Screen(shown).write({"file": str(path), "token": found.token})
    else:
        typer.echo(path, err=True)
        print(found.token)


def issue(
    user: Annotated[str, typer.Option(help="Whose tasks it opens.", metavar="NAME")],
    tenant: Annotated[str, typer.Option(help="The user's tenant.", metavar="NAME")] = "",
    hours: Annotated[float, typer.Option(help="How long it is good for.", min=0)] = 720,
    role: Annotated[str, typer.Option(help="viewer, user, operator or admin.", metavar="ROLE")] = "user",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Of the role's scopes this one only; several times.", metavar="SCOPE"),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print a token (JWT) with which one user sees and submits his own tasks; a role may let him do more."""
    from duly.config import load
    from duly.http.identity import issue_jwt
    from duly.runtime import credentials

    found = credentials.read(load({"database_url": database_url}))
    print(issue_jwt(found, user, tenant, hours * 3600, role=role, scopes=tuple(scope or ())))


def version(shown: Shown) -> None:
    """Print the versions of Duly, Python and the SQLite engine."""
    import platform
    from importlib import metadata

    from duly.cli.screen import Screen
    from duly.store.sqlite import driver

    known = {
        "duly": metadata.version("duly"),
        "python": platform.python_version(),
        "sqlite": driver.sqlite_version,
    }
    if shown.json:
        Screen(shown).write(known)
    else:
        print("  ".join(f"{name} {value}" for name, value in known.items()))
