"""`duly db copy` and `duly db unseal`: an installation moves to another database while it is used."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.options import Shown
from duly.cli.screen import Screen
from duly.cli.shell import Refusal

if TYPE_CHECKING:
    from duly.store.copying.move import Move
    from duly.store.database import Database

#: Between two passes of --follow, in seconds.
FOLLOW_SECONDS = 5.0

Source = Annotated[str, typer.Argument(help="The database to leave, as a URL.", metavar="SRC")]
Destination = Annotated[str, typer.Argument(help="An empty database to move to.", metavar="DST")]


def copy(
    source: Source,
    destination: Destination,
    shown: Shown,
    follow: Annotated[
        bool, typer.Option("--follow", help="Only copy and keep up, until Ctrl-C; SRC stays open.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, seal SRC and move.")] = False,
) -> None:
    """Move an installation to another database, while it accepts tasks.

    Rows are copied while SRC works. Then SRC is sealed: it answers 503 and starts nothing. What changed
    meanwhile is copied, all is verified, and DST is open. Killed, it goes on when it is started again.
    """
    from duly.store.copying.move import Move

    screen = Screen(shown)
    if not (follow or yes or sys.stdin.isatty()):
        raise Refusal("moving seals the source; add --yes, or --follow to copy and keep up only")
    move = Move(_database(source, existing=True), _database(destination))
    try:
        with _Display(screen) as display:
            move.told = display.show
            move.prepare()
            if follow and move.sealed:
                raise Refusal(f"{move.source.database.place} is sealed already; without --follow it moves")
            _copy(move)
            if follow:
                _follow(move, screen, display)
                return
        if not (yes or move.sealed) and not typer.confirm(
            screen.say("seal_now", place=move.source.database.place)
        ):
            raise Refusal(screen.say("not_moved"))
        with _Display(screen) as display:
            move.told = display.show
            move.cut_over()
    finally:
        move.close()
    _answer(move, screen)


def unseal(
    source: Annotated[str, typer.Argument(help="The database that was left, as a URL.", metavar="SRC")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Yes, what the other one has accepted since stays there.")
    ] = False,
) -> None:
    """Open a database again that `duly db copy` has sealed.

    Stop whatever works on the other one first: both would run the same tasks.
    """
    from duly.store.copying.seal import unseal as open_again
    from duly.store.copying.side import Side

    database = _database(source, existing=True)
    if not yes:
        raise Refusal(f"{database.place}: stop what runs on the other database first, then add --yes")
    side = Side(database)
    try:
        moved_to = open_again(side)
    finally:
        side.close()
    print(f"{database.place} is open again; it had moved to {moved_to}")


def _copy(move: Move) -> None:
    if not move.sealed:
        move.copy()
        move.come_near()


def _follow(move: Move, screen: Screen, display: _Display) -> None:
    import time

    passes = written = 0
    try:
        while True:
            written = move.keep_up()
            passes += 1
            display.say(screen.say("copy_alike", count=written))
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        pass
    if screen.json:
        screen.write({"moved": False, "rows": move.done.rows, "passes": passes, "written_last": written})
    else:
        screen.show(screen.say("copy_followed"))


def _answer(move: Move, screen: Screen) -> None:
    done, place = move.done, move.destination.database.place
    if screen.json:
        screen.write({"moved": True, "destination": place, **asdict(done)})
        return
    rows = sum(one["rows"] for one in done.tables.values())
    tasks = done.tables["task"]["rows"]
    screen.show(screen.say("moved_to", place=place, rows=rows, tasks=tasks, seconds=done.sealed_seconds))
    if done.handed_back:
        screen.show(screen.say("moved_back", count=done.handed_back))
    screen.show(screen.say("moved_next", source=move.source.database.place))


class _Display:
    """A line that says where the copy is; nothing where there is no terminal."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._status: AbstractContextManager[Any] = nullcontext()
        if not screen.json and screen.console.is_terminal:
            self._status = screen.console.status(screen.say("copy_begins"))

    def __enter__(self) -> _Display:
        self._line = self._status.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._status.__exit__(*problem)

    def show(self, phase: str, table: str, rows: int) -> None:
        """After each part."""
        self.say(self._screen.say(f"copy_{phase}", table=table, rows=f"{rows:,}"))

    def say(self, words: str) -> None:
        """These words instead."""
        if self._line is not None:
            self._line.update(words)


def _database(url: str, *, existing: bool = False) -> Database:
    from duly.cli.footing import database_at
    from duly.config import load

    settings = load({"database_url": url}).model_copy(update={"database_listen_url": ""})
    return database_at(settings, existing=existing)
