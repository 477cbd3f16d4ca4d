"""The browser's libraries are what was fetched, and import nothing that is not served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import vendor


def test_the_committed_files_are_what_was_fetched() -> None:
    """Nobody has mended a library by hand."""
    assert vendor.differing(vendor.FOLDER) == []


@pytest.mark.parametrize("harm", ["changed", "gone", "more"])
def test_a_difference_is_found(tmp_path: Path, harm: str) -> None:
    """In a file, without one, and with one too many."""
    folder = shutil.copytree(vendor.FOLDER, tmp_path / "vendor")
    match harm:
        case "changed":
            with (folder / "htm.js").open("a") as file:
                file.write("// mended")
        case "gone":
            (folder / "LICENSE.htm").unlink()
        case "more":
            (folder / "other.js").touch()
    assert len(vendor.differing(folder)) == 1


def test_bare_imports_name_our_files() -> None:
    """As minifiers write them; a package that is not served is an error, not a broken page."""
    text = 'import{a as b}from"preact";import * as c from "preact/hooks";import"htm";\n//# sourceMappingURL=x'
    expected = 'import{a as b}from"./preact.js";import * as c from "./hooks.js";import"./htm.js";\n'
    assert vendor.rewritten(text) == expected
    with pytest.raises(KeyError):
        vendor.rewritten('import a from "left-pad"')
