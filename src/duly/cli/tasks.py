"""Commands on tasks that exist: ls, show, watch, cancel, retry, signal, why, stats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import INTERRUPTED, TASK_FAILED, Refusal
from duly.cli.words import moment_ago

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

PANEL = "Tasks"
Id = Annotated[str, typer.Argument(help="The task's id, or its last 6 or more characters.", metavar="ID")]
_FILTER = "Which tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks a list or a count means."""

    status: Annotated[
        str | None, typer.Option(help="In this state, such as failed.", rich_help_panel=_FILTER)
    ] = None
    type: Annotated[str | None, typer.Option(help="Of this task type.", rich_help_panel=_FILTER)] = None
    queue: Annotated[str | None, typer.Option(help="In this queue.", rich_help_panel=_FILTER)] = None
    owner: Annotated[str | None, typer.Option(help="Of this owner.", rich_help_panel=_FILTER)] = None
    tag: Annotated[str | None, typer.Option(help="With this tag.", rich_help_panel=_FILTER)] = None
    parent: Annotated[
        str | None,
        typer.Option(help="Children of this task (id, or its last characters).", rich_help_panel=_FILTER),
    ] = None
    error: Annotated[
        str | None, typer.Option(help="Failed with this error code.", rich_help_panel=_FILTER)
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            help="Ended since: 90s, 30min, 2h, 7d ago, or ISO 8601 with a zone.", rich_help_panel=_FILTER
        ),
    ] = None

    def filter(self) -> dict[str, str]:
        """The words that were given, as the API names them."""
        words = {name: value for name, value in asdict(self).items() if value is not None}
        if self.since is not None:
            words["since"] = moment_ago(self.since)
        named = {"type": "task_type", "error": "error_code"}
        return {named.get(name, name): value for name, value in words.items()}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command, epilog in (
        (ls, "Example: duly ls --status failed --limit 50"),
        (show, "Example: duly show 3f9a61c2"),
        (watch, "Example: duly watch 3f9a61c2"),
        (why, "Try it first when a task does not move. Example: duly why 3f9a61c2"),
        (cancel, "Example: duly cancel 3f9a61c2"),
        (retry, "Example: duly retry 3f9a61c2"),
        (signal, 'Example: duly signal 3f9a61c2 approve --data \'{"by": "ann"}\''),
        (stats, "Example: duly stats --owner alice --json"),
    ):
        app.command(rich_help_panel=PANEL, epilog=epilog)(grouped(command))


def ls(
    wanted: Wanted,
    place: Place,
    shown: Shown,
    limit: Annotated[
        int, typer.Option(min=1, max=200, help="How many, newest first.", rich_help_panel=_FILTER)
    ] = 20,
) -> None:
    """List the newest tasks."""
    from duly.cli.table import task_table

    async def asked(desk: Desk, screen: Screen) -> None:
        tasks = await desk.page(await narrowed(desk, wanted), limit)
        if screen.json:
            screen.write({"tasks": tasks})
        elif not tasks:
            screen.show(screen.say("nothing_fits" if wanted.filter() else "none"))
        else:
            screen.show(task_table(tasks, screen))
            if len(tasks) == limit:
                screen.show(screen.say("newest", count=limit))

    ask(place, shown, asked)


def show(id_: Id, place: Place, shown: Shown) -> None:
    """Show all that is known of a task: facts, attempts, steps, deliveries, timeline, result."""
    from duly.cli.sheet import sheet

    async def asked(desk: Desk, screen: Screen) -> None:
        seen = await all_of(desk, await _resolved(desk, id_))
        if screen.json:
            screen.write(seen)
        else:
            screen.show(*sheet(seen, screen))

    ask(place, shown, asked)


def watch(id_: Id, place: Place, shown: Shown) -> None:
    """Follow a task live to its end; Ctrl-C leaves it running."""
    from duly.cli.progress import show_end, watched

    async def asked(desk: Desk, screen: Screen) -> None:
        task = await watched(desk, await _resolved(desk, id_), screen)
        show_end(task, screen)
        fail_if_failed(task)

    with detaching(id_, shown):
        ask(place, shown, asked)


def why(id_: Id, place: Place, shown: Shown) -> None:
    """Say why a task stands where it stands."""

    async def asked(desk: Desk, screen: Screen) -> None:
        said = await desk.why(await _resolved(desk, id_))
        if screen.json:
            screen.write(said)
            return
        from duly.cli.screen import clean

        texts = [clean(reason["text"]) for reason in said["reasons"]] or [clean(said["summary"])]
        screen.show(screen.status(said["status"]), *texts)

    ask(place, shown, asked)


