"""Gates of model providers on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import Shell

Submit = Callable[..., dict[str, Any]]
TOML = """[llm.providers.azure]
base_url = "http://127.0.0.1:9/v1"
model = "m"
"""


def test_a_gate_is_closed_shown_and_opened(folder: Path, shell: Shell, submit: Submit) -> None:
    """A configured provider has a gate before it is asked; a closed one says whose word it is and why."""
    submit("later")
    assert shell("gate", "ls").out.startswith("No model providers")
    (folder / "duly.toml").write_text(TOML)
    assert shell("gate", "ls").out.splitlines()[1].split() == ["azure", "never", "asked"]
    said = shell("gate", "close", "azure", "--for", "600", "--by", "ann", "--reason", "a new key comes")
    assert "closed by hand" in said.out
    assert said.out.rstrip().endswith("ann: a new key comes")
    shown = shell("gate", "show", "azure", "--json").json
    assert (shown["state"], shown["by"], shown["code"]) == ("stopped", "ann", None)
    assert "已人工关闭" in shell("gate", "ls", "--lang", "zh").out
    assert shell("gate", "open", "azure", "--json").json["state"] == "new"
    assert shell("gate", "ls", "--json").json["gates"][0]["until"] is None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "nobody"), "duly: there is no gate nobody"),
        (("close", "nobody"), "duly: there is no gate nobody"),
        (("open", "nobody"), "duly: there is no gate nobody"),
        (("close", "azure", "--for", "0"), "duly: a gate is closed for up to a year, not 0 seconds"),
    ],
)
def test_what_is_no_gate_is_one_line(
    shell: Shell, submit: Submit, arguments: tuple[str, ...], line: str
) -> None:
    """It says what to look at, and the exit code is 2."""
    submit("later")
    said = shell("gate", *arguments)
    assert said.code == 2
    assert said.err.startswith(line)
