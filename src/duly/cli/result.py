"""How a task's result reads: findings in tabs with page and quote, text as text, anything else as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from duly.cli.screen import Screen, clean, one_line
from duly.cli.table import plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Json = dict[str, Any]

#: Keys under which a handler puts the text that a person wants to read first.
TEXTS = ("markdown", "text", "answer", "reply", "summary")
MOST_LINES = 200
LABEL_COLUMNS = 20


def readable(result: Any, screen: Screen) -> Iterator[RenderableType]:
    """The result, for a person."""
    if not isinstance(result, dict):
        yield from _tree(result)
        return
    shown = [name for name in TEXTS if isinstance(result.get(name), str) and result[name]]
    for name in shown:
        yield clean(result[name])
    rest = {name: value for name, value in result.items() if name not in shown}
    if is_findings(result):
        yield from findings(rest.pop("tabs"), screen)
    if rest:
        yield from _tree(rest)


def is_findings(result: Any) -> bool:
    """Whether the result is tabs of items with a label, a value, and where it stands."""
    tabs = result.get("tabs") if isinstance(result, dict) else None
    return isinstance(tabs, list) and all(isinstance(tab, dict) and _has_items(tab) for tab in tabs)


def _has_items(tab: Json) -> bool:
    items = tab.get("items")
    return isinstance(items, list) and all(
        isinstance(item, dict) and {"label", "value"} <= item.keys() for item in items
    )


def findings(tabs: list[Json], screen: Screen, *, most: int | None = None) -> Iterator[RenderableType]:
    """Each tab: its title, then label, value, page and quote per finding; at most `most` of them.

    What was looked for and not found is named.
    """
    from rich.text import Text

    for tab in tabs:
        items = tab["items"][:most]
        yield Text(f"\n{one_line(tab.get('title', ''))}", style="bold")
        yield _tab(items, screen)
        if left := len(tab["items"]) - len(items):
            yield Text(screen.say("more", count=left), style="bright_black")


def _tab(items: list[Json], screen: Screen) -> Table:
    from rich.text import Text

    table = plain_table(header=False, expand=True)
    table.add_column(width=LABEL_COLUMNS, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    table.add_column(no_wrap=True, justify="right", min_width=6)
    for item in items:
        label = one_line(item["label"])
        if item["value"] is None:
            table.add_row(label, Text(screen.say("absent"), style="bright_black"), "")
            continue
        page = "" if item.get("page") is None else screen.say("page", page=item["page"])
        table.add_row(label, one_line(item["value"]), page)
        if item.get("quote"):
            quote = f"“{one_line(item['quote'])}”"
            table.add_row("", Text(quote, style="bright_black", no_wrap=True, overflow="ellipsis"), "")
    return table


def _tree(value: Any) -> Iterator[str]:
    lines = list(_lines(value, ""))
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"… {len(lines) - MOST_LINES} more lines: --json shows all"


def _lines(value: Any, indent: str) -> Iterator[str]:
    """A JSON value as indented lines, without quotes and brackets."""
    match value:
        case dict() if value:
            for name, one in value.items():
                yield from _entry(f"{indent}{clean(name)}:", one, indent)
        case list() if value:
            for one in value:
                yield from _entry(f"{indent}-", one, indent)
        case _:
            yield f"{indent}{_scalar(value)}"


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from _lines(value, f"{indent}  ")
    else:
        first, *more = _scalar(value).split("\n")
        yield f"{head} {first}"
        yield from (f"{indent}  {line}" for line in more)


def _scalar(value: Any) -> str:
    match value:
        case True | False:
            return "true" if value else "false"
        case None:
            return "null"
        case dict() | list():
            return "{}" if isinstance(value, dict) else "[]"
    return clean(value)
