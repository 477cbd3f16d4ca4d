"""The pages' pure modules, tested by Node's own runner; every module parses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duly.dashboard import STATIC
from support.modules import needs_node, node_tests, parses

HERE = Path(__file__).parent
MODULES = sorted(STATIC.glob("*.js"))


@needs_node
def test_the_modules_tests_pass() -> None:
    """`node --test`, over all files beside this one."""
    node_tests(HERE)


@needs_node
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_parses(path: Path) -> None:
    """A typing error would be found by a user otherwise."""
    parses(path)


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
