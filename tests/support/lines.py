"""The connection that an event loop drives by itself, looked into."""

from __future__ import annotations

from typing import Any

from duly.store.database import Database


def line_of(database: Database) -> Any:
    """The connection that the loop drives."""
    way = database._dispatch._express
    assert way is not None
    return way._line


def said(database: Database) -> list[str]:
    """The statements without parameters that the loop sends from here on."""
    seen: list[str] = []
    line = line_of(database)
    say = line.say
    line.say = lambda statement, told: (seen.append(statement), say(statement, told))[1]
    return seen
