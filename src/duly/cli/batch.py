"""`duly batch`: hands in many tasks as one, a line of a file each, and shows how far they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import Refusal
from duly.cli.submit import Terms, Wait, WaitCommand, answer
from duly.cli.tasks import ask, detaching

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_EXAMPLES = """Examples:

duly batch pages.ndjson --type page --app shop:duly --wait

duly batch mixed.ndjson --deliver https://example.org/done

With --type a line is a task's input; without, it is {"task_type": …, "input": {…}} and may have queue,
priority, due, timeout, result_ttl, max_retries, tags, metadata, deliver. Exit code: as `duly submit`."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(cls=WaitCommand, rich_help_panel=panel, epilog=_EXAMPLES)(grouped(batch))


def batch(
    file: Annotated[Path, typer.Argument(help="A JSON object per line; - is stdin.", metavar="FILE.ndjson")],
    terms: Terms,
    place: Place,
    shown: Shown,
    type_: Annotated[
        str | None,
        typer.Option("--type", help="The task type of all lines.", metavar="TYPE", show_default=False),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Fail with the first that fails, and cancel the others.")
    ] = False,
    wait: Wait = None,
) -> None:
    """Hand in many tasks as one: accepted or refused as a whole, one answer when all have ended."""
    from duly.model.batch import BATCH

    input_: Json = {"tasks": members(_source(file), type_)}
    if fail_fast:
        input_["policy"] = "fail_fast"
    options = terms.options()
    with detaching("", shown) as interrupt:

        async def asked(desk: Desk, screen: Screen) -> None:
            task = await desk.submit(BATCH, input_, options)
            interrupt.id_ = task["id"]
            await answer(desk, task, screen, wait)

        ask(place, shown, asked, create=True, handlers=True)


def members(source: bytes, task_type: str | None) -> list[Any]:
    """The tasks that the lines name; empty lines are none.

    Raises:
        Refusal: a line that is not JSON, or that Duly refuses.
    """
    from duly.model import wire
    from duly.model.errors import MalformedJson

    found: list[Any] = []
    for number, line in enumerate(source.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = wire.loads(line)
        except MalformedJson as error:
            raise Refusal(f"line {number}: {error}") from None
        found.append(value if task_type is None else {"task_type": task_type, "input": value})
    return found


def _source(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
