"""`duly usage`: what model calls have cost, by owner, tenant, model, day."""

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

_EPILOG = """Example: duly usage --by day,model --since 2026-11-01

Each currency has its own rows. – is what is not known; behind + stand calls that are missing in a number."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Tasks", epilog=_EPILOG)(grouped(usage))


def usage(
    place: Place,
    shown: Shown,
    by: Annotated[
        str,
        typer.Option(help="day, tenant, owner, task_type, provider, model, prompt.", metavar="WORDS"),
    ] = "owner,model",
    since: Annotated[str | None, typer.Option(help="From this UTC day on.", metavar="DAY")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this UTC day.", metavar="DAY")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose calls.", metavar="NAME")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of which tenant.", metavar="NAME")] = None,
    model: Annotated[str | None, typer.Option(help="Of which model.", metavar="NAME")] = None,
) -> None:
    """Show what model calls have cost: calls, tokens, money."""
    named = {"since": since, "until": until, "owner": owner, "tenant": tenant, "model": model}
    wanted = {name: value for name, value in named.items() if value is not None}

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.accounts.usage(by, wanted)
        if screen.json:
            screen.write(found)
        else:
            screen.show(_table(found, screen) if found["rows"] else screen.say("no_calls"))

    ask(place, shown, asked)


def _table(found: Json, screen: Screen) -> Table:
    from duly.cli.screen import clean
    from duly.cli.table import plain_table

    table = plain_table()
    for word in found["by"]:
        table.add_column(screen.say(word), no_wrap=True, overflow="ellipsis", max_width=30)
    for word in ("calls", "tokens_in", "tokens_out", "cost"):
        table.add_column(screen.say(word), no_wrap=True, justify="right")
    for row in found["rows"]:
        groups = [clean(str(row[word])) or "–" for word in found["by"]]
        tokens = [
            _number(row[word], row["uncounted"], row["calls"])
            for word in ("prompt_tokens", "completion_tokens")
        ]
        cost = None if row["cost"] is None else f"{row['cost']:.6f} {row['currency']}"
        table.add_row(*groups, str(row["calls"]), *tokens, _number(cost, row["unpriced"], row["calls"]))
    return table


def _number(value: object, missing: int, calls: int) -> str:
    """A number, and of how many calls it says nothing."""
    if value is None:
        return "–"
    return f"{value} +{missing}" if 0 < missing < calls else str(value)
