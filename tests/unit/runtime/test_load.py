"""What `--app` and `--apps` name is found, or the reason is one line each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from duly.config import Settings, SettingsError
from duly.runtime.load import bundled, load_declared

_numbers = itertools.count()
Write = Callable[[str], str]

GOOD = "from duly import Duly\nduly = Duly()\n@duly.task({name!r})\nasync def handler(ctx): ...\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Makes a module of this text in the working folder; answers its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def make(text: str) -> str:
        name = f"loaded_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return make


def problems(**settings: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_declared(Settings(**settings))  # type: ignore[arg-type]
    return caught.value.problems


def test_modules_of_the_working_folder_are_found(write: Write) -> None:
    """Several modules with commas; `:duly` may be left out."""
    one, two = write(GOOD.format(name="one")), write(GOOD.format(name="two"))
    declared = load_declared(Settings(app=f"{one}:duly, {two}"))
    assert sorted(kind.name for kind in declared.registry) == ["one", "two"]


def test_bundled_apps_are_found_by_name(write: Write) -> None:
    """`--apps tender` needs no module path."""
    assert "tender" in bundled()
    assert len(load_declared(Settings(apps="tender")).registry) >= 1


@pytest.mark.parametrize(
    ("text", "spec", "words"),
    [
        ("", "no_such_module:duly", "there is no module 'no_such_module'"),
        ("import no_such_thing", "{}", "there is no module 'no_such_thing'"),
        ("", "{}:other", "has no 'other'"),
        ("duly = 3", "{}", "is a int, not a Duly object"),
        ("1/0", "{}", "ZeroDivisionError"),
        ("raise SystemExit(0)", "{}", "SystemExit"),
        ("def (", "{}", "SyntaxError"),
        ("", ".relative", "importing it failed"),
        ("", ":duly", "importing it failed"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_line(write: Write, text: str, spec: str, words: str) -> None:
    """Whatever is wrong with a user's module, the answer is a line that names it, never a traceback."""
    [line] = problems(app=spec.format(write(text)))
    assert words in line


@pytest.mark.parametrize("name", ["nothing", "no.thing", "tender.none", "../tender", ".", "tender:duly"])
def test_an_unknown_bundled_app_is_one_line(write: Write, name: str) -> None:
    """The line says which apps there are."""
    [line] = problems(apps=name)
    assert "there is no bundled app" in line
    assert "tender" in line


def test_all_problems_are_told_at_once(write: Write) -> None:
    """Two wrong names are two lines, not one and then the other."""
    assert len(problems(app="nope_a,nope_b", apps="nope_c")) == 3


def test_two_handlers_of_one_name_are_one_line(write: Write) -> None:
    """A clash between two modules is told like any other problem."""
    text = GOOD.format(name="same")
    [line] = problems(app=f"{write(text)},{write(text)}")
    assert "two handlers are called 'same'" in line
