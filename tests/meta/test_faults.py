"""The fault programme's own frame: what it lists, counts, skips and calls broken."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import netns
from support.cluster import alive, until

ROOT = Path(__file__).resolve().parents[2]
CASES = """
import pytest

@pytest.mark.fault("told")
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_told(case, kind):
    case.figure(cuts=3)
    case.holds("nothing is lost", kind == "sqlite", "one")
    case.wrong("nothing is recorded twice", ["two"] if kind == "postgres" else [])

@pytest.mark.fault("raised")
def test_raised(case):
    raise OSError("no such thing")

@pytest.mark.fault("skipped")
def test_skipped(case):
    pytest.skip("not on this host")
"""
RUN = "import sys, pathlib, faults; faults.CASES = pathlib.Path(sys.argv.pop(1)); sys.exit(faults.main())"


def programme(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of the frame over three cases of its own."""
    shutil.copy(ROOT / "tests" / "chaos" / "faults" / "conftest.py", folder)
    (folder / "test_own_cases.py").write_text(CASES)
    path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", RUN, str(folder), *words]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout


def test_each_violation_counts_and_fails_the_run(tmp_path: Path) -> None:
    """The last line has the numbers; what broke is named, with its database."""
    code, said = programme(tmp_path)
    line = json.loads(said.splitlines()[-1])
    assert code == 1
    assert (line["faults"], line["violations"], line["skipped"]) == (3, 3, 1)
    assert line["broken"] == ["told [postgres]", "raised"]
    assert line["figures"]["told [sqlite]"] == {"cuts": 3}
    assert "nothing is lost: one" in said
    assert "not on this host" in said


def test_what_holds_is_a_success_and_so_is_a_skip_unless_it_may_not_be(tmp_path: Path) -> None:
    """`--database` and `--only` choose; `--no-skips` is for where all must run."""
    assert programme(tmp_path, "--database", "sqlite")[0] == 0
    assert programme(tmp_path, "--only", "skipped")[0] == 0
    assert programme(tmp_path, "--only", "skipped", "--no-skips")[0] == 1
    assert programme(tmp_path, "--only", "skiped")[0] == 2


def test_the_real_cases_are_listed() -> None:
    """All can be read, and each has a name."""
    command = [sys.executable, "scripts/faults.py", "--list"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0
    assert "worker-cut-off " in said.stdout


def test_what_a_killed_run_left_is_removed() -> None:
    """Its namespaces carry its process id; what still runs in them ends too."""
    try:
        netns.able()
    except netns.NoNamespaces as reason:
        pytest.skip(str(reason))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, own = netns.namespace("left", dead.pid), netns.namespace("own")
    for name in (left, own):
        netns.run("ip", "netns", "add", name)
    rest = subprocess.Popen(["ip", "netns", "exec", left, "sleep", "60"])
    try:
        asyncio.run(until(lambda: netns.run("ip", "netns", "pids", left).strip()))
        assert netns.sweep() == [left]
        rest.wait(10)
        assert not alive(rest.pid)
        assert own in netns.run("ip", "netns", "list")
    finally:
        rest.kill()
        netns.remove(own)
