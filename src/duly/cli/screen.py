"""Where answers are written: one JSON document, or text that fits the terminal and its language."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from duly.cli.options import Shown
from duly.cli.words import language, say
from duly.clock import SystemClock

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

#: What is not a terminal has no width of its own.
PIPE_COLUMNS = 120

COLOURS = {
    "scheduled": "blue",
    "pending": "cyan",
    "blocked": "magenta",
    "running": "yellow",
    "retry": "dark_orange",
    "waiting": "blue",
    "completed": "green",
    "failed": "bold red",
    "cancelled": "bright_black",
    "delivered": "green",
    "dead": "bold red",
    "lost": "red",
    "paused": "bold yellow",
    "open": "green",
    "closed": "bold red",
    "stopped": "bold yellow",
    "probing": "yellow",
    "ramping": "yellow",
    "half_open": "dark_orange",
    "handed_back": "blue",
}


class Screen:
    """Writes one command's answer to stdout."""

    def __init__(self, shown: Shown) -> None:
        self.language = language(shown.lang)
        self.json = shown.json
        self._console: Console | None = None
        with contextlib.suppress(
            AttributeError
        ):  # a terminal that is not UTF-8 gets question marks, not a crash
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]

    @property
    def now(self) -> int:
        """Milliseconds UTC, for ages."""
        return SystemClock().now_ms()

    @property
    def console(self) -> Console:
        """Rich's console, made on first use."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(markup=False, highlight=False, emoji=False)
            if not self._console.is_terminal and not os.environ.get("COLUMNS"):
                self._console.width = PIPE_COLUMNS
        return self._console

    def say(self, key: str, **fields: object) -> str:
        """Words in the screen's language."""
        return say(key, self.language, **fields)

    def write(self, value: Any) -> None:
        """One JSON document, with letters as they are."""
        print(json.dumps(value, ensure_ascii=False, indent=2))

    def line(self, value: Any) -> None:
        """One JSON document on one line, at once."""
        print(json.dumps(value, ensure_ascii=False), flush=True)

    def show(self, *parts: RenderableType) -> None:
        """Text and tables, one below the other; brackets in them are brackets."""
        self.console.print(*parts, sep="\n")

    def status(self, status: str) -> Text:
        """A state in its colour and the screen's language."""
        from rich.text import Text

        return Text(self.say(status), style=COLOURS.get(status, ""))


def clean(value: object) -> str:
    """Text of others as it may stand on a terminal: line breaks stay, control sequences do not."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in str(value)
    )


def one_line(value: object) -> str:
    """The same on one line."""
    return " ".join(clean(value).split())
