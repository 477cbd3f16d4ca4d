"""`duly limit`: what limits tasks, how much of it is taken; set and clear limits while all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import Refusal
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EPILOG = """Example: duly limit set queue/default --concurrency 10, later duly limit clear queue/default

A limit is of a queue (queue/NAME), a task type (type/TYPE), or one key of a type (key/TYPE/TENANT/VALUE);
each/TYPE is what each key of that type begins with. It holds in all processes, from the answer on.

How many may wait (--waiting) is asked when a task is submitted: of a queue, of owner/TENANT/OWNER,
tenant/TENANT, or of each: queue/*, owner/*, tenant/*. Beyond it a submit is refused."""

group = typer.Typer(
    help="Limits: look, set, clear.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(help="The limit, as queue/default.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in (("ls", ls), ("show", show), ("set", set_), ("clear", clear)):
        group.command(name)(grouped(command))
    app.add_typer(group, name="limit", rich_help_panel="Tasks")


def ls(place: Place, shown: Shown) -> None:
    """List limits: what each allows, how much is taken, how many tasks it blocks."""
    from duly.cli.table import limit_table

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.limits.page()
        if screen.json:
            screen.write({"limits": found})
        else:
            screen.show(limit_table(found, screen) if found else screen.say("no_limits"))

    ask(place, shown, asked)


def show(name: Name, place: Place, shown: Shown) -> None:
    """Show one limit."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.limits.get(name), screen)

    ask(place, shown, asked)


def set_(
    name: Name,
    place: Place,
    shown: Shown,
    concurrency: Annotated[int | None, typer.Option(help="So many tasks run at once.")] = None,
    rate: Annotated[str | None, typer.Option(help="So many start in a time: 10/s, 100/m, 1/15s.")] = None,
    waiting: Annotated[
        int | None, typer.Option(help="So many may wait to start when another one is submitted.")
    ] = None,
    by: Annotated[str | None, typer.Option(envvar="USER", help="Who says so; shown with the limit.")] = None,
) -> None:
    """Set a limit, whatever the code declares; what is not given stays as it is, and what runs goes on."""
    words = {"concurrency": concurrency, "rate": rate, "waiting": waiting}
    said = {word: value for word, value in words.items() if value is not None}

    async def asked(desk: Desk, screen: Screen) -> None:
        if not said:
            raise Refusal("say what it shall allow: --concurrency N, --rate 10/m, --waiting N")
        _told(await desk.limits.put(name, {**said, "by": by}), screen)

    ask(place, shown, asked)


def clear(name: Name, place: Place, shown: Shown) -> None:
    """End the operator's word: what the code declares holds again, or nothing."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.limits.clear(name), screen)

    ask(place, shown, asked)


def _told(state: Json, screen: Screen) -> None:
    from duly.cli.table import limit_table

    if screen.json:
        screen.write(state)
    else:
        screen.show(limit_table([state], screen))
