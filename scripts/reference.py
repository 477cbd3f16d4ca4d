"""Writes docs/en/reference.md from the code: settings, states, events, errors, routes, commands.

`make docs` writes it, a test compares it: the page cannot drift.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "en" / "reference.md"


def settings() -> Iterator[str]:
    """Each setting with its variable, default and meaning."""
    from duly.config import Settings

    yield "## Settings\n"
    yield "Order: `duly.toml` (or the file that `DULY_CONFIG` names) < environment < flags."
    yield "Durations are seconds, sizes bytes.\n"
    yield "| in `duly.toml` | variable | default | meaning |\n|---|---|---|---|"
    for name, field in Settings.model_fields.items():
        yield f"| `{name}` | `DULY_{name.upper()}` | `{field.default!r}` | {field.description} |"


def states() -> Iterator[str]:
    """The state table, as a diagram and as rows."""
    from duly.model.state import TRANSITIONS, Status

    yield "\n## States\n"
    yield "```mermaid\nstateDiagram-v2\n    [*] --> pending\n    [*] --> scheduled"
    for source in Status:
        for target in sorted(TRANSITIONS[source]):
            if not source.terminal:
                yield f"    {source} --> {target}"
    yield "```\n\n| state | next |\n|---|---|"
    for source in Status:
        operator = " (only by an operator's retry)" if source.terminal else ""
        targets = ", ".join(f"`{target}`" for target in sorted(TRANSITIONS[source]))
        yield f"| `{source}` | {targets}{operator} |"


def events() -> Iterator[str]:
    """The lines of a timeline, with the comment that stands beside each in the code."""
    from duly.model import events as module

    yield "\n## Timeline events\n\n| event | data |\n|---|---|"
    source = Path(module.__file__ or "").read_text("utf-8")
    for kind in module.EventType:
        line = next(line for line in source.splitlines() if line.strip().startswith(f"{kind.name} ="))
        yield f"| `{kind.value}` | {line.partition('#:')[2].strip()} |"


def errors() -> Iterator[str]:
    """The tree of errors: code, HTTP status, what it means."""
    import duly.http.identity
    import duly.model.outcome  # noqa: F401 - both define errors of the tree
    from duly.model.errors import DulyError

    yield "\n## Errors\n\n| code | HTTP | error | meaning |\n|---|---|---|---|"
    todo = [DulyError]
    seen = []
    while todo:
        kind = todo.pop()
        seen.append(kind)
        todo += kind.__subclasses__()
    for kind in sorted(seen, key=lambda kind: (kind.http_status, kind.code)):
        meaning = (kind.__doc__ or "").strip().splitlines()[0]
        yield f"| `{kind.code}` | {kind.http_status} | `{kind.__name__}` | {meaning} |"


def routes() -> Iterator[str]:
    """The HTTP API with the bundled apps, from its own OpenAPI description."""
    import asyncio

    from duly.config import load
    from duly.http.api import create_api
    from duly.runtime.app import App
    from duly.runtime.load import load_declared

    with tempfile.TemporaryDirectory() as folder:
        flags = {"database_url": f"sqlite:///{folder}/duly.db", "apps": "tender", "log_level": "error"}
        chosen = load(flags, environ={})
        app = App(chosen, load_declared(chosen))
        asyncio.run(app.start())
        paths = create_api(app).openapi()["paths"]
        asyncio.run(app.stop())
    yield "\n## Routes\n\nDescribed in full by `/docs` of a running server.\n"
    yield "| route | what it does |\n|---|---|"
    for path in sorted(paths):
        for method, operation in paths[path].items():
            says = operation.get("description") or operation.get("summary", "")
            yield f"| `{method.upper()} {path}` | {says.splitlines()[0]} |"


def commands() -> Iterator[str]:
    """The command line, from its own help."""
    import typer.main

    from duly.cli.main import app

    yield "\n## Commands\n\n`duly COMMAND --help` says more.\n\n| command | what it does |\n|---|---|"
    yield from _commands(typer.main.get_command(app), "duly")


def _commands(command: object, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    for child_name, child in sorted(children.items()):
        yield from _commands(child, f"{name} {child_name}")
    text = str(getattr(command, "help", "") or "").strip().split("\n\n")[0].replace("\n", " ")
    if not children or getattr(command, "invoke_without_command", False):
        yield f"| `{name}` | {text} |"


def page() -> str:
    """The whole page."""
    sections = (settings, states, events, errors, routes, commands)
    text = ["# Reference\n\nWritten by `make docs` from the code; a test holds it equal.\n"]
    return "\n".join([*text, *("\n".join(section()) for section in sections)]) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE.relative_to(Path.cwd())} written", file=sys.stderr)
