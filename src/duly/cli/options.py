"""The groups of options that commands share; a field's name is the option's, and mostly the setting's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Language = Literal["en", "zh"]


def _option(panel: str, text: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, metavar=metavar, show_default=False)


_WHERE = "Where"
_ANSWER = "Answer"
_API = "API"
_WORK = "Worker"
_LOG = "Log"

DatabaseUrl = Annotated[
    str | None,
    _option(_WHERE, "The database; else DULY_DATABASE_URL, duly.toml, sqlite:///duly.db.", metavar="URL"),
]
AppSpec = Annotated[
    str | None, _option(_WHERE, "Your handlers, as module:object; else DULY_APP.", metavar="MODULE:OBJECT")
]
Apps = Annotated[str | None, _option(_WHERE, "Bundled apps by name, with commas: tender.", metavar="NAMES")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Which database, and which handlers."""

    database_url: DatabaseUrl = None
    app: AppSpec = None
    apps: Apps = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command acts: on the database itself, or through the API of a running server."""

    database_url: DatabaseUrl = None
    app: AppSpec = None
    apps: Apps = None
    url: Annotated[
        str | None,
        _option(
            _WHERE,
            "Act through this server's API instead; else DULY_URL. Its token: DULY_TOKEN.",
            metavar="URL",
        ),
    ] = None

    def flags(self) -> dict[str, Any]:
        """The settings among them."""
        return {"database_url": self.database_url, "app": self.app, "apps": self.apps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the answer is written."""

    json: Annotated[bool, _option(_ANSWER, "One JSON document instead of text.", "--json")] = False
    lang: Annotated[
        Language | None, _option(_ANSWER, "The language of the text; else by LANG.", "--lang")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the API binds, and who may call it."""

    host: Annotated[str | None, _option(_API, "Address to bind (127.0.0.1).", metavar="ADDRESS")] = None
    port: Annotated[int | None, _option(_API, "Port to bind (8000); 0 takes a free one.")] = None
    auth: Annotated[
        str | None,
        _option(
            _API, "token: every call needs one. loopback: open, on this host only.", metavar="token|loopback"
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        _option(_API, "The credentials, made on first start (beside the database).", metavar="FILE"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker takes on at once."""

    queues: Annotated[
        str | None, _option(_WORK, "Queues to serve, with commas (default).", metavar="NAMES")
    ] = None
    concurrency: Annotated[int | None, _option(_WORK, "Async handlers at once (64).")] = None
    threads: Annotated[int | None, _option(_WORK, "Plain handlers at once, in threads (8).")] = None
    processes: Annotated[int | None, _option(_WORK, "Isolated handlers at once, in processes (2).")] = None
    drain: Annotated[
        float | None,
        _option(_WORK, "Seconds that running work may go on after SIGTERM (25).", metavar="SECONDS"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """What is logged, and where to."""

    log_level: Annotated[
        str | None, _option(_LOG, "The least that is logged (info).", metavar="debug|info|warning|error")
    ] = None
    log_format: Annotated[
        str | None, _option(_LOG, "How lines are written (logfmt).", metavar="logfmt|json")
    ] = None
    log_file: Annotated[Path | None, _option(_LOG, "A file for the log (stderr).", metavar="FILE")] = None


def given(*groups: Any) -> dict[str, Any]:
    """The flags of several groups, as `duly.config.load` takes them."""
    flags: dict[str, Any] = {}
    for group in groups:
        flags |= _plain(asdict(group))
    return flags


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
