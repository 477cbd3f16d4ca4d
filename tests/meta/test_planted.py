"""The planted bugs fit the code of today: each text is where it is said to be, each test is there.

Whether the tests notice them is for `make planted` to say.
"""

import ast
import shutil
from pathlib import Path

import pytest

import planted
from planted import Bug, Change, Misfit, Run

BUGS = planted.read()


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_can_be_planted(bug: Bug, tmp_path: Path) -> None:
    """Whoever moves the code moves the bug with it; what is planted is Python as before."""
    for file in {change.file for change in bug.changes}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(planted.ROOT / "src" / file, tmp_path / file)
    bug.plant(tmp_path)
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_the_tests_that_must_notice_it_are_there(bug: Bug) -> None:
    """A renamed test takes its bugs along."""
    for test in bug.tests:
        file, _, name = test.partition("::")
        text = (planted.ROOT / file).read_text("utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in text, test


@pytest.mark.parametrize("before", ["", "one two", "one", "two two"])
def test_a_text_that_is_not_there_once_is_no_bug(tmp_path: Path, before: str) -> None:
    """Nothing planted would be nothing noticed, and blamed on the tests."""
    (tmp_path / "file.sql").write_text(before)
    change = Change(file="file.sql", text="two", becomes="three")
    if before == "one two":
        change.apply(tmp_path)
        assert (tmp_path / "file.sql").read_text() == "one three"
    else:
        with pytest.raises(Misfit, match=r"times: .two."):
            change.apply(tmp_path)


@pytest.mark.parametrize(
    ("code", "failure", "noticed"),
    [
        (1, "test_a.py::test_b - assert 1 == 2", True),
        (1, "test_a.py::test_b - NameError: name 'x' is not defined", False),
        (1, 'test_a.py::test_b - DulyError: near "FORM": syntax error', False),
        (1, "", False),
        (0, "", False),
        (2, "test_a.py", False),
        (4, "", False),
        (None, "", False),
    ],
)
def test_only_a_failing_test_has_noticed(code: int | None, failure: str, noticed: bool) -> None:
    """Not a code that cannot run, nor a test that cannot be found or does not end."""
    assert Run(code=code, seconds=1.0, failure=failure).noticed is noticed
