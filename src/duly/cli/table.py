"""`duly ls`: tasks as a table that reads well in 80 columns, and says more in 110."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from duly.cli.screen import Screen, clean, one_line
from duly.cli.words import span
from duly.clock import parse_iso

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Json = dict[str, Any]

#: From here on queue and owner are shown where they tell tasks apart, and further on ids are shown whole;
#: below, their ends, which every command takes.
WIDE = 100
WIDEST = 150
SHORT_ID = 8


def task_table(tasks: Sequence[Json], screen: Screen) -> Table:
    """One row per task; queue and owner only where they tell tasks apart."""
    table = plain_table()
    width = screen.console.width
    extra = [word for word in ("queue", "owner") if width >= WIDE and len({task[word] for task in tasks}) > 1]
    table.add_column(screen.say("id"), no_wrap=True, min_width=SHORT_ID)
    table.add_column(screen.say("status"), no_wrap=True)
    table.add_column(
        screen.say("type"), no_wrap=True, overflow="ellipsis", max_width=30 if width >= WIDE else 20
    )
    for word in extra:
        table.add_column(screen.say(word), no_wrap=True, overflow="ellipsis", max_width=16)
    for word in ("progress", "age", "took"):
        table.add_column(screen.say(word), no_wrap=True, justify="right")
    table.add_column(screen.say("note"), no_wrap=True, overflow="ellipsis", ratio=1)
    for task in tasks:
        table.add_row(*_row(task, screen, whole=width >= WIDEST, extra=extra))
    return table


def queue_table(queues: Sequence[Json], screen: Screen) -> Table:
    """One row per queue; states in which no task stands have no column."""
    table = plain_table()
    states = [word for word in queues[0]["tasks"] if any(one["tasks"].get(word) for one in queues)]
    table.add_column(screen.say("queue"), no_wrap=True)
    table.add_column(screen.say("state"), no_wrap=True)
    for word in states:
        table.add_column(screen.say(word), no_wrap=True, justify="right")
    table.add_column(screen.say("note"), no_wrap=True, overflow="ellipsis", ratio=1)
    for one in queues:
        about = [one["paused_by"], one["reason"]]
        note_ = one_line(": ".join(word for word in about if word))
        counts = [str(one["tasks"].get(word, 0)) for word in states]
        table.add_row(one["name"], screen.status("paused" if one["paused"] else "open"), *counts, note_)
    return table


def limit_table(limits: Sequence[Json], screen: Screen) -> Table:
    """One row per limit."""
    table = plain_table()
    table.add_column(screen.say("limit"), overflow="fold")
    for word in ("running", "concurrency", "rate", "limit_waiting", "blocked"):
        table.add_column(screen.say(word), no_wrap=True, justify="right")
    table.add_column(screen.say("note"), no_wrap=True, overflow="ellipsis", ratio=1)
    for one in limits:
        allowed = [
            str(one[word]) if one[word] is not None else "–" for word in ("concurrency", "rate", "waiting")
        ]
        set_by = screen.say("set_by", by=one["changed_by"] or "?") if one["changed_at"] else ""
        table.add_row(one["name"], str(one["running"]), *allowed, str(one["blocked"]), one_line(set_by))
    return table


def gate_table(gates: Sequence[Json], screen: Screen) -> Table:
    """One row per gate."""
    table = plain_table()
    for word in ("gate", "state", "until"):
        table.add_column(screen.say(word), no_wrap=True)
    table.add_column(screen.say("note"), no_wrap=True, overflow="ellipsis", ratio=1)
    for one in gates:
        about = one_line(": ".join(one[word] for word in ("by", "code", "reason") if one[word]))
        table.add_row(clean(one["name"]), screen.status(one["state"]), one["until"] or "", about)
    return table


def plain_table(*, header: bool = True, expand: bool = False) -> Table:
    """A table without lines, its columns two apart; `expand` takes the whole width."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=header, header_style="bold", pad_edge=False)
    table.expand = expand
    return table


def _row(task: Json, screen: Screen, *, whole: bool, extra: Sequence[str]) -> list[str | Text]:
    id_ = task["id"] if whole else task["id"][-SHORT_ID:]
    about = [clean(task[word]) for word in extra]
    times = [age(task, screen), took(task, screen)]
    return [
        id_,
        screen.status(task["status"]),
        clean(task["task_type"]),
        *about,
        percent(task),
        *times,
        note(task),
    ]


def percent(task: Json) -> str:
    """How far a task is; empty when it does not say."""
    if task["status"] == "completed":
        return "100 %"
    return "" if task["progress"] is None else f"{task['progress'] * 100:.0f} %"


def age(task: Json, screen: Screen) -> str:
    """How long ago it was accepted."""
    return span(screen.now - parse_iso(task["created_at"]), screen.language)


def took(task: Json, screen: Screen) -> str:
    """How long its last run took, or has taken up to now."""
    started, ended = task["started_at"], task["completed_at"]
    if started is None or (ended is None and task["status"] != "running"):
        return ""
    until = screen.now if ended is None else parse_iso(ended)
    return span(until - parse_iso(started), screen.language)


def note(task: Json) -> str:
    """What is worth knowing at a glance: the error, or else what it is doing."""
    said = task["error"] or task["error_code"] if task["status"] in ("failed", "retry") else None
    if said is None and task["status"] == "running":
        said = task["progress_message"]
    return one_line(said or "")
