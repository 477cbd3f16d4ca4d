"""`duly fake-llm` is there with its help, and a wrong script is one line."""

from __future__ import annotations

from pathlib import Path

from command_under_test import Shell


def test_a_wrong_script_is_one_line(shell: Shell, folder: Path) -> None:
    """Exit code 2, with the place in the file."""
    (folder / "faults.toml").write_text('[[fault]]\nkind = "flood"\n', "utf-8")
    said = shell("fake-llm", "--script", "faults.toml")
    assert said.code == 2
    assert "faults.toml: fault.0.kind" in said.err


def test_the_help_names_each_fault(shell: Shell) -> None:
    """And where log and bill are."""
    told = shell("fake-llm", "--help").out
    for word in ("rate_limit", "truncated", "endless", "/_log", "/_bill"):
        assert word in told
