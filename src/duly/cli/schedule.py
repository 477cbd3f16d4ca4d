"""`duly schedule`: tasks that are submitted again and again, by a cron line or an interval."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.submit import Given, Terms, input_of
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from rich.table import Table

    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_BEAT = "When"
_EPILOG = """Examples:

duly schedule add morning company.report company=ACME --cron "0 8 * * 1-5" --zone Asia/Shanghai

duly schedule next morning

Workers submit the ticks, each once however many of them run: duly serve, or duly worker."""

group = typer.Typer(
    help="Schedules: ls, add, show, next, pause, resume, run, rm.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(help="The schedule's name.", metavar="NAME")]
Tenant = Annotated[str, typer.Option(help="Of which tenant it is.", metavar="NAME", show_default=False)]


def _option(text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=text, rich_help_panel=_BEAT, metavar=metavar, show_default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When it ticks; a field's name is the API's."""

    cron: Annotated[
        str | None, _option("Five fields: minute hour day month weekday, such as '0 8 * * 1-5'.", "LINE")
    ] = None
    zone: Annotated[str | None, _option("The line's time zone, such as Asia/Shanghai (UTC).", "ZONE")] = None
    every: Annotated[float | None, _option("Seconds from tick to tick, in place of --cron.", "SECONDS")] = (
        None
    )
    catch_up: Annotated[
        str | None,
        _option("Ticks that fell while no worker ran: the last one of them, none, or all.", "one|skip|all"),
    ] = None
    catch_up_most: Annotated[int | None, _option("How many `all` makes up for (100).", "N")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What else is said of a new schedule."""

    input: Annotated[
        str | None, typer.Option(help="A JSON object; @FILE reads it from a file.", metavar="JSON|@FILE")
    ] = None
    replace: Annotated[bool, typer.Option("--replace", help="Replace one of this name; a pause stays.")] = (
        False
    )
    tenant: Tenant = ""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    for command, epilog in (
        (ls, "Example: duly schedule ls"),
        (add, _EPILOG + "\n\n--due and --deadline are seconds after each tick."),
        (show, "Example: duly schedule show morning"),
        (next_, "Example: duly schedule next morning --count 10"),
        (pause, "Example: duly schedule pause morning"),
        (resume, "Example: duly schedule resume morning"),
        (run, "Example: duly schedule run morning"),
        (rm, "Example: duly schedule rm morning"),
    ):
        group.command(command.__name__.rstrip("_"), epilog=epilog)(grouped(command))
    app.add_typer(group, name="schedule", rich_help_panel=panel)


def ls(place: Place, shown: Shown) -> None:
    """List the schedules: when they tick, and when next."""

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.schedules.page()
        if screen.json:
            screen.write({"schedules": found})
        else:
            screen.show(_table(found, screen) if found else screen.say("no_schedules"))

    ask(place, shown, asked)


def add(
    name: Name,
    task_type: Annotated[str, typer.Argument(help="A declared task type.", metavar="TYPE")],
    when: When,
    how: How,
    terms: Terms,
    place: Place,
    shown: Shown,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Input as key=value; a value that is JSON is taken as JSON.", metavar="KEY=VALUE"
        ),
    ] = None,
) -> None:
    """Add a schedule: a task that is submitted at each tick."""
    given = {word: value for word, value in asdict(when).items() if value is not None}
    options = {**terms.options(), **given} | ({"tenant": how.tenant} if how.tenant else {})
    value = input_of(Given(input=how.input), pairs or [])

    async def asked(desk: Desk, screen: Screen) -> None:
        kept = await desk.schedules.keep(name, task_type, value, options, replaces=how.replace)
        _told(kept, screen, "paused" if kept["paused"] else "kept")

    ask(place, shown, asked, create=True, handlers=True)


def show(name: Name, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Show what a schedule says, and how it stands."""

    async def asked(desk: Desk, screen: Screen) -> None:
        one = await desk.schedules.get((tenant, name))
        if screen.json:
            screen.write(one)
        else:
            screen.show(_sheet(one, screen))

    ask(place, shown, asked)


def next_(
    name: Name,
    place: Place,
    shown: Shown,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 5,
    tenant: Tenant = "",
) -> None:
    """Print the next ticks, in the schedule's time zone."""

    async def asked(desk: Desk, screen: Screen) -> None:
        coming = await desk.schedules.coming((tenant, name), count)
        if screen.json:
            screen.write({"name": name, "next": coming})
            return
        zone = (await desk.schedules.get((tenant, name)))["zone"]
        screen.show(*[_local(tick, zone) for tick in coming])

    ask(place, shown, asked)


def pause(name: Name, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Stop a schedule's ticks; tasks that were submitted run on."""
    _steer(place, shown, (tenant, name), "pause", "paused")


def resume(name: Name, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Let a schedule tick again; what fell into the pause is not made up for."""
    _steer(place, shown, (tenant, name), "resume", "resumed")


def _steer(place: Place, shown: Shown, key: tuple[str, str], word: str, said: str) -> None:
    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.schedules.steer(key, word), screen, said)

    ask(place, shown, asked)


def run(name: Name, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Submit a schedule's task now, beside its ticks."""

    async def asked(desk: Desk, screen: Screen) -> None:
        task = await desk.schedules.run((tenant, name))
        if screen.json:
            screen.write(task)
        else:
            screen.show(f"{task['id']}  {screen.say('accepted')}")

    ask(place, shown, asked)


def rm(name: Name, place: Place, shown: Shown, tenant: Tenant = "") -> None:
    """Remove a schedule; tasks that were submitted stay. What the code declares can be paused only."""

    async def asked(desk: Desk, screen: Screen) -> None:
        await desk.schedules.remove((tenant, name))
        if screen.json:
            screen.write({"name": name, "removed": True})
        else:
            screen.show(f"{name}  {screen.say('removed')}")

    ask(place, shown, asked)


def _told(one: Json, screen: Screen, words: str) -> None:
    if screen.json:
        screen.write(one)
    else:
        at = _local(one["next_at"], one["zone"]) if one["next_at"] else ""
        screen.show(f"{one['name']}  {screen.say(words, at=at)}")


def _local(moment: str, zone: str | None) -> str:
    """A moment as the clocks of a zone show it."""
    from duly.model.calendar import zone_of

    at = dt.datetime.fromisoformat(moment)
    return at.astimezone(zone_of(zone) if zone else dt.UTC).isoformat(sep=" ", timespec="seconds")


def _table(found: list[Json], screen: Screen) -> Table:
    from duly.cli.screen import clean
    from duly.cli.table import plain_table

    table = plain_table()
    for word in ("name", "when", "type", "next", "last_at"):
        table.add_column(screen.say(word), overflow="fold")
    table.add_column(screen.say("note"), overflow="fold")
    for one in found:
        said = [clean(one["name"]), _when(one, screen), clean(one["task_type"])]
        times = [_distance(one[word], screen) for word in ("next_at", "last_at")]
        table.add_row(*said, *times, _note(one, screen))
    return table


def _when(one: Json, screen: Screen) -> str:
    from duly.cli.screen import clean
    from duly.cli.words import span

    if one["cron"] is None:
        return screen.say("every", span=span(one["every"] * 1000, screen.language))
    return clean(f"{one['cron']}  {one['zone']}")


def _distance(moment: str | None, screen: Screen) -> str:
    """How far off a moment is, as people say it."""
    from duly.cli.words import span
    from duly.clock import parse_iso

    if moment is None:
        return ""
    ahead = parse_iso(moment) - screen.now
    return screen.say("in" if ahead > 0 else "ago", span=span(abs(ahead), screen.language))


def _note(one: Json, screen: Screen) -> str:
    from duly.cli.screen import clean

    said = [screen.say("paused")] if one["paused"] else []
    said += [screen.say("by_code", source=clean(one["source"]))] if one["source"] else []
    return ", ".join(said)


_TOLD = (
    *("last_at", "last_task_id", "catch_up", "source", "task_type", "input", "tenant", "owner", "queue"),
    *("priority", "due", "deadline", "timeout", "max_retries", "unique", "tags", "metadata", "deliver"),
    *("created_at", "updated_at"),
)


def _sheet(one: Json, screen: Screen) -> Table:
    """All that is known of it, a line each; what says nothing is left out."""
    from duly.cli.screen import clean
    from duly.cli.table import plain_table

    table = plain_table(header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(screen.say("name"), clean(one["name"]))
    table.add_row(screen.say("when"), _when(one, screen))
    if one["paused"]:
        table.add_row(screen.say("paused"), screen.say("yes"))
    for tick in one["next"]:
        table.add_row(screen.say("next"), _local(tick, one["zone"]))
    for word in _TOLD:
        if one[word] not in (None, "", [], {}):
            value = one[word]
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            table.add_row(screen.say(word), clean(text))
    return table
