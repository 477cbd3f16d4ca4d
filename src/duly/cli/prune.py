"""`duly prune`: deletes ended tasks now, on a full disk too; workers do the same by themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import DatabaseUrl, Shown
from duly.cli.shell import Refusal

if TYPE_CHECKING:
    from duly.claim.pruner import Pruner, Wanted
    from duly.cli.screen import Screen
    from duly.store.reserve import Reserve

_EPILOG = """Example: duly prune --older-than 7d --type company.report --dry-run

Workers delete by themselves what has been kept long enough (retention_days, result_ttl).

When the disk is full, the reserve beside a SQLite database makes the room that deleting takes."""

_WHICH = "Which tasks"
SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(rich_help_panel=panel, epilog=_EPILOG)(grouped(prune))


def prune(
    shown: Shown,
    database_url: DatabaseUrl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            help="That ended so long ago, whatever they said: 12h, 7d.",
            metavar="SPAN",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            help="That ended before this moment: ISO 8601 with a zone.",
            metavar="WHEN",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Of this task type.", rich_help_panel=_WHICH)
    ] = None,
) -> None:
    """Delete ended tasks that were kept long enough, with all that belongs to them.

    What has not ended, or still owes somebody an answer, is never deleted.
    """
    import asyncio

    from duly.claim.pruner import Wanted
    from duly.cli.screen import Screen

    screen = Screen(shown)
    wanted = Wanted(task_type=type_, ended_before=_moment(older_than, before, screen.now))
    asyncio.run(_prune(database_url, wanted, screen, dry_run))


async def _prune(url: str | None, wanted: Wanted, screen: Screen, dry: bool) -> None:
    from duly.claim.pruner import Pruner
    from duly.cli.footing import database_at
    from duly.cli.trail import tell
    from duly.config import load
    from duly.runtime.app import App
    from duly.runtime.declare import Duly
    from duly.store.reserve import Reserve

    settings = load({"database_url": url})
    reserve = Reserve(database_at(settings, existing=True), settings.reserve)
    if reserve.short and not dry:  # even opening takes room
        reserve.release()
    app = App(settings.model_copy(update={"log_level": "error"}), Duly("none"))
    await app.start()
    try:
        pruner = Pruner(app.database, reserve, emit=app.emit, wanted=wanted, dry=dry)
        await _told(pruner, screen, dry)
        if pruner.tasks and not dry:
            await tell(app, "tasks.prune", str(pruner.tasks))
    finally:
        await app.stop()
    _answer(pruner, reserve, screen, dry)


async def _told(pruner: Pruner, screen: Screen, dry: bool) -> None:
    """Does it; a terminal shows the count grow."""
    if screen.json or not screen.console.is_terminal:
        await pruner.all()
        return
    words = "would_prune" if dry else "pruned"
    with screen.console.status(screen.say(words, count=0)) as status:
        await pruner.all(lambda count: status.update(screen.say(words, count=count)))


def _answer(pruner: Pruner, reserve: Reserve, screen: Screen, dry: bool) -> None:
    if screen.json:
        counts = {"tasks": pruner.tasks, "kept": pruner.kept, "sessions": pruner.sessions}
        screen.write({"dry_run": dry, **counts, "reserve": reserve.kept if reserve.size else None})
        return
    screen.show(screen.say("would_prune" if dry else "pruned", count=pruner.tasks))
    if pruner.kept:
        screen.show(screen.say("prune_kept", count=pruner.kept))
    if reserve.size and not reserve.kept and not dry:
        screen.show(screen.say("no_reserve", path=reserve.path))


def _moment(span: str | None, before: str | None, now: int) -> int | None:
    """Milliseconds UTC before which a task must have ended."""
    if span is not None and before is not None:
        raise Refusal("--older-than and --before say the same in two ways; give one of them")
    if before is not None:
        from duly.submit.admit import moment

        return moment(before, now, "--before")
    return None if span is None else now - _milliseconds(span)


def _milliseconds(span: str) -> int:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?(s|min|m|h|d|w)", span.strip())
    if match is None:
        raise Refusal(f"--older-than: {span!r} is no span of time: a number and s, min, h, d or w, as in 7d")
    return round(float(match[1]) * SECONDS[match[2]] * 1000)
