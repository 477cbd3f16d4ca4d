"""The repository as a whole: nothing of one machine is in it, and no command it names is missing."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Not part of the tree: what tools and builds leave behind (see .gitignore).
SKIPPED = frozenset({"__pycache__", ".git", "build", "dist", "node_modules"})
HIDDEN_BUT_OURS = frozenset({".ci", ".github"})

MACHINE_PATH = re.compile(rb"(?<![\w.-])/(?:work|root)/")
REGISTRY_HOST = re.compile(rb"(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b")

TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
TARGET_WITH_HELP = re.compile(r"^([a-z][a-z0-9-]*):.*## \S", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# At the start of a line in a code block, or of an inline `code`; `make sure` in a sentence is neither.
MAKE_LINE = re.compile(r"^(?:\$ )?make +([a-z][a-z0-9-]*)", re.MULTILINE)
MAKE_INLINE = re.compile(r"`make +([a-z][a-z0-9-]*)")


def is_ours(name: str) -> bool:
    """Whether a folder of this name belongs to the tree."""
    if name.startswith("."):
        return name in HIDDEN_BUT_OURS
    return name not in SKIPPED and not name.endswith(".egg-info")


def files() -> Iterator[Path]:
    """Every file of the tree, whether or not git is there to ask."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(filter(is_ours, folders))
        yield from (Path(folder) / name for name in sorted(set(names) - SKIPPED))


def mentions(pattern: re.Pattern[bytes]) -> list[str]:
    """`path: match` for each file of the tree in which the pattern is found."""
    found = [(path, pattern.search(path.read_bytes())) for path in files()]
    return [f"{path.relative_to(ROOT)}: {match.group()!r}" for path, match in found if match]


def make_commands(text: str) -> set[str]:
    """The make targets that a Markdown text tells its reader to call."""
    blocks = FENCED.findall(text)
    return {*MAKE_INLINE.findall(text), *(target for block in blocks for target in MAKE_LINE.findall(block))}


@pytest.fixture(scope="module")
def makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_file_names_a_path_of_one_machine() -> None:
    """A checkout works wherever it stands."""
    assert mentions(MACHINE_PATH) == []


def test_no_file_names_a_registry_host() -> None:
    """Where packages come from is the installer's choice, also in the lock files."""
    assert mentions(REGISTRY_HOST) == []


@pytest.mark.parametrize("text", ["cd {}x", "'{}.cache'", "file://{}a"])
@pytest.mark.parametrize("home", ["work", "root"])
def test_a_path_of_one_machine_is_seen(text: str, home: str) -> None:
    """The pattern finds a path in a command, in quotes and in a URL."""
    assert MACHINE_PATH.search(text.format(f"/{home}/").encode())


@pytest.mark.parametrize("text", ["frame/{}/a", "./{}/", "/{}ers/1", "a/{}/b"])
@pytest.mark.parametrize("home", ["work", "root"])
def test_a_path_in_the_tree_is_not_a_path_of_one_machine(text: str, home: str) -> None:
    """The pattern passes relative paths and longer names."""
    assert not MACHINE_PATH.search(text.format(home).encode())


def test_every_make_target_has_help(makefile: str) -> None:
    """A target without a line of help is one nobody finds."""
    assert TARGET.findall(makefile) == TARGET_WITH_HELP.findall(makefile)


def test_every_make_target_is_phony(makefile: str) -> None:
    """A file that happens to be called `test` does not switch a target off."""
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony.split() == TARGET.findall(makefile)


@pytest.mark.skipif(shutil.which("make") is None, reason="a source archive may be tested without make")
def test_make_alone_prints_every_target(makefile: str) -> None:
    """`make` is the way to learn what there is, and it changes nothing."""
    # A make around the tests must not hand its flags down.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    run = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    printed = re.findall(r"^  ([a-z0-9-]+) +\S", run.stdout, re.MULTILINE)
    assert printed == TARGET.findall(makefile)


@pytest.mark.parametrize(
    "path", [path for path in files() if path.suffix == ".md"], ids=lambda path: path.name
)
def test_documents_name_only_targets_that_exist(path: Path, makefile: str) -> None:
    """A command in a document works when it is typed."""
    assert make_commands(path.read_text(encoding="utf-8")) <= set(TARGET.findall(makefile))


def test_make_commands_are_found_in_code_only() -> None:
    """A code block and an inline command count; a sentence with the word does not."""
    text = (
        "Please make sure, or\nmake haste. `make check`\n\n```bash\n$ make demo FILE=a.pdf\nmake test\n```\n"
    )
    assert make_commands(text) == {"demo", "test", "check"}


def test_ci_calls_nothing_but_make() -> None:
    """CI is a strict shell script that anybody can run, and what it runs are the targets above."""
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert script.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in text
    steps = {"check", "services", "planted", "test"}
    assert steps <= set(re.findall(r"^ *(?:make|step) ([a-z0-9-]+)", text, re.MULTILINE))
    assert "pytest " not in text


def test_the_end_of_ci_says_which_step_failed_and_how(tmp_path: Path) -> None:
    """Who has the last lines only has the reason; no step follows a failed one."""
    make = '[ $1 != services ] || { echo "3 failed"; echo "make: *** no" >&2; exit 2; }'
    (tmp_path / "make").write_text(f'#!/bin/sh\necho "about $1"\n{make}\n')
    for name in ("pgbouncer", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    run = subprocess.run(
        [ROOT / ".ci" / "run"], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert run.returncode == 2
    *_, said, times, last = run.stdout.splitlines()
    assert (said, last) == ("about services", "3 failed")
    assert re.fullmatch(r"ci: \d+ s in total; check \d+ s; services \d+ s, FAILED", times)
