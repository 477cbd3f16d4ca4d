"""Limits on the command line, at the database and through a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import Shell

Submit = Callable[..., dict[str, Any]]
Work = Callable[[], None]


def test_a_limit_is_set_shown_and_cleared(shell: Shell, submit: Submit, work: Work) -> None:
    """Meanwhile nothing of it starts, and why says so, in both languages."""
    submit("later")
    assert shell("limit", "ls").out.startswith("No limits")
    said = shell("limit", "set", "queue/default", "--concurrency", "0", "--by", "ann")
    assert said.out.splitlines()[1].split() == ["queue/default", *"00––0", "set", "by", "ann"]
    id_ = submit("greet", "name=Ann")["id"]
    work()
    assert shell("show", id_, "--json").json["task"]["status"] == "blocked"
    assert "The limit queue/default is full: 0 of at most 0 run" in shell("why", id_).out
    assert "限额 queue/default 已满" in shell("why", id_, "--lang", "zh").out
    assert shell("limit", "ls", "--json").json["limits"][0]["blocked"] == 1
    shell("limit", "clear", "queue/default")
    work()
    assert shell("show", id_, "--json").json["task"]["status"] == "completed"
    assert shell("limit", "show", "queue/default", "--json").json["concurrency"] is None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("set", "queue/default"), "duly: say what it shall allow"),
        (("set", "nonsense", "--concurrency", "1"), "duly: 'nonsense' is no limit"),
        (("set", "queue/default", "--rate", "fast"), "duly: a rate is written as 10/s"),
        (("show", "queue/default"), "duly: there is no limit queue/default"),
        (("clear", "queue/default"), "duly: there is no limit queue/default"),
    ],
)
def test_what_is_no_limit_is_one_line(
    shell: Shell, submit: Submit, arguments: tuple[str, ...], line: str
) -> None:
    """It says what to write, and the exit code is 2."""
    submit("later")
    said = shell("limit", *arguments)
    assert said.code == 2
    assert said.err.startswith(line)
