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


def test_the_doctor_reads_the_table_of_providers(shell: Shell, folder: Path) -> None:
    """What is wrong is a line; a key that is not there is a warning; what stands in headers is not shown."""
    table = '[llm.providers.main]\nbase_url = "http://127.0.0.1:9/v1"\nkey_env = "NO_SUCH_KEY"\n'
    (folder / "duly.toml").write_text(f'{table}headers = {{ api-key = "hidden-0123" }}\n', "utf-8")
    told = shell("doctor", "--json").out
    assert "main: NO_SUCH_KEY" in told
    assert "hidden-0123" not in told
    (folder / "duly.toml").write_text(f"{table}wieght = 1\n", "utf-8")
    assert "llm.providers.main.wieght" in shell("doctor", "--json").out
