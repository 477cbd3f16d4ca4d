"""`duly endpoint`: where an owner's ended tasks are told to; add, look, rotate, test, disable, remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.grouped import Command, grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import TASK_FAILED, Refusal
from duly.cli.tasks import ask

if TYPE_CHECKING:
    from rich.table import Table

    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EPILOG = """Example: duly endpoint add https://example.org/hook --owner alice --event task.failed

Each request is signed by Standard Webhooks. The secret is shown once, when it is made: by add and by rotate.
After a rotation both secrets sign for a day, so that the receiver can change in peace."""

group = typer.Typer(
    help="Endpoints: where an owner's ended tasks are told to.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(help="The endpoint's id.", metavar="ID")]
Owner = Annotated[str, typer.Option(help="Whose tasks.", metavar="NAME", show_default=False)]
Tenant = Annotated[str, typer.Option(help="Of which tenant.", metavar="NAME", show_default=False)]
Ed25519 = Annotated[
    bool, typer.Option("--ed25519", help="Sign with a private key; the receiver has the other.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    named: dict[str, Command] = {"add": add, "list": list_, "show": show, "rotate": rotate}
    steered: dict[str, Command] = {"disable": disable, "enable": enable}
    more = {"test": test, "resend": resend, "remove": remove}
    for name, command in (*named.items(), *steered.items(), *more.items()):
        group.command(name)(grouped(command))
    app.add_typer(group, name="endpoint", rich_help_panel="Tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an endpoint is to say."""

    event: Annotated[
        list[str] | None, typer.Option(help="task.completed, task.failed or task.cancelled; else all.")
    ] = None
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only of this task type.")] = None
    format_: Annotated[
        str, typer.Option("--format", help="standard-webhooks or cloudevents.", show_default=False)
    ] = ""
    header: Annotated[list[str] | None, typer.Option(help="Sent along.", metavar="NAME:VALUE")] = None
    ordered: Annotated[bool, typer.Option("--ordered", help="One after the other.")] = False

    @property
    def words(self) -> dict[str, Any]:
        """As the API takes them."""
        lists = {"events": self.event, "task_types": self.type_, "format": self.format_ or None}
        given = {name: value for name, value in lists.items() if value is not None}
        return {**given, "headers": _headers(self.header or []), "ordered": self.ordered}


def add(
    receiver: Annotated[str, typer.Argument(help="Where it listens.", metavar="URL")],
    wish: Wish,
    place: Place,
    shown: Shown,
    owner: Owner = "",
    tenant: Tenant = "",
    ed25519: Ed25519 = False,
) -> None:
    """Add an endpoint; its secret is shown this once."""
    said = {"url": receiver, "owner": owner, "tenant": tenant, "ed25519": ed25519, **wish.words}

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.outlets.add(said), screen)

    ask(place, shown, asked, create=True)


def list_(place: Place, shown: Shown, owner: Owner = "", tenant: Tenant = "") -> None:
    """List endpoints: of one owner, or all."""
    whose = {"owner": owner, "tenant": tenant} if owner or tenant else {}

    async def asked(desk: Desk, screen: Screen) -> None:
        found = await desk.outlets.page(whose)
        if screen.json:
            screen.write({"endpoints": found})
        else:
            screen.show(_table(found, screen) if found else screen.say("no_endpoints"))

    ask(place, shown, asked)


def show(id_: Id, place: Place, shown: Shown) -> None:
    """Show one endpoint, without its secret."""

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.outlets.get(id_), screen)

    ask(place, shown, asked)


def rotate(
    id_: Id,
    place: Place,
    shown: Shown,
    window: Annotated[float, typer.Option(help="Seconds for which the old secret signs too.")] = 86_400.0,
    ed25519: Ed25519 = False,
) -> None:
    """Give it a new secret, shown this once; the old one signs too for a day."""
    words: dict[str, Any] = {"window": window, **({"ed25519": True} if ed25519 else {})}

    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.outlets.rotate(id_, words), screen)

    ask(place, shown, asked)


def disable(id_: Id, place: Place, shown: Shown) -> None:
    """Tell it nothing any more; what it is still owed can be sent again later."""
    _steer(id_, place, shown, "disable")


def enable(id_: Id, place: Place, shown: Shown) -> None:
    """Tell it of ends again, from now on."""
    _steer(id_, place, shown, "enable")


def _steer(id_: str, place: Place, shown: Shown, word: str) -> None:
    async def asked(desk: Desk, screen: Screen) -> None:
        _told(await desk.outlets.steer(id_, word), screen)

    ask(place, shown, asked)


def test(id_: Id, place: Place, shown: Shown) -> None:
    """Send it a test event, now; exit code 1 if that was not taken."""

    async def asked(desk: Desk, screen: Screen) -> None:
        said = await desk.outlets.test(id_)
        if screen.json:
            screen.write(said)
        else:
            parts = (said["outcome"], said["code"], said["error"])
            screen.show(" ".join(str(part) for part in parts if part))
        if said["outcome"] != "sent":
            raise typer.Exit(TASK_FAILED)

    ask(place, shown, asked)


def resend(id_: Id, place: Place, shown: Shown) -> None:
    """Send all its dead deliveries again."""

    async def asked(desk: Desk, screen: Screen) -> None:
        said = await desk.outlets.resend(id_)
        if screen.json:
            screen.write(said)
        else:
            screen.show(screen.say("resent", count=said["resent"]))

    ask(place, shown, asked)


def remove(id_: Id, place: Place, shown: Shown) -> None:
    """Forget it; what it is still owed ends as dead."""

    async def asked(desk: Desk, screen: Screen) -> None:
        await desk.outlets.remove(id_)
        if screen.json:
            screen.write({"removed": id_})
        else:
            screen.show(screen.say("endpoint_removed", id=id_))

    ask(place, shown, asked)


def _headers(given: list[str]) -> dict[str, str]:
    pairs = [one.partition(":") for one in given]
    if bad := [name for name, colon, _ in pairs if not colon]:
        raise Refusal(f"a header is NAME:VALUE, not {bad[0]!r}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _told(endpoint: Json, screen: Screen) -> None:
    from duly.cli.screen import clean

    if screen.json:
        screen.write(endpoint)
        return
    screen.show(_table([endpoint], screen))
    for word in ("secret", "public_key"):
        if word in endpoint:
            screen.show(f"{screen.say(word)}: {clean(endpoint[word])}")


def _table(found: list[Json], screen: Screen) -> Table:
    from duly.cli.screen import clean, one_line
    from duly.cli.table import plain_table

    table = plain_table()
    for name in ("id", "owner", "status", "url"):
        table.add_column(screen.say(name), overflow="fold")
    table.add_column(screen.say("note"), overflow="fold")
    for one in found:
        state = screen.status("open" if one["enabled"] else "paused")
        wanted = [*one["events"], *one["task_types"], *(["ordered"] if one["ordered"] else [])]
        note = one["reason"] or " ".join(wanted)
        table.add_row(one["id"], clean(one["owner"]), state, clean(one["url"]), one_line(note))
    return table
