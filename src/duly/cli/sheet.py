"""`duly show`: all that is known of one task, in the order in which a person asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from duly.cli.result import readable
from duly.cli.screen import Screen, clean, one_line
from duly.cli.table import age, percent, plain_table, took
from duly.cli.words import span
from duly.clock import parse_iso

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Json = dict[str, Any]


def sheet(seen: Json, screen: Screen) -> Iterator[RenderableType]:
    """The task, its attempts, steps, deliveries and timeline, then its result."""
    yield facts(seen["task"], screen, seen["children"])
    for name, table in _TABLES.items():
        if seen[name]:
            yield _title(screen.say(name))
            yield table(seen[name], screen)
    yield _title(screen.say("timeline"))
    yield _timeline(seen["events"])
    if seen["task"]["result"] is not None:
        yield _title(screen.say("result"))
        yield from readable(seen["task"]["result"], screen)


def _title(text: str) -> RenderableType:
    from rich.text import Text

    return Text(f"\n{text}", style="bold")


def facts(task: Json, screen: Screen, children: Mapping[str, int] | None = None) -> Table:
    """The task's own row as a list of names and values; what is not set is left out."""
    table = plain_table(header=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(screen.say("id"), task["id"])
    table.add_row(screen.say("status"), screen.status(task["status"]))
    table.add_row(screen.say("type"), clean(task["task_type"]))
    for name, value in _values(task, screen):
        if value:
            table.add_row(screen.say(name), clean(value))
    if children:
        said = ", ".join(f"{count} {screen.say(status)}" for status, count in children.items())
        table.add_row(screen.say("children"), said)
    return table


def _values(task: Json, screen: Screen) -> Iterator[tuple[str, str]]:
    note = task["progress_message"] or ""
    yield "progress", f"{percent(task)}  {note}".strip()
    yield "error", " ".join(str(one) for one in (_bracketed(task["error_code"]), task["error"]) if one)
    for name in ("queue", "owner", "parent_id"):
        yield name, str(task.get(name) or "")
    yield "priority", str(task["priority"])
    yield "retries", f"{task['retry_count']}/{task['max_retries']}"
    yield "attempt", str(task["attempt"])
    yield "version", task["code_version"] or ""
    yield "tags", ", ".join(task["tags"])
    yield "created_at", f"{task['created_at']}  ({age(task, screen)})"
    for name in ("started_at", "completed_at", "expires_at", "due_at", "deadline_at"):
        yield name, task[name] or ""
    yield "took", took(task, screen)
    yield "metadata", _pairs(task["metadata"])


def _bracketed(code: str | None) -> str:
    return f"[{code}]" if code else ""


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={one_line(value)}" for name, value in values.items())


def _attempts(attempts: list[Json], screen: Screen) -> Table:
    table = plain_table()
    for name in ("attempt", "started_at", "took", "outcome", "note"):
        table.add_column(screen.say(name), overflow="fold")
    for one in attempts:
        status = screen.status(one["outcome"] or "running")
        lasted = _between(one["started_at"], one["ended_at"], screen)
        said = " ".join(clean(part) for part in (_bracketed(one["error_code"]), one["error"]) if part)
        table.add_row(str(one["attempt"]), _clock(one["started_at"]), lasted, status, said)
    return table


def _steps(steps: list[Json], screen: Screen) -> Table:
    table = plain_table()
    for name in ("step", "attempt", "took"):
        table.add_column(screen.say(name), overflow="fold")
    for one in steps:
        name = clean(one["name"]) + (f" #{one['n']}" if one["n"] else "")
        table.add_row(name, str(one["attempt"]), span(one["duration_ms"], screen.language))
    return table


def _jobs(jobs: list[Json], screen: Screen) -> Table:
    table = plain_table()
    for name in ("name", "external_id", "last"):
        table.add_column(screen.say(name).lower(), overflow="fold")
    for one in jobs:
        last = " ".join(part for part in (screen.say(one["did"]), one.get("error") or "") if part)
        table.add_row(clean(one["name"]), clean(one["external_id"]), one_line(last))
    return table


def _deliveries(deliveries: list[Json], screen: Screen) -> Table:
    table = plain_table()
    for name in ("channel", "status", "attempts", "target", "last"):
        table.add_column(screen.say(name).lower(), overflow="fold")
    for one in deliveries:
        last = " ".join(str(part) for part in (one["last_code"], one["last_error"]) if part)
        row = (
            one["channel"],
            screen.status(one["status"]),
            str(one["attempt"]),
            clean(one["url"]),
            one_line(last),
        )
        table.add_row(*row)
    return table


def _timeline(events: list[Json]) -> Table:
    from rich.text import Text

    table = plain_table(header=False)
    table.add_column(justify="right", style="bright_black")
    table.add_column(no_wrap=True, style="bright_black")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for event in events:
        data = {name: value for name, value in event["data"].items() if value not in (None, "")}
        table.add_row(str(event["seq"]), _clock(event["at"]), Text(event["type"]), _pairs(data))
    return table


def _clock(moment: str) -> str:
    """The time of day of an ISO moment, to the millisecond, UTC."""
    return moment[11:23]


def _between(start: str, end: str | None, screen: Screen) -> str:
    until = screen.now if end is None else parse_iso(end)
    return span(until - parse_iso(start), screen.language)


_TABLES = {"attempts": _attempts, "steps": _steps, "jobs": _jobs, "deliveries": _deliveries}
