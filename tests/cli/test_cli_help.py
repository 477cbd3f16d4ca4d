"""The help: quick to come, and it teaches."""

from __future__ import annotations

import subprocess
import sys

import pytest
from command_under_test import Shell

#: What a command may need and `--help` must not wait for.
HEAVY = (
    "alembic",
    "asyncio",
    "fastapi",
    "httpx2",
    "jwt",
    "pydantic",
    "pydantic_settings",
    "pysqlite3",
    "rich",
    "sqlalchemy",
    "sqlite3",
    "standardwebhooks",
    "starlette",
    "uvicorn",
)
COMMANDS = (
    *(
        "demo",
        "serve",
        "worker",
        "submit",
        "ls",
        "show",
        "watch",
        "why",
        "cancel",
        "retry",
        "signal",
        "stats",
        "schedule",
    ),
    *("doctor", "version", "token", "db"),
)


def test_the_command_imports_nothing_heavy() -> None:
    """Importing the entry loads none of the libraries that commands import when they run."""
    code = f"import sys, duly.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_duly_alone_is_its_help(shell: Shell) -> None:
    """Without arguments the list of commands comes, in panels, with what to try first."""
    said = shell()
    assert said.code == 0
    assert [panel for panel in ("Start here", "Tasks", "Installation") if panel not in said.out] == []
    assert [name for name in COMMANDS if f"│ {name} " not in said.out] == []
    assert "Try first: duly demo" in said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(shell: Shell, command: str) -> None:
    """The help of a command shows how it is called."""
    said = shell(command, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"duly {command}" in said.out


def test_a_group_alone_is_its_help(shell: Shell) -> None:
    """`duly db` lists its commands and complains of nothing."""
    said = shell("db")
    assert (said.code, said.err) == (0, "")
    assert "downgrade" in said.out


def test_a_misspelt_command_is_named_with_its_neighbour(shell: Shell) -> None:
    """An unknown command is one line that offers the one that was meant."""
    said = shell("sumbit")
    assert said.code == 2
    assert len(said.problems) == 1
    assert "submit" in said.problems[0]
