"""`duly share`: how many turns an owner gets in the line of a queue for each turn of others."""

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

_EPILOG = """Example: duly share set alice --weight 2, later duly share clear alice

Owners take turns. One of weight 2 gets two turns for each turn of one of weight 1, in tasks that are
submitted from then on. The owner '' stands for all owners of a tenant who have no weight of their own."""

group = typer.Typer(
    help="Shares: which owners get more turns than others.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Owner = Annotated[str, typer.Argument(help="The owner; '' is all who have none.", metavar="OWNER")]
Tenant = Annotated[str, typer.Option(help="Of which tenant.", metavar="NAME", show_default=False)]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group.command("ls")(grouped(ls))
    group.command("set")(grouped(put))
    group.command("clear")(grouped(clear))
    app.add_typer(group, name="share", rich_help_panel="Tasks")


def ls(place: Place, shown: Shown) -> None:
    """List the weights that were given; whoever is not there has 1."""

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.shares.page()
        if screen.json:
            screen.write({"shares": found})
        else:
            screen.show(_table(found, screen) if found else screen.say("no_shares"))

    ask(place, shown, asked)


def put(
    owner: Owner,
    weight: Annotated[int, typer.Option(min=1, max=100, help="Turns for each turn of others.", metavar="N")],
    place: Place,
    shown: Shown,
    tenant: Tenant = "",
) -> None:
    """Give an owner a weight, for tasks submitted from now on."""

    async def asked(desk: Desk, screen: Screen) -> None:
        share = await desk.shares.put(owner, weight, tenant)
        if screen.json:
            screen.write(share)
        else:
            screen.show(screen.say("weighs", owner=_named(share), weight=share["weight"]))

    ask(place, shown, asked)


def clear(owner: Owner, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Take an owner's weight away."""

    async def asked(desk: Desk, screen: Screen) -> None:
        cleared = await desk.shares.clear(owner, tenant)
        if screen.json:
            screen.write({"cleared": cleared})
        else:
            words = "weighs_no_more" if cleared else "weighed_nothing"
            screen.show(screen.say(words, owner=_named({"owner": owner, "tenant": tenant})))

    ask(place, shown, asked)


def _named(share: Json) -> str:
    """`tenant/owner`; `*` is all others."""
    owner = share["owner"] or "*"
    return f"{share['tenant']}/{owner}" if share["tenant"] else owner


def _table(found: list[Json], screen: Screen) -> Table:
    from duly.cli.table import plain_table

    table = plain_table()
    table.add_column(screen.say("owner"), no_wrap=True)
    table.add_column(screen.say("weight"), no_wrap=True, justify="right")
    for one in found:
        table.add_row(_named(one), str(one["weight"]))
    return table
