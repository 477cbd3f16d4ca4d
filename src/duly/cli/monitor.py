"""`duly monitor`: what is watched of an installation, and which alarms fire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import TASK_FAILED
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from rich.table import Table

    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EPILOG = """Example: duly monitor --hours 24 --json

Exit code 1: an alarm fires. Alarms: more than 10 % failed, a type that takes more than 2 minutes in the mean,
no living worker, more than 50 pending tasks."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(rich_help_panel=panel, epilog=_EPILOG)(grouped(monitor))


def monitor(
    place: Place,
    shown: Shown,
    hours: Annotated[
        float, typer.Option(min=0.01, max=8760, help="Of the tasks accepted in the last hours.", metavar="N")
    ] = 24,
) -> None:
    """Show success, durations, retries, backlog and workers, and whether an alarm fires."""

    async def asked(desk: Desk, screen: Screen) -> None:
        seen = await desk.monitoring(hours)
        if screen.json:
            screen.write(seen)
        else:
            screen.show(_table(seen, screen))
        if any(alert["firing"] for alert in seen["alerts"]):
            raise typer.Exit(TASK_FAILED)

    ask(place, shown, asked)


def _table(seen: Json, screen: Screen) -> Table:
    from duly.cli.screen import one_line
    from duly.cli.table import plain_table

    table = plain_table(header=False)
    rate = "-" if seen["success_rate"] is None else f"{seen['success_rate']} %"
    table.add_row(screen.say("success_rate"), rate, "")
    for one in seen["durations"]:
        table.add_row(screen.say("mean_of"), f"{one['mean_s']} s", one_line(one["task_type"]))
    for one in seen["retries"]:
        table.add_row(screen.say("tried_again"), str(one["count"]), f"x {one['retry_count']}")
    for name in ("backlog", "workers"):
        table.add_row(screen.say(name), str(seen[name]), "")
    for alert in seen["alerts"]:
        if alert["firing"]:
            table.add_row(screen.say("alarm"), str(alert["value"]), screen.say(f"alarm_{alert['code']}"))
    return table
