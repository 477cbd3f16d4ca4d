"""`duly queue`: what is in each queue; pause, resume, drain, purge; move tasks and change their priority."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.bulk import Ids, Limit, choice, counted, in_parts
from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import NOT_ENDED, Refusal
from duly.cli.tasks import Wanted, ask

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EPILOG = """Example: duly queue pause default --reason "the model is down", later duly queue resume default

A pause is exact: once the command has answered, no worker starts a task of the queue. What runs goes on."""

group = typer.Typer(
    help="Queues: look, pause, resume, drain, purge; move tasks, change priorities.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: What a purge cancels when no state is named.
PURGED = ("scheduled", "pending", "blocked", "retry")
#: How often a drain looks.
LOOK_SECONDS = 0.5

Name = Annotated[str, typer.Argument(help="The queue.", metavar="QUEUE")]
By = Annotated[str | None, typer.Option(envvar="USER", help="Who says so; shown with the queue.")]
Reason = Annotated[str | None, typer.Option(help="Why; shown with the queue, and by duly why.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command, epilog in (
        (ls, None),
        (pause, None),
        (resume, None),
        (drain, "Exit code 3: something still runs; the queue stays paused."),
        (purge, "Example: duly queue purge default --status pending,retry --yes"),
        (move, "Example: duly queue move slow --type report --status pending"),
        (priority, "Example: duly queue priority 9 --owner alice, or: duly queue priority 1 3f9a61c2"),
    ):
        group.command(epilog=epilog)(grouped(command))
    app.add_typer(group, name="queue", rich_help_panel="Tasks")


def ls(place: Place, shown: Shown) -> None:
    """List queues: whether paused, and how many tasks stand in each state."""
    from duly.cli.table import queue_table

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.queues.page()
        if screen.json:
            screen.write({"queues": found})
        else:
            screen.show(queue_table(found, screen) if found else screen.say("no_queues"))

    ask(place, shown, asked)


def pause(name: Name, place: Place, shown: Shown, reason: Reason = None, by: By = None) -> None:
    """Start no task of the queue from now on, in any process; what runs goes on."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.queues.pause(name, {"by": by, "reason": reason}), screen, "paused_now")

    ask(place, shown, asked)


def resume(name: Name, place: Place, shown: Shown) -> None:
    """Open the queue again; workers look at once."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.queues.resume(name), screen, "queue_opened")

    ask(place, shown, asked)


def drain(
    name: Name,
    place: Place,
    shown: Shown,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 600,
    reason: Reason = None,
    by: By = None,
) -> None:
    """Pause the queue and wait until nothing of it runs."""

    async def asked(desk: Desk, screen: Screen) -> None:
        state = await desk.queues.pause(name, {"by": by, "reason": reason})
        state = await _drained(desk, state, screen, timeout)
        _told(state, screen, "paused_now" if _running(state) else "drained")
        if _running(state):
            raise typer.Exit(NOT_ENDED)

    ask(place, shown, asked)


async def _drained(desk: Desk, state: Json, screen: Screen, timeout: float) -> Json:
    """The queue as it stands when nothing of it runs, or after so many seconds; says each new count."""
    import asyncio

    ends, said = time.monotonic() + timeout, None
    while _running(state) and time.monotonic() < ends:
        if _running(state) != said and not screen.json:
            said = _running(state)
            screen.show(screen.say("still_running", count=said))
        await asyncio.sleep(min(LOOK_SECONDS, timeout))
        state = await desk.queues.get(state["name"])
    return state


def purge(
    name: Name,
    place: Place,
    shown: Shown,
    status: Annotated[
        str | None,
        typer.Option(help=f"In these states, with commas ({','.join(PURGED)}); waiting is possible too."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, cancel them for good.")] = False,
    limit: Limit = 100_000,
) -> None:
    """Cancel what waits in the queue, and nothing that runs. History is kept."""
    statuses = [one.strip() for one in (status or "").split(",") if one.strip()]

    async def asked(desk: Desk, screen: Screen) -> None:
        if not yes:
            tasks = (await desk.queues.get(name))["tasks"]
            held = ", ".join(f"{tasks.get(one, 0)} {one}" for one in statuses or PURGED)
            raise Refusal(f"purge cancels what waits in {name} for good ({held}); to do it, add --yes")
        said = await in_parts(lambda part: desk.queues.purge(name, statuses, part), "cancelled", limit)
        counted(said, screen, "cancelled", "purged_count")

    ask(place, shown, asked)


def move(
    to: Annotated[str, typer.Argument(help="The queue they go to.", metavar="QUEUE")],
    wanted: Wanted,
    place: Place,
    shown: Shown,
    ids: Ids = None,
    limit: Limit = 100_000,
) -> None:
    """Put tasks that wait into another queue, in line as if they came there now."""
    _moved({"queue": to}, wanted, ids, limit, place, shown)


def priority(
    value: Annotated[int, typer.Argument(min=1, max=10, help="1..10, the larger the sooner.", metavar="N")],
    wanted: Wanted,
    place: Place,
    shown: Shown,
    ids: Ids = None,
    limit: Limit = 100_000,
) -> None:
    """Give tasks that wait another priority."""
    _moved({"priority": value}, wanted, ids, limit, place, shown)


def _moved(to: Json, wanted: Wanted, ids: list[str] | None, limit: int, place: Place, shown: Shown) -> None:
    async def asked(desk: Desk, screen: Screen) -> None:
        chosen = await choice(desk, wanted, ids)
        said = await in_parts(lambda part: desk.queues.move(chosen, to, part), "moved", limit)
        counted(said, screen, "moved", "moved_count")

    ask(place, shown, asked)


def _running(state: Json) -> int:
    return int(state["tasks"].get("running", 0))


def _told(state: Json, screen: Screen, words: str) -> None:
    if screen.json:
        screen.write(state)
    else:
        screen.show(screen.say(words, queue=state["name"], count=_running(state)))
