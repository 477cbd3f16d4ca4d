"""`duly deliveries` and `duly inbox`: what was told to whom, and what stands in an inbox."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import Refusal
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_PANEL = "Tasks"


def _text(about: str, metavar: str) -> Any:
    return typer.Option(help=about, metavar=metavar, show_default=False)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("deliveries", rich_help_panel=_PANEL)(grouped(deliveries))
    app.command("inbox", rich_help_panel=_PANEL)(grouped(inbox))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which deliveries."""

    status: Annotated[str, _text("held, pending, sending, delivered or dead.", "WORD")] = ""
    endpoint: Annotated[str, _text("Only to this endpoint.", "ID")] = ""
    task: Annotated[str, _text("Only of this task.", "ID")] = ""
    before: Annotated[str, _text("Only those older than this one.", "ID")] = ""
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20

    @property
    def words(self) -> dict[str, str]:
        """As the API takes them."""
        return {name: str(value) for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Which lines of whose inbox."""

    owner: Annotated[str, _text("Whose.", "NAME")] = ""
    tenant: Annotated[str, _text("Of which tenant.", "NAME")] = ""
    unread: Annotated[bool, typer.Option("--unread", help="Only unread lines.")] = False
    after: Annotated[int, typer.Option(min=0, help="Only lines after this number.", metavar="N")] = 0
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 100

    @property
    def whose(self) -> dict[str, str]:
        """As the API takes it."""
        return {"owner": self.owner, "tenant": self.tenant}

    @property
    def words(self) -> dict[str, str]:
        """As the API takes them."""
        place = {"after": str(self.after), "limit": str(self.limit)}
        return {**self.whose, **place, **({"unread": "true"} if self.unread else {})}


def deliveries(
    chosen: Chosen,
    place: Place,
    shown: Shown,
    resend: Annotated[str, _text("Send this dead one again, at once.", "ID")] = "",
) -> None:
    """List deliveries, the newest first: how often each was sent, and how it ended."""

    async def asked(desk: Desk, screen: Screen) -> None:
        outlets = desk.outlets
        found = [await outlets.redeliver(resend)] if resend else await outlets.deliveries(chosen.words)
        if screen.json:
            screen.write({"deliveries": found})
        elif not found:
            screen.show(screen.say("no_deliveries"))
        else:
            _show(found, screen)

    ask(place, shown, asked)


def inbox(
    lines: Lines,
    place: Place,
    shown: Shown,
    read: Annotated[list[int] | None, typer.Option(help="Mark this line as read.", metavar="N")] = None,
    read_up_to: Annotated[
        int | None, typer.Option(help="Mark all lines up to this one as read.", metavar="N")
    ] = None,
    read_all: Annotated[bool, typer.Option("--read-all", help="Mark all lines as read.")] = False,
) -> None:
    """List the lines of an inbox, the oldest first, or mark them as read."""
    marking: dict[str, Any] = {"ids": read} if read else {}
    marking |= {} if read_up_to is None else {"up_to": read_up_to}
    if len(marking) + read_all > 1:
        raise Refusal("say once what becomes read: --read N, --read-up-to N, or --read-all")

    async def asked(desk: Desk, screen: Screen) -> None:
        if not marking and not read_all:
            _lines(await desk.outlets.lines(lines.words), screen)
            return
        said = await desk.outlets.mark({**lines.whose, **marking})
        if screen.json:
            screen.write(said)
        else:
            screen.show(screen.say("marked", count=said["changed"], unread=said["unread"]))

    ask(place, shown, asked)


def _show(found: list[Json], screen: Screen) -> None:
    from duly.cli.screen import clean, one_line
    from duly.cli.table import plain_table

    table = plain_table()
    for name in ("id", "channel", "status", "attempts", "target", "last"):
        table.add_column(screen.say(name).lower(), overflow="fold")
    for one in found:
        last = " ".join(str(part) for part in (one["outcome"], one["last_code"], one["last_error"]) if part)
        target = clean(one["url"] or one["endpoint_id"] or "")
        sends = (screen.status(one["status"]), str(one["attempt"]))
        table.add_row(one["id"], one["channel"], *sends, target, one_line(last))
    screen.show(table)


def _lines(found: list[Json], screen: Screen) -> None:
    from duly.cli.screen import one_line
    from duly.cli.table import plain_table

    if screen.json:
        screen.write({"notifications": found})
        return
    if not found:
        screen.show(screen.say("empty_inbox"))
        return
    table = plain_table(header=False)
    for one in found:
        mark = " " if one["read_at"] else "*"
        table.add_row(
            str(one["id"]), mark, one["created_at"], one_line(one["title"]), one_line(one["message"])
        )
    screen.show(table)
