"""`duly key` and `duly audit`: API keys for programs, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from rich.table import Table

    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_PANEL = "Installation"
_EPILOG = """Example: duly key create reports --owner alice --scope tasks:read --days 90

The key is printed once, on stdout: KEY=$(duly key create ci --owner ci). What is kept of it is a hash.

Roles: viewer reads its owner's tasks, user acts on them too, operator acts on queues, limits, schedules and
all tasks, admin does all. Scopes narrow a key: tasks:read, tasks:write, operate, admin."""

group = typer.Typer(
    help="API keys: create, list, rotate, revoke.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(help="The key's id, as duly key list shows it.", metavar="ID")]
Owner = Annotated[str, typer.Option(help="Whose tasks it opens.", metavar="NAME", show_default=False)]
Tenant = Annotated[str, typer.Option(help="The owner's tenant.", metavar="NAME", show_default=False)]
Scopes = Annotated[
    list[str] | None,
    typer.Option(help="Of the role's scopes this one only; several times.", metavar="SCOPE"),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in (("create", create), ("list", list_), ("rotate", rotate), ("revoke", revoke)):
        group.command(name)(grouped(command))
    app.add_typer(group, name="key", rich_help_panel=_PANEL)
    app.command(rich_help_panel=_PANEL, epilog="Example: duly audit --action queue.pause")(grouped(audit))


def create(
    name: Annotated[str, typer.Argument(help="What it is for.", metavar="NAME")],
    place: Place,
    shown: Shown,
    owner: Owner = "",
    tenant: Tenant = "",
    role: Annotated[str, typer.Option(help="viewer, user, operator or admin.", metavar="ROLE")] = "user",
    scope: Scopes = None,
    days: Annotated[
        float | None, typer.Option(help="Until it expires; else it does not.", min=0, metavar="DAYS")
    ] = None,
) -> None:
    """Make a key and print it, once."""
    words: Json = {"name": name, "owner": owner, "tenant": tenant, "role": role, "scopes": scope or []}
    words["lifetime"] = None if days is None else days * 86_400

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.accounts.make(words), screen)

    ask(place, shown, asked)


def list_(place: Place, shown: Shown) -> None:
    """List keys, without their secrets."""

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.accounts.page()
        if screen.json:
            screen.write({"keys": found})
        else:
            screen.show(_keys(found, screen) if found else screen.say("no_keys"))

    ask(place, shown, asked)


def rotate(
    id_: Id,
    place: Place,
    shown: Shown,
    hours: Annotated[
        float, typer.Option(help="How long the present secret stays good.", min=0, metavar="HOURS")
    ] = 24,
) -> None:
    """Give a key its next secret and print it, once; the present one stays good for a while."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.accounts.rotate(id_, hours * 3600), screen)

    ask(place, shown, asked)


def revoke(id_: Id, place: Place, shown: Shown) -> None:
    """End a key at once, and the browser sessions that were begun with it."""

    async def asked(desk: Desk, screen: Screen) -> None:
        key = await desk.accounts.revoke(id_)
        if screen.json:
            screen.write(key)
        else:
            screen.show(screen.say("revoked", id=key["id"], name=key["name"]))

    ask(place, shown, asked)


def audit(
    place: Place,
    shown: Shown,
    action: Annotated[str | None, typer.Option(help="As task.cancel.", metavar="ACTION")] = None,
    owner: Annotated[str | None, typer.Option(help="By whom.", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
) -> None:
    """Show who did what to what, the newest first."""
    wanted = {name: value for name, value in (("action", action), ("owner", owner)) if value is not None}

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.accounts.audit(wanted, limit)
        if screen.json:
            screen.write({"lines": found})
        else:
            screen.show(_lines(found, screen) if found else screen.say("no_lines"))

    ask(place, shown, asked)


def _told(key: Json, screen: Screen) -> None:
    """The key alone on stdout; all else beside it."""
    if screen.json:
        screen.write(key)
        return
    typer.echo(screen.say("key_shown_once", id=key["id"]), err=True)
    print(key["key"])


def _keys(found: list[Json], screen: Screen) -> Table:
    from duly.cli.table import plain_table

    table = plain_table()
    for word in ("id", "name", "role", "owner", "scopes", "expires", "used"):
        table.add_column(screen.say(word))
    for one in found:
        end = screen.say("revoked_word") if one["revoked_at"] else one["expires_at"] or ""
        scopes = " ".join(one["scopes"]) or "*"
        table.add_row(one["id"], one["name"], one["role"], _who(one), scopes, end, one["used_at"] or "")
    return table


def _lines(found: list[Json], screen: Screen) -> Table:
    from duly.cli.table import plain_table

    table = plain_table()
    for word in ("at", "owner", "role", "action", "object", "outcome", "client"):
        table.add_column(screen.say(word))
    for one in found:
        who = _who(one) or one["credential"]
        table.add_row(
            one["at"], who, one["role"], one["action"], one["object"], str(one["status"] or ""), one["client"]
        )
    return table


def _who(one: Json) -> str:
    return f"{one['tenant']}/{one['owner']}" if one["tenant"] else str(one["owner"])
