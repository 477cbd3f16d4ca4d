"""The command: checks what it was given, runs the story, and writes the last line for programs."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Language
from duly.cli.shell import INTERRUPTED, TASK_FAILED, Refusal

if TYPE_CHECKING:
    from duly.cli.screen import Screen

#: The whole demo, and the stopping of its server after it.
SECONDS = 60.0

_EPILOG = """Example: duly demo --file tender.pdf

Needs nothing: no service, no key, no network. It takes some seconds and cleans up after itself.

The last line is JSON for programs: "demo" is "ok", or "failed" with the reason (exit code 1)."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command(rich_help_panel=panel, epilog=_EPILOG)(grouped(demo))


def demo(
    file: Annotated[
        Path | None, typer.Option(help="Your own tender (PDF, DOCX, text) in place of the sample.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with database and log.")] = False,
    lang: Annotated[Language | None, typer.Option(help="The language of the story; else by LANG.")] = None,
) -> None:
    """Hand in a document, kill the server half-way, and see that nothing is lost or done twice."""
    from duly.cli.options import Shown
    from duly.cli.screen import Screen

    document = _document(file)
    folder, screen = Path(tempfile.mkdtemp(prefix="duly-demo-")), Screen(Shown(lang=lang))
    try:
        last, code = _played(document, folder, screen)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        screen.show(str(folder))
    print(json.dumps(last, ensure_ascii=False, separators=(",", ":")), flush=True)
    raise typer.Exit(code)


class Document(NamedTuple):
    """What is handed in."""

    name: str
    data: bytes


def _document(file: Path | None) -> Document:
    if file is None:
        from duly_apps.tender.samples import sample

        file = sample("smart-campus-zh.pdf")
    if not file.is_file():
        raise Refusal(f"--file: there is no file {file}")
    document = Document(file.name, file.read_bytes())
    if not document.data:
        raise Refusal(f"--file: {file} is empty")
    return document


def _played(document: Document, folder: Path, screen: Screen) -> tuple[dict[str, Any], int]:
    """The last line and the exit code, whatever happened."""
    import asyncio

    try:
        return asyncio.run(_in_time(document, folder, screen)), 0
    except TimeoutError:
        reason = f"not done within {SECONDS:g} s"
    except (KeyboardInterrupt, asyncio.CancelledError):
        return {"demo": "failed", "reason": "interrupted"}, INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line is owed to programs, whatever broke
        reason = f"{error}" or repr(error)
    return {"demo": "failed", "reason": reason}, TASK_FAILED


async def _in_time(document: Document, folder: Path, screen: Screen) -> dict[str, Any]:
    import asyncio

    from duly.cli.demo.story import tell

    me = asyncio.current_task()
    if me is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with asyncio.timeout(SECONDS):
        return await tell(document, folder, screen)