def cancel(id_: Id, place: Place, shown: Shown) -> None:
    """Cancel a task: at once, or as soon as its running attempt has stopped."""

    async def asked(desk: Desk, screen: Screen) -> None:
        before = await desk.get(await _resolved(desk, id_))
        task = await desk.cancel(before["id"])
        words = "cancelled" if task["status"] == "cancelled" else "cancel_asked"
        _steered(task, screen, "already" if before["completed_at"] else words)

    ask(place, shown, asked)


def retry(id_: Id, place: Place, shown: Shown) -> None:
    """Give a failed or cancelled task another run; its recorded steps are not computed again."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _steered(await desk.retry(await _resolved(desk, id_)), screen, "again")

    ask(place, shown, asked)


def signal(
    id_: Id,
    name: Annotated[
        str, typer.Argument(help="What its handler waits for: ctx.wait_for(NAME).", metavar="NAME")
    ],
    place: Place,
    shown: Shown,
    data: Annotated[str, typer.Option(help="A JSON value: what the wait answers.", metavar="JSON")] = "null",
    key: Annotated[
        str | None, typer.Option("--id", help="The same again is the same signal, not another one.")
    ] = None,
) -> None:
    """Tell a task what it waits for, or will wait for: it is kept until then, and taken once."""
    from duly.model import wire

    async def asked(desk: Desk, screen: Screen) -> None:
        said = wire.loads(data)
        _steered(await desk.signal(await _resolved(desk, id_), name, said, key), screen, "said")

    ask(place, shown, asked)


def stats(wanted: Wanted, place: Place, shown: Shown) -> None:
    """Count tasks by state."""
    from duly.cli.table import plain_table

    async def asked(desk: Desk, screen: Screen) -> None:
        answer = await desk.stats(await narrowed(desk, wanted))
        if screen.json:
            screen.write(answer)
            return
        table = plain_table(header=False)
        table.add_column()
        table.add_column(justify="right")
        for status, count in answer["stats"].items():
            table.add_row(screen.status(status), str(count))
        table.add_row(screen.say("total"), str(sum(answer["stats"].values())))
        screen.show(table)

    ask(place, shown, asked)


def _steered(task: Json, screen: Screen, words: str) -> None:
    if screen.json:
        screen.write(task)
    else:
        screen.show(f"{task['id']}  {screen.say(words)}")


async def all_of(desk: Desk, id_: str) -> Json:
    """The task with its timeline, and what that says of attempts and steps."""
    from duly.cli import history

    task, events = await desk.get(id_), await desk.timeline(id_)
    known = {"task": task, "attempts": history.attempts(events), "steps": history.steps(events)}
    known["jobs"] = history.jobs(events)
    counted = (await desk.stats({"parent": id_}))["stats"]
    known["children"] = {status: count for status, count in counted.items() if count}
    return {**known, "deliveries": await desk.deliveries(id_), "events": events}


async def narrowed(desk: Desk, wanted: Wanted) -> dict[str, str]:
    """The words of a filter; a parent's short id is looked up."""
    words = wanted.filter()
    if wanted.parent is not None:
        words["parent"] = await _resolved(desk, wanted.parent)
    return words


async def _resolved(desk: Desk, text: str) -> str:
    from duly.cli.desk import resolved

    return await resolved(desk, text)


Asked = Callable[["Desk", "Screen"], Awaitable[None]]


def ask(place: Place, shown: Shown, asked: Asked, **desk_options: Any) -> None:
    """Opens the desk that the options name, asks, closes it."""
    import asyncio

    from duly.cli.desk import opened
    from duly.cli.screen import Screen

    screen = Screen(shown)

    async def run() -> None:
        async with opened(place, screen.language, **desk_options) as desk:
            await asked(desk, screen)

    asyncio.run(run())


class detaching:  # noqa: N801 - reads as what happens in the block: Ctrl-C detaches
    """Turns Ctrl-C into the line that says the task goes on, and how to come back to it."""

    def __init__(self, id_: str, shown: Shown) -> None:
        self.id_ = id_
        self._shown = shown

    def __enter__(self) -> detaching:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.id_ and kind is not None and issubclass(kind, KeyboardInterrupt):
            from duly.cli.words import language, say

            raise Refusal(
                say("detached", language(self._shown.lang), id=self.id_), code=INTERRUPTED
            ) from None


def fail_if_failed(task: Json) -> None:
    """Ends the command with exit code 1 for a task that ended without a result."""
    if task["status"] in ("failed", "cancelled"):
        raise typer.Exit(TASK_FAILED)
