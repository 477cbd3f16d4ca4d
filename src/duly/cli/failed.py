"""`duly failed`: what has failed for good, by error, type, queue and time; another run for many at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.bulk import Ids, Limit, choice, counted, in_parts
from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import Refusal
from duly.cli.tasks import PANEL, Wanted, ask

if TYPE_CHECKING:
    from duly.cli.desk import Desk
    from duly.cli.screen import Screen

_EPILOG = """Example: duly failed ls --since 2h --error timeout, then
duly failed retry --since 2h --error timeout

A task that failed keeps its input, its steps and its timeline until retention deletes it."""

group = typer.Typer(
    help="Failed tasks: look through them, and give many another run.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (ls, retry):
        group.command()(grouped(command))
    app.add_typer(group, name="failed", rich_help_panel=PANEL)


def ls(
    wanted: Wanted,
    place: Place,
    shown: Shown,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 50,
) -> None:
    """List failed tasks, the newest first."""
    from duly.cli.table import task_table

    where = _failed(wanted).filter()

    async def asked(desk: Desk, screen: Screen) -> None:
        tasks = await desk.page(where, limit)
        if screen.json:
            screen.write({"tasks": tasks})
            return
        screen.show(task_table(tasks, screen) if tasks else screen.say("none_failed"))
        if len(tasks) == limit:
            screen.show(screen.say("newest", count=limit))

    ask(place, shown, asked)


def retry(
    wanted: Wanted,
    place: Place,
    shown: Shown,
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that have failed, whatever they are.")] = False,
    limit: Limit = 1000,
) -> None:
    """Give failed tasks that fit another run: all retries anew, recorded steps and history kept."""
    if not ids and not every and wanted.filter().keys() <= {"status"}:
        raise Refusal("say which failed tasks: by --type, --queue, --error, --since, by id, or --all")

    async def asked(desk: Desk, screen: Screen) -> None:
        chosen = await choice(desk, _failed(wanted), ids)
        said = await in_parts(lambda part: desk.queues.retry(chosen, part), "retried", limit)
        counted(said, screen, "retried", "retried_count")

    ask(place, shown, asked)


def _failed(wanted: Wanted) -> Wanted:
    return replace(wanted, status=wanted.status or "failed")
