"""`duly bulk`: a job that cancels, retries or moves all tasks that fit, followed to its end if asked to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from duly.cli.bulk import Ids, choice
from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import Refusal
from duly.cli.submit import Wait, WaitCommand, answer
from duly.cli.tasks import Wanted, ask, detaching

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EXAMPLES = """Examples:

duly bulk cancel --parent 3f9a61c2 --wait

duly bulk retry --error timeout --since 2h --wait

duly bulk move --queue slow --to-queue fast

A worker does it, part by part: tasks accepted after it stay as they are. Exit code: as `duly submit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Where tasks are moved, and where the job itself waits."""

    to_queue: Annotated[str | None, typer.Option(help="move: into this queue.", metavar="NAME")] = None
    to_priority: Annotated[int | None, typer.Option(min=1, max=10, help="move: to this priority, 1..10.")] = (
        None
    )
    job_queue: Annotated[
        str | None, typer.Option(help="The queue that the job itself waits in.", metavar="NAME")
    ] = None

    def place(self) -> Json:
        """Where they are moved, as the API names it."""
        given = {"queue": self.to_queue, "priority": self.to_priority}
        return {name: value for name, value in given.items() if value is not None}


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(cls=WaitCommand, rich_help_panel=panel, epilog=_EXAMPLES)(grouped(bulk))


def bulk(
    action: Annotated[Literal["cancel", "retry", "move"], typer.Argument(help="What is done to them.")],
    wanted: Wanted,
    place: Place,
    shown: Shown,
    goal: Goal,
    ids: Ids = None,
    wait: Wait = None,
) -> None:
    """Cancel, retry or move all tasks that fit, however many: a job with progress and counts."""
    if not ids and not wanted.filter():
        raise Refusal("say which tasks: by --status, --type, --queue, --tag, --parent, --since, or by id")
    with detaching("", shown) as interrupt:

        async def asked(desk: Desk, screen: Screen) -> None:
            chosen = await choice(desk, wanted, ids)
            options = {} if goal.job_queue is None else {"queue": goal.job_queue}
            task = await desk.queues.begin(action, chosen, goal.place(), options)
            interrupt.id_ = task["id"]
            await answer(desk, task, screen, wait)

        ask(place, shown, asked)
