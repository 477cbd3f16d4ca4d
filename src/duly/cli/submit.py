"""`duly submit`: hands in one task, and waits for its end if asked to."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from duly.cli.grouped import grouped
from duly.cli.options import Place, Shown
from duly.cli.shell import NOT_ENDED, Refusal
from duly.cli.tasks import ask, detaching, fail_if_failed

if TYPE_CHECKING:
    from duly.cli.desk import Desk, Json
    from duly.cli.screen import Screen

_INPUT = "Input"
_TERMS = "Terms"


def _option(panel: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel=panel, metavar=metavar, show_default=False, **more)


Wait = Annotated[
    float | None,
    _option("Answer", "Follow it to its end, for SECONDS at most, and show the result.", "[SECONDS]", min=0),
]


class WaitCommand(TyperCommand):
    """Lets `--wait` stand alone, for as long as it takes; Typer has no option whose value may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives a lone `--wait` its value."""
        end = args.index("--") if "--" in args else len(args)
        for place in [at for at, one in enumerate(args[:end]) if one == "--wait"]:
            follows = args[place + 1] if place + 1 < len(args) else ""
            args[place] = "--wait" if re.fullmatch(r"\d+(\.\d*)?", follows) else "--wait=inf"
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The handler's input, in any of the ways to write it; they add up."""

    input: Annotated[
        str | None, _option(_INPUT, "A JSON object; @FILE reads it from a file, @- from stdin.", "JSON|@FILE")
    ] = None
    file: Annotated[Path | None, _option(_INPUT, "Uploads a document as the input `file`.", "DOC")] = None
    text: Annotated[str | None, _option(_INPUT, "The input `text`.", "TEXT")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What else a task may be told; a field's name is the API's."""

    priority: Annotated[int | None, _option(_TERMS, "1..10, the larger the sooner (5).", "1..10")] = None
    due: Annotated[
        str | None, _option(_TERMS, "Not before: ISO 8601 with a zone, or seconds from now.", "WHEN")
    ] = None
    deadline: Annotated[str | None, _option(_TERMS, "Of no use after: as --due.", "WHEN")] = None
    timeout: Annotated[float | None, _option(_TERMS, "Seconds that one attempt may last.", "SECONDS")] = None
    result_ttl: Annotated[
        float | None, _option(_TERMS, "Seconds that it is kept once it has ended (at least 60).", "SECONDS")
    ] = None
    max_retries: Annotated[int | None, _option(_TERMS, "Retries after the first attempt.", "N")] = None
    queue: Annotated[
        str | None, _option(_TERMS, "Where it waits, if not in its handler's queue.", "NAME")
    ] = None
    idempotency_key: Annotated[
        str | None, _option(_TERMS, "Sent again with this key, it is the same task.", "KEY")
    ] = None
    unique: Annotated[str | None, _option(_TERMS, "One living task of this type with this key.", "KEY")] = (
        None
    )
    tag: Annotated[list[str] | None, _option(_TERMS, "A tag; may be given again.", "TAG")] = None
    metadata: Annotated[str | None, _option(_TERMS, "A JSON object kept with the task.", "JSON|@FILE")] = None
    owner: Annotated[str | None, _option(_TERMS, "For whom.", "NAME")] = None
    deliver: Annotated[
        list[str] | None, _option(_TERMS, "Where the answer goes, too; may be given again.", "URL|inbox")
    ] = None

    def options(self) -> Json:
        """The fields of the API's request that were given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given["tags"] = given.pop("tag")
        given["metadata"] = None if self.metadata is None else json_object(self.metadata, "--metadata")
        given |= {name: _moment(given[name]) for name in ("due", "deadline")}
        return {name: value for name, value in given.items() if value not in (None, [])}


_EXAMPLES = """Examples:

duly submit bidding_analysis --file tender.pdf --apps tender --wait

duly submit company.report company=ACME depth=2 --app shop:duly --deliver inbox

Try it first with --wait. Exit code: 0 done or accepted, 1 the task failed, 3 not ended in time."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(cls=WaitCommand, rich_help_panel=panel, epilog=_EXAMPLES)(grouped(submit))


def submit(
    task_type: Annotated[str, typer.Argument(help="A declared task type.", metavar="TYPE")],
    given: Given,
    terms: Terms,
    place: Place,
    shown: Shown,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Input as key=value; a value that is JSON is taken as JSON.", metavar="KEY=VALUE"
        ),
    ] = None,
    wait: Wait = None,
) -> None:
    """Hand in a task; the answer means that it is on stable storage."""
    input_, options = input_of(given, pairs or []), terms.options()
    with detaching("", shown) as interrupt:

        async def asked(desk: Desk, screen: Screen) -> None:
            if given.file is not None:
                _add(input_, "file", await desk.upload(given.file))
            task = await desk.submit(task_type, input_, options)
            interrupt.id_ = task["id"]
            await answer(desk, task, screen, wait)

        ask(place, shown, asked, create=True, handlers=True)


async def answer(desk: Desk, task: Json, screen: Screen, wait: float | None) -> None:
    """Says that a task was accepted, or follows it for so many seconds and shows how it has ended.

    Raises:
        Refusal: it has not ended in time.
    """
    if wait is None:
        if screen.json:
            screen.write(task)
        else:
            screen.show(f"{task['id']}  {screen.say('accepted')}")
        return
    from duly.cli.progress import show_end, watched

    task = await watched(desk, task["id"], screen, seconds=wait)
    show_end(task, screen)
    fail_if_failed(task)
    if not task["completed_at"]:
        raise Refusal(screen.say("not_ended", seconds=wait, id=task["id"]), code=NOT_ENDED)


def input_of(given: Given, pairs: list[str]) -> Json:
    """The input that the options and the pairs add up to.

    Raises:
        Refusal: one that cannot be read, or given twice.
    """
    value = {} if given.input is None else json_object(given.input, "--input")
    if given.text is not None:
        _add(value, "text", given.text)
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise Refusal(f"{pair!r} is not key=value; a whole object goes into --input")
        _add(value, name, _value(text))
    if given.file is not None and not given.file.is_file():
        raise Refusal(f"--file: there is no file {given.file}")
    return value


def _add(value: Json, name: str, one: Any) -> None:
    if name in value:
        raise Refusal(f"the input {name!r} is given twice")
    value[name] = one


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself: n=3 is a number, name=ACME a text."""
    from duly.model import wire
    from duly.model.errors import MalformedJson

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    try:
        return wire.loads(text)
    except MalformedJson as error:
        raise Refusal(f"{text[:40]}: {error}") from None


def json_object(text: str, what: str) -> Json:
    """The JSON object of an option: written out, or in a file after `@`.

    Raises:
        Refusal: no such file, not JSON, JSON that Duly refuses, or not an object.
    """
    from duly.model import wire
    from duly.model.errors import MalformedJson

    try:
        value = wire.loads(_source(text, what))
    except MalformedJson as error:
        raise Refusal(f"{what}: {error}") from None
    if not isinstance(value, dict):
        raise Refusal(f"{what} must be a JSON object, not {type(value).__name__}")
    return value


def _source(text: str, what: str) -> bytes | str:
    if not text.startswith("@"):
        return text
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise Refusal(f"{what}: {text[1:]}: {error.strerror}") from None


def _moment(text: str | None) -> str | float | None:
    """Seconds from now as a number, an ISO moment as the text it is."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return text
    if not math.isfinite(seconds):
        raise Refusal(f"{text!r} is no moment: give seconds from now, or ISO 8601 with a zone")
    return seconds
