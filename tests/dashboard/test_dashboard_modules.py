"""The pages' pure modules, tested by Node's own runner; every module parses."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from duly.dashboard import STATIC

HERE = Path(__file__).parent
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
MODULES = sorted(STATIC.glob("*.js"))


@needs_node
def test_the_modules_tests_pass() -> None:
    """`node --test`, over all files beside this one."""
    command = [str(NODE), "--test", *map(str, sorted(HERE.glob("*.test.mjs")))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE)


@needs_node
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_parses(path: Path) -> None:
    """A typing error would be found by a user otherwise."""
    command = [str(NODE), "--input-type=module", "--check"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports_are_served(path: Path) -> None:
    """All are relative, and there."""
    for name in re.findall(r"""from ["']([^"']+)["']""", path.read_text("utf-8")):
        assert (path.parent / name).is_file(), name


def test_every_text_is_said_in_both_languages() -> None:
    """And every text that a module asks for is there."""
    words = (STATIC / "words.js").read_text("utf-8")
    table = words[words.index("const TEXTS") : words.index("/** What the lines")]
    known = set(re.findall(r"(\w+): \[", table))
    assert len(re.findall(r"\w+: \[\s*(?:\"[^\"]*\"|`[^`]*`),\s*\"[^\"]+\",?\s*\]", table)) == len(known)
    for path in MODULES:
        asked = set(re.findall(r"\bt\(\"(\w+)\"\)", path.read_text("utf-8")))
        assert asked <= known, path.name
