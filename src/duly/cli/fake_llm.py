"""`duly fake-llm`: a model server of our own with scripted faults, to rehearse outages without a bill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from duly.llm.fake.server import FakeServer

_EPILOG = """Example: duly fake-llm --port 8099 --script faults.toml

A script names faults and the calls that meet them, as [[fault]] kind = "rate_limit" first = 3.

Kinds: error, rate_limit, quota, unauthorized, arrearage, filtered, html, broken_json, no_usage, no_choices,
length, truncated, drip, hang, reset, endless, inner_error. Answers are made from the prompt and labelled as
scripted.

GET /_log tells each request, GET /_bill what was billed."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the command."""
    app.command("fake-llm", rich_help_panel=panel, epilog=_EPILOG)(fake_llm)


def fake_llm(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8099,
    script: Annotated[
        Path | None, typer.Option(help="A TOML file of faults and answers.", metavar="FILE")
    ] = None,
) -> None:
    """Serve an OpenAI-compatible model on loopback that answers by a script and fails by a script."""
    import asyncio
    import contextlib

    from duly.llm.fake.script import Script, read
    from duly.llm.fake.server import serve

    found = read(script) if script is not None else Script()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(port, found, _told))


def _told(server: FakeServer) -> None:
    print(f"fake-llm: {server.url} (scripted; log and bill at /_log and /_bill)", flush=True)
