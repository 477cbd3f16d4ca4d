"""Weights on the command line, at the database and through a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import Shell

Submit = Callable[..., dict[str, Any]]


def test_a_weight_is_given_listed_and_taken_away(shell: Shell, submit: Submit) -> None:
    """Each in a sentence; `*` is all owners who have none."""
    submit("greet", "name=Ann")
    assert shell("share", "ls").out.strip() == "No weight was given: all owners take equal turns."
    said = shell("share", "set", "ann", "--weight", "2")
    assert said.out.strip() == "ann has weight 2, in tasks submitted from now on"
    shell("share", "set", "", "--weight", "3", "--tenant", "acme")
    lines = [line.split() for line in shell("share", "ls").out.splitlines()]
    assert lines == [["owner", "weight"], ["ann", "2"], ["acme/*", "3"]]
    assert shell("share", "ls", "--json").json["shares"][0] == {"tenant": "", "owner": "ann", "weight": 2}
    assert shell("share", "clear", "ann").out.strip() == "ann has no weight of its own any more"
    assert shell("share", "clear", "ann").out.strip() == "ann had no weight of its own"
    assert shell("share", "clear", "ann", "--lang", "zh").out.strip() == "ann 没有设置权重"


@pytest.mark.parametrize("weight", ["0", "101", "two"])
def test_a_bad_weight_is_one_line(shell: Shell, submit: Submit, weight: str) -> None:
    """With exit code 2, as other wrong input."""
    submit("greet", "name=Ann")
    said = shell("share", "set", "ann", "--weight", weight)
    assert (said.code, len(said.problems)) == (2, 1)
