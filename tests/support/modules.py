"""What is asked of every JavaScript module that a page loads, by Node itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def node_tests(folder: Path) -> None:
    """`node --test` over the test files of a folder: all pass, and there are some."""
    command = [str(NODE), "--test", *map(str, sorted(folder.glob("*.test.mjs")))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE)


def parses(path: Path) -> None:
    """A typing error would be found by a user otherwise."""
    command = [str(NODE), "--input-type=module", "--check"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
