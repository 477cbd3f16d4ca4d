"""`duly gate`: how each model provider stands; close one by hand, and open it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EPILOG = """Example: duly gate close azure --for 600 --reason "a new key comes", later duly gate open azure

A provider that answers with 429, or fails three times in a row, is closed by itself, for all processes; tasks
that need it wait and are charged nothing. When its time is over one request finds out whether it is well."""

group = typer.Typer(
    help="Gates of model providers: look, close, open.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(help="The provider, as in duly.toml.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in (("ls", ls), ("show", show), ("close", close), ("open", open_)):
        group.command(name)(grouped(command))
    app.add_typer(group, name="gate", rich_help_panel="Tasks")


def ls(place: Place, shown: Shown) -> None:
    """List gates: open or closed, until when, and why."""
    from duly.cli.table import gate_table

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.gates.page()
        if screen.json:
            screen.write({"gates": found})
        else:
            screen.show(gate_table(found, screen) if found else screen.say("no_gates"))

    ask(place, shown, asked)


def show(name: Name, place: Place, shown: Shown) -> None:
    """Show one gate."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.gates.get(name), screen)

    ask(place, shown, asked)


def close(
    name: Name,
    place: Place,
    shown: Shown,
    seconds: Annotated[
        float | None,
        typer.Option("--for", help="Seconds; else until it is opened.", metavar="SECONDS"),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; shown with the gate, and by duly why.")] = None,
    by: Annotated[str | None, typer.Option(envvar="USER", help="Who says so; shown with the gate.")] = None,
) -> None:
    """Ask this provider nothing from now on, in any process; tasks that need it wait, uncharged."""
    words = {"seconds": seconds, "by": by, "reason": reason}

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.gates.close(name, words), screen)

    ask(place, shown, asked)


def open_(name: Name, place: Place, shown: Shown) -> None:
    """Let it be asked, whatever closed it; tasks that wait for a gate look again."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.gates.open(name), screen)

    ask(place, shown, asked)


def _told(state: Json, screen: Screen) -> None:
    from duly.cli.table import gate_table

    if screen.json:
        screen.write(state)
    else:
        screen.show(gate_table([state], screen))
