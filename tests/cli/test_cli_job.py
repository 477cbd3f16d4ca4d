"""`duly bulk`: a job begun at the database and at a server alike, followed to its end with its counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from command_under_test import APP, Shell


def test_a_job_is_done_by_whoever_works(shell: Shell, work: Callable[[], None]) -> None:
    """The answer is its id; a worker does it, and its result counts."""
    for name in ("Ann", "Bo"):
        assert (
            shell("submit", "greet", f"name={name}", "--app", APP, "--due", "600", "--tag", "old").code == 0
        )
    said = shell("bulk", "cancel", "--tag", "old")
    assert (said.code, said.err) == (0, "")
    work()
    task = shell("show", said.out.split()[0], "--json").json["task"]
    assert task["result"] == {"action": "cancel", "matched": 2, "changed": 2, "unchanged": 0}


def test_a_job_is_followed_to_its_end_at_a_server(shell: Shell, server: str) -> None:
    """With --wait: how it has ended, and its counts."""
    shell("submit", "greet", "name=Ann", "--url", server, "--due", "600", "--tag", "gone")
    said = shell("bulk", "cancel", "--tag", "gone", "--url", server, "--wait", "60")
    assert (said.code, said.err) == (0, "")
    assert "duly.bulk" in said.out
    assert "matched" in said.out


@pytest.mark.parametrize(
    "words",
    [
        ("cancel",),
        ("burn", "--tag", "x"),
        ("move", "--tag", "x"),
        ("cancel", "--tag", "x", "--to-queue", "side"),
        ("cancel", "--status", "failed"),
    ],
    ids=" ".join,
)
def test_what_is_no_job_is_a_line_and_exit_code_2(shell: Shell, words: tuple[str, ...]) -> None:
    """Nothing is begun."""
    said = shell("bulk", *words)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
