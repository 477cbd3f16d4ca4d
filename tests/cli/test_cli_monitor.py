"""`duly monitor`: figures and alarms on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from command_under_test import Shell

Submit = Callable[..., dict[str, Any]]


def test_figures_and_the_alarm(shell: Shell, submit: Submit) -> None:
    """Nobody works here, and that is an alarm: exit code 1, in text and in JSON."""
    submit("greet", "name=Ann")
    told = shell("monitor")
    assert told.code == 1
    assert "ALARM" in told.out
    assert "workers live" in told.out
    said = shell("monitor", "--json", "--hours", "1").json
    assert (said["backlog"], said["workers"], said["hours"]) == (1, 0, 1)
    assert "没有存活的工作进程" in shell("monitor", "--lang", "zh").out
