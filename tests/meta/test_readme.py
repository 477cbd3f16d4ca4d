"""The README cannot drift: its code runs, in both languages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(name: str) -> list[str]:
    """The Python code blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_example_and_its_test_run_as_printed(name: str, tmp_path: Path) -> None:
    """A reader who copies the two blocks has a task and a passing test."""
    (tmp_path / "reports.py").write_text(blocks(name)[0], "utf-8")
    (tmp_path / "test_reports.py").write_text(blocks("README.md")[1], "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n", "utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_both_languages_show_the_same_code() -> None:
    """The Chinese page's example differs in its comments only."""

    def code(name: str) -> str:
        return re.sub(r"\s*#.*", "", blocks(name)[0])

    assert code("README.md") == code("README.zh-CN.md")
