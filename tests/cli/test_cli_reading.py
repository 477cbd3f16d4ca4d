"""The small parts: results for people, spans of time, server-sent events, groups of options."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from duly.cli import history
from duly.cli.grouped import grouped
from duly.cli.options import Shown
from duly.cli.result import readable
from duly.cli.screen import Screen
from duly.cli.words import WORDS, language, span
from duly.client import sse


def text_of(result: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """A result as it is printed."""
    screen = Screen(Shown(lang="en"))
    screen.console.width = 80
    screen.show(*readable(result, screen))
    return capsys.readouterr().out


def test_findings_show_value_page_and_quote(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding has its place; what was not found is named as such."""
    item = {"label": "Budget", "value": "10", "page": 3, "quote": "Budget: 10"}
    absent = {"label": "Ceiling", "value": None}
    said = text_of({"summary": "S.", "tabs": [{"title": "Money", "items": [item, absent]}]}, capsys)
    assert [
        part
        for part in ("S.", "Money", "Budget", "p. 3", "“Budget: 10”", "not in the document")
        if part not in said
    ] == []


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ("plain", ["plain"]),
        (None, ["null"]),
        ([1, [2], {}], ["- 1", "-", "  - 2", "- {}"]),
        ({"a": {"b": [True]}}, ["a:", "  b:", "    - true"]),
        ({"text": "first", "n": "x\ny"}, ["first", "n: x", "  y"]),
        ({"tabs": "no"}, ["tabs: no"]),
    ],
)
def test_any_result_reads_as_a_tree(
    result: Any, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Values without quotes and brackets, indented by depth."""
    assert [line.rstrip() for line in text_of(result, capsys).splitlines()] == lines


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (9960, "10 s"),
        (90_000, "2 min"),
        (8e6, "2 h"),
        (1e9, "12 d"),
    ],
)
def test_spans_read_as_people_say_them(ms: float, said: str) -> None:
    """The unit grows with the span."""
    assert span(ms, "en") == said


def test_the_language_follows_the_locale() -> None:
    """--lang before LC_ALL before LANG; English when nothing says Chinese."""
    assert language(None, {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language(None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) == "en"
    assert language("en", {"LANG": "zh_CN.UTF-8"}) == "en"
    assert language(None, {}) == "en"


def test_every_word_is_there_in_both_languages() -> None:
    """English and Chinese fill in the same names."""
    import string

    fields = {
        key: [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts]
        for key, texts in WORDS.items()
    }
    assert {key: found for key, found in fields.items() if found[0] != found[1]} == {}


async def test_events_are_read_as_the_standard_says() -> None:
    """Comments are dropped, data lines joined, an event that was cut off is not told."""

    async def lines() -> AsyncIterator[str]:
        for line in (
            "retry: 1",
            "",
            ": ping",
            "",
            "event: step",
            "id: 4",
            "data: a",
            "data:b",
            "",
            "data: cut",
        ):
            yield line

    found = [(event.name, event.id, event.text) async for event in sse.events(lines())]
    assert found == [("step", "4", "a\nb")]


def test_history_tells_attempts_and_what_ran_twice() -> None:
    """A lost attempt has its outcome; a step recorded twice would be found."""
    at = "2026-01-01T00:00:00.000Z"
    step = {"name": "a", "n": 1, "attempt": 1, "duration_ms": 1}
    events = [
        {"type": kind, "at": at, "data": data}
        for kind, data in (
            ("started", {"attempt": 1}),
            ("step", step),
            ("lost", {"attempt": 1, "worker": "w"}),
            ("started", {"attempt": 2}),
            ("step", {**step, "attempt": 2}),
        )
    ]
    assert [one["outcome"] for one in history.attempts(events)] == ["lost", None]
    assert history.computed_twice(events) == ["a#1"]


@dataclass(frozen=True)
class Pair:
    """A group of options."""

    left: int = 1
    right: str = ""


def test_a_group_is_spread_and_gathered() -> None:
    """Typer sees one parameter per field; the command gets its group."""
    seen: list[Any] = []

    def command(pair: Pair, more: bool = False) -> None:
        seen.append((pair, more))

    flat = grouped(command)
    assert list(flat.__annotations__) == ["left", "right", "more"]
    flat(left=2, right="x", more=True)
    assert seen == [(Pair(2, "x"), True)]
