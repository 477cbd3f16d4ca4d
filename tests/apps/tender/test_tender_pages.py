"""The desk's pages without a browser: modules parse, imports are there, texts are in both languages."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import duly_apps.tender as app
from duly.dashboard import STATIC
from support.modules import NODE, needs_node, node_tests, parses

HERE = Path(__file__).parent
FOLDER = Path(app.__file__).with_name("pages")
MODULES = sorted(FOLDER.glob("*.js"))


@needs_node
def test_the_modules_tests_pass() -> None:
    """`node --test`, over the files beside this one."""
    node_tests(HERE)


@needs_node
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_parses(path: Path) -> None:
    """A typing error would be found by a user otherwise."""
    parses(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports_are_served(path: Path) -> None:
    """From beside it, or from the shell two folders up."""
    for name in re.findall(r"""(?:from|import) ["']([^"']+)["']""", path.read_text("utf-8")):
        place = STATIC / name.removeprefix("../../") if name.startswith("../../") else FOLDER / name
        assert place.is_file(), name


def test_every_text_is_said_in_both_languages() -> None:
    """And every text that a module asks for is there, or the shell's."""
    pattern = r"(\w+): \[\s*\"[^\"]*\",\s*\"[^\"]*\",?\s*\]"
    known = set(re.findall(pattern, (FOLDER / "texts.js").read_text("utf-8")))
    shell = set(re.findall(r"(\w+): \[", (STATIC / "words.js").read_text("utf-8")))
    assert len(known) > 30
    for path in MODULES:
        asked = set(re.findall(r"\bt\(\"(\w+)\"\)", path.read_text("utf-8")))
        assert asked <= known | shell, path.name


@needs_node
@pytest.mark.parametrize(
    ("start", "end", "marked"),
    [
        (16, 23, ["𠮷林😀大学：", "预算380万元", "。"]),
        (0, 99, ["", "𠮷林😀大学：预算380万元。", ""]),
        (24, 30, None),
        (3, 10, None),
    ],
)
def test_the_quote_is_marked(start: int, end: int, marked: list[str] | None) -> None:
    """By characters, as Python counts them, though JavaScript counts two for some."""
    text = "𠮷林😀大学：预算380万元。"
    passage = {"text": text, "start": 10, "end": 10 + len(text)}
    asked = f"cut({json.dumps(passage)}, {{ start: {start}, end: {end} }})"
    script = f'import {{ cut }} from "{(FOLDER / "cut.js").as_uri()}"; console.log(JSON.stringify({asked}));'
    command = [str(NODE), "--input-type=module", "--eval", script]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=True)
    assert json.loads(done.stdout) == marked
