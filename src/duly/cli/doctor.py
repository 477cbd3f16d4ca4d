"""`duly doctor`: the settings with their sources, and every problem at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Installation, Shown, given
from duly.cli.shell import WRONG, complain

if TYPE_CHECKING:
    from duly.cli.checkup import Report
    from duly.cli.screen import Screen

_EPILOG = """Try it first when something does not start. Example: duly doctor --apps tender

Exit code: 0 all is well, 2 there is a problem. A note is no problem."""

MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "problem": ("✗", "bold red")}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Installation", epilog=_EPILOG)(grouped(doctor))


def doctor(where: Installation, shown: Shown) -> None:
    """Look at settings, database, secrets, handlers and workers, and name every problem at once."""
    from duly.cli.checkup import examine
    from duly.cli.screen import Screen

    report, screen = examine(given(where)), Screen(shown)
    if screen.json:
        screen.write({"problems": report.problems, **asdict(report)})
    else:
        _show(report, screen)
    if report.problems:
        complain(*report.problems)
        raise typer.Exit(WRONG)


def _show(report: Report, screen: Screen) -> None:
    from rich.text import Text

    from duly.cli.table import plain_table

    settings = plain_table()
    for name in ("setting", "value", "source"):
        settings.add_column(name, overflow="fold")
    for one in report.settings:
        style = "bright_black" if one["source"] == "default" else ""
        settings.add_row(one["name"], one["value"], one["source"], style=style)
    screen.show(settings, "")
    if report.task_types:
        kinds = plain_table()
        for name in ("task type", "version", "queue", "lane", "timeout", "retries"):
            kinds.add_column(name, overflow="fold")
        for kind in report.task_types:
            named = (kind["name"], ", ".join(kind["versions"]), kind["queue"], kind["lane"])
            kinds.add_row(*named, f"{kind['timeout']:g} s", str(kind["max_retries"]))
        screen.show(kinds, "")
    for worker in report.workers:
        place = f"{worker['host']} (process {worker['pid']})"
        screen.show(f"worker {worker['id'][-8:]} on {place}, queues {worker['queues']}{_has(worker)}")
    checks = plain_table(header=False)
    for _ in range(3):
        checks.add_column(overflow="fold")
    for finding in report.findings:
        if finding.state == "problem" and screen.console.is_terminal:
            continue  # it follows on stderr
        mark, colour = MARKS[finding.state]
        checks.add_row(Text(mark, style=colour), finding.name, finding.text)
    screen.show(checks)


def _has(worker: dict[str, Any]) -> str:
    """The versions that it can run, where its handlers name any."""
    named = [word for word in (worker["types"] or "").split(",") if word.partition("@")[2]]
    return f", with {', '.join(named)}" if named else ""
