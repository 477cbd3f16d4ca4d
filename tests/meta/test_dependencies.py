"""pyproject.toml, the lock files and decision 0002 name the same dependencies."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIG["project"]

NAME = re.compile(r"[\w.-]+")
PIN = re.compile(r"^([\w.-]+)==(\S+)[^\n]*\\\n +--hash=sha256:[0-9a-f]{64}", re.MULTILINE)


def names(requirements: Iterable[str]) -> set[str]:
    """The packages that requirements ask for, without the project's own extras."""
    found = {match.group().lower() for match in map(NAME.match, requirements) if match}
    return found - {PROJECT["name"]}


def runtime() -> set[str]:
    extras = PROJECT["optional-dependencies"].values()
    return names(PROJECT["dependencies"]).union(*map(names, extras))


def development() -> set[str]:
    return names(CONFIG["dependency-groups"]["dev"])


def pins(lock: str) -> dict[str, str]:
    """What a lock file pins, by name; a pin without a hash does not count."""
    return dict(PIN.findall((ROOT / "locks" / lock).read_text(encoding="utf-8")))


def test_the_locks_pin_every_dependency_with_a_hash() -> None:
    """A dependency without a pin is `make lock` forgotten."""
    assert runtime() - pins("runtime.txt").keys() == set()
    assert (runtime() | development()) - pins("dev.txt").keys() == set()


def test_developers_run_what_users_run() -> None:
    """Both lock files pin the same version of whatever is in both."""
    assert pins("runtime.txt").items() <= pins("dev.txt").items()


def test_the_decision_gives_each_dependency_its_reason() -> None:
    """Each dependency stands in decision 0002 with the version that is pinned."""
    page = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w-]+) \| (\S+) \|", page, re.MULTILINE))
    lines = dict(re.findall(r"^- \*\*([\w-]+)\*\* (\S+)", page, re.MULTILINE))
    pinned = pins("dev.txt")
    assert {name: pinned[name] for name in runtime()} == {n: v for n, v in rows.items() if n != "dependency"}
    assert {name: pinned[name] for name in development()} == lines
